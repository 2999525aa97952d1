import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  blobsOfResult,
  promisedBlobs,
  emptyTask,
  safetyWithout,
  type Holders,
  type JobRecord,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';

const [A, B, C] = ['12D3KooWAaaaaaaaaaaa', '12D3KooWBbbbbbbbbbbb', '12D3KooWCccccccccccc'] as const;
const JOB = 'jobjobjobjobjobj';
const by = (...peers: string[]): Holders =>
  Object.fromEntries(peers.map((peer) => [peer, { held: true, counter: 1 }]));

const jobOf = (plan: Holders, bundle?: Holders): JobRecord =>
  ({
    kind: 'job',
    id: JOB,
    spec: { author: A, plan: 'p', ...(bundle && { bundle: 'b' }) },
    holders: { plan, bundle: bundle ?? {} },
  }) as unknown as JobRecord;

const resultOf = (sequence: number, state: 'rendered' | 'done', holders: Holders): TaskResult => ({
  attempt: { epoch: { term: 1, peer: A }, sequence },
  peer: A,
  state,
  files: [],
  holders,
  renderMs: 1,
  wallTime: 0,
});
const taskOf = (index: number, ...results: TaskResult[]): TaskRecord => ({
  ...emptyTask(JOB, index),
  results: Object.fromEntries(results.map((result) => [String(result.attempt.sequence), result])),
});

describe('R58: safe without a machine', () => {
  const full = by(A, B, C);
  const cases: [string, JobRecord, TaskRecord[], ReturnType<typeof safetyWithout>][] = [
    [
      'all of it on two others',
      jobOf(full, full),
      [taskOf(0, resultOf(1, 'done', by(B, C)))],
      { machines: 2, job: false, resultsOnOne: 0, resultsOnNone: 0 },
    ],
    [
      'a result that the machine and one other hold',
      jobOf(full, full),
      [taskOf(0, resultOf(1, 'done', by(A, B))), taskOf(1, resultOf(2, 'done', full))],
      { machines: 1, job: false, resultsOnOne: 1, resultsOnNone: 0 },
    ],
    [
      'a result that it alone holds, and one whose other copy was given up',
      jobOf(full, full),
      [
        taskOf(0, resultOf(1, 'rendered', by(A))),
        taskOf(1, resultOf(2, 'done', { ...by(A), [B]: { held: false, counter: 2 } })),
      ],
      { machines: 0, job: false, resultsOnOne: 0, resultsOnNone: 2 },
    ],
    [
      'only the result that counts matters',
      jobOf(full, full),
      [taskOf(0, resultOf(1, 'rendered', by(A)), resultOf(2, 'done', by(B, C)))],
      { machines: 2, job: false, resultsOnOne: 0, resultsOnNone: 0 },
    ],
    [
      'a bundle on one other',
      jobOf(full, by(A, C)),
      [],
      { machines: 1, job: true, resultsOnOne: 0, resultsOnNone: 0 },
    ],
    [
      'a job without a bundle',
      jobOf(full),
      [taskOf(0)],
      { machines: 2, job: false, resultsOnOne: 0, resultsOnNone: 0 },
    ],
    [
      'a plan that it alone holds',
      jobOf(by(A)),
      [],
      { machines: 0, job: true, resultsOnOne: 0, resultsOnNone: 0 },
    ],
  ];
  for (const [name, job, tasks, expected] of cases) {
    test(name, () => assert.deepEqual(safetyWithout(job, tasks, A), expected));
  }
});

test('R57, R137: a result names its files, their previews, and what it can be without, each once', () => {
  const result: TaskResult = {
    ...resultOf(1, 'done', by(A)),
    files: [
      { name: 'a.exr', blob: 'one', sizeBytes: 10, role: 'image', preview: 'preview' },
      { name: 'b.exr', blob: 'two', sizeBytes: 20, role: 'view' },
      { name: 'c.exr', blob: 'one', sizeBytes: 10, role: 'view' },
    ],
    thumbnail: 'two',
    log: 'log',
  };
  assert.deepEqual(blobsOfResult(result), [
    { hash: 'one', sizeBytes: 10, needed: true },
    { hash: 'two', sizeBytes: 20, needed: true },
    { hash: 'preview', needed: true },
    { hash: 'log', needed: false },
  ]);
  assert.deepEqual(promisedBlobs(result), ['one', 'two', 'preview']);
});
