import fc from 'fast-check';
import {
  attemptKey,
  type AttemptId,
  type Field,
  type Holders,
  type JobRecord,
  type KnownRecord,
  type SignedField,
  type TaskRecord,
} from '@cuadro/protocol';

/** Generators of records of few keys and small counters, so that clashes of every kind happen often. */

export const PEERS = ['12D3KooWAaaaaaaaaaaa', '12D3KooWBbbbbbbbbbbb', '12D3KooWCccccccccccc'];
export const FARM = 'aaaaaaaaaaaaaaaa';
export const JOB = 'bbbbbbbbbbbbbbbb';

export const peer = fc.constantFrom(...PEERS);
const counter = fc.nat({ max: 3 });
const hash = fc.constantFrom('0'.repeat(64), '1'.repeat(64));
const wallTime = fc.nat({ max: 3 });
const signature = fc.nat({ max: 1 }).map((byte) => new Uint8Array(64).fill(byte));
const signed = { author: peer, signature };

const field = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Field<T>> => fc.record({ value, counter, peer });
const signedField = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<SignedField<T>> =>
  fc.record({ value, counter, peer, signature });

/** What a newer version may have put there: values, fields, and something that is a field in one record only. */
const unknownValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.nat({ max: 3 }),
  fc.constantFrom('', 'x', 'counter'),
  fc.constant(null),
  fc.array(fc.nat({ max: 2 }), { maxLength: 2 }),
  fc.record({ a: fc.nat({ max: 2 }) }),
  field(fc.nat({ max: 2 })),
  fc.uint8Array({ maxLength: 2 }),
);

/** Adds properties that this version does not know, some of the time. */
export function withUnknown<T extends object>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T> {
  const unknown = fc.dictionary(fc.constantFrom('future', 'later', 'x-note'), unknownValue, { maxKeys: 2 });
  return fc.tuple(arbitrary, unknown).map(([known, extra]) => ({ ...extra, ...known }));
}

const map = <T>(keys: readonly string[], value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length });

const holders: fc.Arbitrary<Holders> = map(PEERS, withUnknown(fc.record({ held: fc.boolean(), counter })));

const attempt: fc.Arbitrary<AttemptId> = fc.record({
  epoch: fc.record({ term: fc.integer({ min: 1, max: 2 }), peer }),
  sequence: fc.integer({ min: 1, max: 2 }),
});

const farm = withUnknown(
  fc.record(
    {
      kind: fc.constant('farm' as const),
      id: fc.constant(FARM),
      founder: peer,
      name: field(fc.constantFrom('tablao', 'peña')),
      mergedInto: field(fc.constant('cccccccccccccccc')),
    },
    { requiredKeys: ['kind', 'id', 'founder', 'name'] },
  ),
);

const member = withUnknown(
  fc.record({
    kind: fc.constant('member' as const),
    peer: fc.constant(PEERS[0] as string),
    name: signedField(fc.constantFrom('Belén', 'Carmen')),
    admissions: map(
      PEERS,
      withUnknown(
        fc.record({ ...signed, role: fc.constantFrom('artist' as const, 'machine' as const), wallTime }),
      ),
    ),
    removals: map(
      PEERS,
      withUnknown(
        fc.record({
          ...signed,
          reason: fc.constantFrom('a', 'b'),
          wallTime,
          jobs: fc.array(fc.constant(new Uint8Array(16)), { maxLength: 1 }),
        }),
      ),
    ),
  }),
);

const nodeFields = withUnknown(
  fc.record(
    {
      desired: signedField(fc.constantFrom('active' as const, 'draining' as const, 'paused' as const)),
      ownerDesired: signedField(fc.constantFrom('active' as const, 'paused' as const)),
      tags: signedField(fc.array(fc.constantFrom('gpu', 'big'), { maxLength: 2 })),
      slots: signedField(fc.nat({ max: 3 })),
    },
    { requiredKeys: [] },
  ),
);
const node = withUnknown(
  fc.record({
    kind: fc.constant('node' as const),
    peer: fc.constant(PEERS[0] as string),
    fields: nodeFields,
  }),
);

const range = fc
  .tuple(fc.nat({ max: 9 }), fc.nat({ max: 5 }), fc.integer({ min: 1, max: 3 }))
  .map(([start, length, step]) => ({ start, end: start + length, step }));
const request = withUnknown(
  fc.record({
    ...signed,
    kind: fc.constantFrom('redo' as const, 'retry' as const),
    level: fc.integer({ min: 1, max: 3 }),
    tasks: fc.array(range, { maxLength: 2 }),
    wallTime,
  }),
);

