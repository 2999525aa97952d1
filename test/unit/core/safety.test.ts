import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyTask, safetyWithout, type Holders, type JobRecord, type TaskRecord } from '@cuadro/protocol';
import fc from 'fast-check';
import { CopyCounts } from '../../../node/src/core/copy-counts.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, jobRecord, SELF, withDesired } from './farm.ts';
import { farmOf } from './members.ts';

const PEERS = [SELF, BELEN, CARMEN, DOLORES];
const by = (...peers: string[]): Holders =>
  Object.fromEntries(peers.map((peer) => [peer, { held: true, counter: 1 }]));

function taskOf(job: string, index: number, holders: Holders): TaskRecord {
  const attempt = { epoch: { term: 1, peer: SELF }, sequence: index + 1 };
  const result = {
    attempt,
    peer: SELF,
    state: Object.keys(holders).length > 1 ? ('done' as const) : ('rendered' as const),
    files: [],
    holders,
    renderMs: 1,
    wallTime: 1,
  };
  return { ...emptyTask(job, index), results: { [`1.${index + 1}.${SELF}`]: result } };
}

/** A job of three tasks in a farm of these members, and what its view says of its copies. */
function viewOf(
  members: readonly string[],
  job: { plan: Holders; bundle?: Holders; results?: Holders[]; isCanceled?: boolean },
): { sentence: string; onlyOn: [string, number, boolean][] } {
  const farm = new Farm(farmOf(...members)).start();
  const plan = framesPlan('1-3');
  const record = jobRecord(plan);
  const bundle = job.bundle;
  const changed: JobRecord = {
    ...record,
    spec: { ...record.spec, ...(bundle && { bundle: 'b'.repeat(64) }) },
    holders: { plan: job.plan, bundle: bundle ?? {} },
  };
  farm.records(changed);
  farm.step({ kind: 'plan', job: record.id, plan });
  farm.records(...(job.results ?? []).map((holders, index) => taskOf(record.id, index, holders)));
  if (job.isCanceled === true) farm.records(withDesired(changed, 'canceled'));
  const view = farm.core.job(record.id);
  assert.ok(view !== undefined);
  return {
    sentence: view.safety.sentence,
    onlyOn: view.onlyOn.map(({ peer, results, scene }) => [peer, results, scene]),
  };
}

describe('R58: what a job says of the machine that submitted it', () => {
  const all = by(SELF, BELEN, CARMEN);
  const table: [
    name: string,
    members: string[],
    job: Parameters<typeof viewOf>[1],
    sentence: string,
    onlyOn?: [string, number, boolean][],
  ][] = [
    [
      'some is on one machine only: who holds the most alone comes first, and of as much the first by name',
      [BELEN, CARMEN],
      { plan: all, results: [by(CARMEN), by(CARMEN), by(BELEN)] },
      'Safe to switch off machine a: the job itself and every result are on one other machine.',
      [
        [CARMEN, 2, false],
        [BELEN, 1, false],
      ],
    ],
    [
      'as much is on one machine only as on another',
      [BELEN, CARMEN],
      { plan: all, results: [by(CARMEN), by(BELEN)] },
      'Safe to switch off machine a: the job itself and every result so far are on one other machine.',
      [
        [BELEN, 1, false],
        [CARMEN, 1, false],
      ],
    ],
    [
      'as many results are on one machine as on two',
      [BELEN, CARMEN],
      { plan: all, results: [by(BELEN, CARMEN), by(BELEN)] },
      'Safe to switch off machine a: the job itself and every result so far are on one other machine.',
      [[BELEN, 1, false]],
    ],
    [
      'its job was canceled: no further results come',
      [BELEN, CARMEN],
      { plan: all, results: [by(BELEN, CARMEN)], isCanceled: true },
      'Safe to switch off machine a: the job itself and every result are on two others.',
    ],
    [
      'everything is on two others',
      [BELEN, CARMEN],
      { plan: all, bundle: all, results: [all, by(BELEN, CARMEN), all] },
      'Safe to switch off machine a: its scene and every result are on two others.',
    ],
    [
      'results so far are on one other',
      [BELEN, CARMEN],
      { plan: all, results: [by(SELF, BELEN)] },
      'Safe to switch off machine a: the job itself and every result so far are on one other machine.',
    ],
    [
      'nothing is rendered yet',
      [BELEN, CARMEN],
      { plan: all, bundle: by(SELF, BELEN) },
      'Safe to switch off machine a: its scene is on one other machine.',
    ],
    [
      'results are only there',
      [BELEN],
      { plan: by(SELF, BELEN), results: [by(SELF), by(SELF), by(BELEN)] },
      'Not yet safe to switch off machine a: 2 results are only there.',
      [
        [SELF, 2, false],
        [BELEN, 1, false],
      ],
    ],
    [
      'the scene and a result are only there',
      [BELEN],
      { plan: by(SELF, BELEN), bundle: by(SELF), results: [by(SELF)] },
      'Not yet safe to switch off machine a: 1 result and its scene are only there.',
      [[SELF, 1, true]],
    ],
    [
      'the plan is only there',
      [BELEN],
      { plan: by(SELF) },
      'Not yet safe to switch off machine a: the job itself is only there.',
      [[SELF, 0, true]],
    ],
    [
      'no machine holds the plan',
      [BELEN],
      { plan: {} },
      'Not yet safe to switch off machine a: no machine holds the job itself any more.',
    ],
    [
      'the farm has one machine',
      [],
      { plan: by(SELF), results: [by(SELF)] },
      'It is on one machine only: the farm has no other.',
      [[SELF, 1, true]],
    ],
  ];
  for (const [name, members, job, sentence, onlyOn = []] of table) {
    it(name, () => assert.deepEqual(viewOf(members, job), { sentence, onlyOn }));
  }
});

it('R58: copies counted as they change are those that a walk over all tasks counts', () => {
  const index = fc.nat({ max: 9 });
  const holders = fc.option(fc.subarray(PEERS), { nil: undefined });
  fc.assert(
    fc.property(fc.array(fc.tuple(index, holders), { maxLength: 60 }), (changes) => {
      const counts = new CopyCounts(10);
      const now = new Map<number, string[]>();
      for (const [at, peers] of changes) {
        counts.put(at, peers && { ...by(...peers), [`${SELF}x`]: { held: false, counter: 3 } });
        if (peers === undefined || peers.length === 0) now.delete(at);
        else now.set(at, peers);
      }
      const tasks = [...now].map(([at, peers]) => taskOf('jobjobjobjobjobj', at, by(...peers)));
      const job = jobRecord(framesPlan('1-10'));
      for (const peer of PEERS) {
        const walked = safetyWithout(job, tasks, peer);
        assert.deepEqual(counts.without(peer), {
          onNone: walked.resultsOnNone,
          onOne: walked.resultsOnOne,
        });
        const alone = [...now.values()].filter((held) => held.length === 1 && held[0] === peer).length;
        assert.equal(Object.fromEntries(counts.alone())[peer] ?? 0, alone);
      }
      assert.equal(counts.onOne, [...now.values()].filter((held) => held.length === 1).length);
    }),
  );
});
