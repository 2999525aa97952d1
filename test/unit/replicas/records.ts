import fc from 'fast-check';
import {
  attemptKey,
  type JobRecord,
  type KnownRecord,
  type NodeRecord,
  type TaskRecord,
} from '@cuadro/protocol';
import { PEERS, RECORDS, taskAt, withUnknown } from '../protocol/arbitraries.ts';

/** Records for exchanges: plain ones by the thousand, and generated ones of every kind. */

export const JOBS = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', 'cccccccccccccccc'];
const PEER = PEERS[0] as string;
const signature = new Uint8Array(64);

/** The id of the i-th of many jobs; ids ascend. */
export const jobIdOf = (i: number): string =>
  Array.from(String(i).padStart(16, '0'), (digit) => 'abcdefghij'[Number(digit)]).join('');

export function jobRecord(id: string, more: Partial<JobRecord> = {}): JobRecord {
  return {
    kind: 'job',
    id,
    spec: {
      author: PEER,
      signature,
      id,
      name: 'film',
      type: 'echo-sleep',
      settings: {},
      plan: '0'.repeat(64),
      tasks: 10,
      order: 1,
      after: [],
      outputFolder: '/out',
      wallTime: 1,
    },
    control: {},
    requests: {},
    holders: { bundle: {}, plan: {} },
    acknowledged: true,
    ...more,
  };
}

export const tombstone = (id: string): JobRecord =>
  jobRecord(id, { deleted: { author: PEER, signature, wallTime: 2 } });

/** A done frame as a worker writes it; `renderMs` tells versions apart. */
export function doneTask(job: string, index: number, renderMs = 500): TaskRecord {
  const attempt = { epoch: { term: 1, peer: PEER }, sequence: index * 10 + (renderMs % 10) };
  const hex = index.toString(16).padStart(64, '0');
  return {
    kind: 'task',
    job,
    index,
    redo: 0,
    retry: 0,
    failures: {},
    results: {
      [attemptKey(attempt)]: {
        attempt,
        peer: PEER,
        state: 'rendered',
        files: [
          {
            name: `frame_${index}.png`,
            blob: hex,
            sizeBytes: 400_000,
            pixels: hex,
            width: 640,
            height: 360,
            role: 'image',
          },
        ],
        holders: { [PEER]: { held: true, counter: 1 } },
        renderMs,
        thumbnail: hex,
        wallTime: 1,
      },
    },
  };
}

export const doneTasks = (job: string, count: number, start = 0): TaskRecord[] =>
  Array.from({ length: count }, (_, i) => doneTask(job, start + i));

const inJob = <R extends { job: string } | { id: string }>(record: R, job: string): R =>
  'job' in record
    ? { ...record, job }
    : { ...record, id: job, spec: { ...(record as never as JobRecord).spec, id: job } };

const job = fc.constantFrom(...JOBS);
/** Over several buckets, with neighbours. */
const index = fc.oneof(fc.nat({ max: 5 }), fc.integer({ min: 254, max: 258 }), fc.constant(70_000));

/** Fields and controls of newer versions are signed as all are (R30): what has no signature does not pass the door. */
const signedOnly = <T extends object>(fields: T): T =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, field]) => (field as { signature?: unknown } | null)?.signature !== undefined,
    ),
  ) as T;

/** A record of any kind; jobs and tasks of several jobs, members and nodes of several machines. */
export const anyRecord: fc.Arbitrary<KnownRecord> = fc.oneof(
  RECORDS.farm,
  fc
    .tuple(RECORDS.member, fc.constantFrom(...PEERS))
    .map(([record, peer]) => ({ ...record, peer }) as KnownRecord),
  fc
    .tuple(RECORDS.node as fc.Arbitrary<NodeRecord>, fc.constantFrom(...PEERS))
    .map(([record, peer]) => ({ ...record, peer, fields: signedOnly(record.fields) })),
  fc
    .tuple(RECORDS.job as fc.Arbitrary<JobRecord>, job)
    .map(([record, id]) => inJob({ ...record, control: signedOnly(record.control) }, id)),
  {
    arbitrary: fc.tuple(withUnknown(taskAt(index)), job).map(([record, id]) => inJob(record, id)),
    weight: 4,
  },
);