const spec = withUnknown(
  fc.record(
    {
      ...signed,
      id: fc.constant(JOB),
      name: fc.constantFrom('film', 'still'),
      type: fc.constant('echo-sleep'),
      settings: fc.constant({}),
      bundle: hash,
      plan: hash,
      tasks: fc.nat({ max: 10 }),
      order: counter,
      after: fc.constant([]),
      outputFolder: fc.constant('/out'),
      wallTime,
    },
    {
      requiredKeys: [
        'author',
        'signature',
        'id',
        'name',
        'type',
        'settings',
        'plan',
        'tasks',
        'order',
        'after',
        'outputFolder',
        'wallTime',
      ],
    },
  ),
);

const control = withUnknown(
  fc.record(
    {
      desired: signedField(fc.constantFrom('active' as const, 'paused' as const, 'canceled' as const)),
      priority: signedField(fc.nat({ max: 100 })),
      failureShare: signedField(fc.constantFrom(0, 0.5, 1)),
    },
    { requiredKeys: [] },
  ),
);

const job = withUnknown(
  fc.record(
    {
      kind: fc.constant('job' as const),
      id: fc.constant(JOB),
      spec,
      control,
      requests: map(['redo.1.0.x', 'redo.2.0.x', 'retry.1.0.x'], request),
      holders: withUnknown(fc.record({ bundle: holders, plan: holders })),
      acknowledged: fc.boolean(),
      deleted: withUnknown(fc.record({ ...signed, wallTime })),
    },
    { requiredKeys: ['kind', 'id', 'spec', 'control', 'requests', 'holders', 'acknowledged'] },
  ),
) as fc.Arbitrary<unknown> as fc.Arbitrary<JobRecord>;

const result = withUnknown(
  fc.record(
    {
      attempt,
      peer,
      state: fc.constantFrom('rendered' as const, 'done' as const),
      files: fc.constantFrom([], [{ name: 'a.png', blob: '0'.repeat(64), sizeBytes: 1, role: 'image' }]),
      holders,
      renderMs: fc.nat({ max: 2 }),
      thumbnail: hash,
      inputRedo: counter,
      wallTime,
    },
    { requiredKeys: ['attempt', 'peer', 'state', 'files', 'holders', 'renderMs', 'wallTime'] },
  ),
);
const failure = withUnknown(
  fc.record(
    {
      attempt,
      peer,
      cause: fc.constantFrom('failed' as const, 'lost' as const),
      code: fc.constantFrom('a', 'b'),
      message: fc.constant('It broke.'),
      lines: fc.constant([]),
      log: hash,
      holders,
      wallTime,
    },
    { requiredKeys: ['attempt', 'peer', 'cause', 'code', 'message', 'lines', 'wallTime'] },
  ),
);

const byAttempt = <T extends { attempt: AttemptId }>(entry: fc.Arbitrary<T>) =>
  fc
    .array(entry, { maxLength: 3 })
    .map((entries) => Object.fromEntries(entries.map((one) => [attemptKey(one.attempt), one])));

export const taskAt = (index: fc.Arbitrary<number>): fc.Arbitrary<TaskRecord> =>
  withUnknown(
    fc.record(
      {
        kind: fc.constant('task' as const),
        job: fc.constant(JOB),
        index,
        redo: fc.nat({ max: 2 }),
        retry: fc.nat({ max: 2 }),
        results: byAttempt(result),
        failures: byAttempt(failure),
        failed: withUnknown(
          fc.record({
            attempt,
            peer,
            code: fc.constantFrom('a', 'b'),
            message: fc.constant('No.'),
            wallTime,
          }),
        ),
      },
      { requiredKeys: ['kind', 'job', 'index', 'redo', 'retry', 'results', 'failures'] },
    ),
  ) as fc.Arbitrary<unknown> as fc.Arbitrary<TaskRecord>;

const diary = withUnknown(
  fc.record({
    kind: fc.constant('diary' as const),
    peer: fc.constant(PEERS[0] as string),
    page: fc.constant(0),
    entries: map(
      ['0', '1'],
      withUnknown(
        fc.record({
          sequence: fc.integer({ min: 1, max: 3 }),
          wallTime,
          event: fc.constantFrom({ kind: 'ended' }, { kind: 'woke', forMs: 20_000 }, { kind: 'of-later' }),
        }),
      ),
    ),
  }),
);

/** Records of each kind; those of one kind all have the same key. */
export const RECORDS: Readonly<Record<KnownRecord['kind'], fc.Arbitrary<KnownRecord>>> = {
  farm,
  member,
  node: node,
  job,
  task: taskAt(fc.constant(0)),
  diary,
};

export const jobArbitrary = job;

/** Values of any form, with numbers at all borders of a length, and keys that differ in length and in bytes. */
export const anyEncodable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    fc.constantFrom(-0, -1, -24, -25, -256, -257, -(2 ** 32), -(2 ** 32) - 1, Number.MIN_SAFE_INTEGER),
    fc.constantFrom(2 ** 53, 2 ** 60, -(2 ** 60), 1e300, Number.MIN_VALUE),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 20, maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 30 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'aa', 'ab', '/', 'bytes', 'asCID', 'é'), tie('value'), {
      noNullPrototype: true,
    }),
  ),
})).value;
