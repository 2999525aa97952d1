import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  attemptKey,
  decode,
  decodeMessage,
  encode,
  FAILURES_PER_TASK_MAX,
  isSafePath,
  OUTPUT_FILES_MAX,
  taskRecordSchema,
  type TaskRecord,
} from '@cuadro/protocol';
import { TaskReader } from '../../../node/src/store/task-reader.ts';

/** Some end alike, at the same length and at another: by its end a text is found that was read lately. */
const PEERS = [
  '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
  '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc7iDEp',
  '12D3KooWEyoppNCUx8Yx66oV9fJDEp',
  '12D3KooWBbbbbbbbbbbb',
  'z'.repeat(64),
];

const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const peer = fc.constantFrom(...PEERS);
const whole = fc.oneof(
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.nat(),
);
const size = fc.oneof(whole, fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }));
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(fc.string({ maxLength }), fc.string({ unit: 'binary', maxLength: maxLength >> 1 }));
const pixelSide = fc.integer({ min: 1, max: 70_000 });

const file = fc.record(
  {
    name: text(80).filter(isSafePath),
    blob: hash,
    sizeBytes: size,
    role: text(32),
    pixels: text(128),
    width: pixelSide,
    height: pixelSide,
    preview: hash,
  },
  { requiredKeys: ['name', 'blob', 'sizeBytes', 'role'] },
);
const attempt = fc.record({ epoch: fc.record({ term: whole, peer }), sequence: whole });
const result = fc.record(
  {
    attempt,
    peer,
    state: fc.constantFrom('rendered' as const, 'done' as const),
    files: fc.array(file, { maxLength: 30, size: 'small' }),
    holders: fc.dictionary(
      peer,
      fc.record({ held: fc.boolean(), counter: fc.oneof(fc.nat(), fc.constant(2 ** 48)) }),
    ),
    renderMs: size,
    thumbnail: hash,
    inputRedo: whole,
    engineVersion: text(64),
    log: hash,
    wallTime: size,
  },
  { requiredKeys: ['attempt', 'peer', 'state', 'files', 'holders', 'renderMs', 'wallTime'] },
);
const task: fc.Arbitrary<TaskRecord> = fc
  .record({
    job: fc.stringMatching(/^[a-z2-7]{16}$/),
    index: fc.oneof(fc.nat(), fc.constant(4_294_967_295)),
    redo: whole,
    retry: whole,
    results: fc.array(result, { maxLength: 3 }),
  })
  .map(({ results, ...rest }) => ({
    kind: 'task',
    ...rest,
    results: Object.fromEntries(results.map((one) => [attemptKey(one.attempt), one])),
    failures: {},
  }));

/** The general way: undefined where it refuses the bytes. */
function generally(bytes: Uint8Array): unknown {
  try {
    return taskRecordSchema.safeParse(decode(bytes)).data;
  } catch {
    return undefined;
  }
}

const reader = new TaskReader();

const plain: TaskRecord = {
  kind: 'task',
  job: 'abcdefghijklmnop',
  index: 7,
  redo: 0,
  retry: 0,
  results: {
    [`1.8.${PEERS[0]}`]: {
      attempt: { epoch: { term: 1, peer: PEERS[0] as string }, sequence: 8 },
      peer: PEERS[0] as string,
      state: 'rendered',
      files: [
        {
          name: 'frame_0008.png',
          blob: '0a'.repeat(32),
          sizeBytes: 400_000,
          pixels: '1b'.repeat(32),
          width: 640,
          height: 360,
          role: 'image',
        },
      ],
      holders: { [PEERS[0] as string]: { held: true, counter: 1 } },
      renderMs: 512.25,
      thumbnail: '2c'.repeat(32),
      wallTime: 1_700_000_000_000,
    },
  },
  failures: {},
};

type Result = TaskRecord['results'][string];
const only = Object.values(plain.results)[0] as Result;
const withResult = (change: object): unknown => ({ ...plain, results: { '1.8.x': { ...only, ...change } } });
const withFile = (change: object): unknown => withResult({ files: [{ ...only.files[0], ...change }] });

describe('the task reader', () => {
  it('reads a record as the worker writes it, from a Buffer or any bytes', () => {
    assert.deepEqual(reader.read(Buffer.from(encode(plain))), plain);
    assert.deepEqual(new TaskReader().read(new Uint8Array(encode(plain))), plain);
  });

  it('does not depend on bytes that it has read before', () => {
    const bytes = Buffer.from(encode(plain));
    const before = new TaskReader();
    assert.deepEqual(before.read(bytes), plain);
    const other = encode({ ...plain, job: 'bcdefghijklmnopq' });
    bytes.set(other);
    assert.deepEqual(before.read(bytes), { ...plain, job: 'bcdefghijklmnopq' });
    assert.deepEqual(before.read(encode(plain)), plain);
  });

  it('gives what decoding and the schema give, of any record of its form', () => {
    fc.assert(
      fc.property(task, (record) => {
        const bytes = encode(record);
        const read = reader.read(bytes);
        if (read !== undefined) assert.deepEqual(read, generally(bytes));
        // The form is a common one, so falling back must be the exception: only odd characters are left to it.
        else assert.match(JSON.stringify(record), /[\ufeff\ufffd]|\\ud[89a-f]|__proto__/i);
      }),
      { numRuns: 300 },
    );
  });

  it('R4: gives nothing, or what the general way gives, of bytes that were changed', () => {
    const change = fc.record({ at: fc.nat({ max: 4_000 }), byte: fc.nat({ max: 255 }), cut: fc.boolean() });
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(plain), task),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (record, changes) => {
          let bytes = encode(record);
          for (const { at, byte, cut } of changes) {
            if (cut && at % 8 === 0) bytes = bytes.slice(0, at % bytes.length);
            else bytes[at % bytes.length] = byte;
          }
          const read = reader.read(bytes);
          if (read === undefined) return;
          assert.deepEqual(read, generally(bytes));
          assert.deepEqual(encode(read), bytes, 'the bytes are canonical');
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('R4: takes no byte of a record for another, whatever it becomes', () => {
    const bytes = encode(plain);
    let readable = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 9; bit++) {
        const changed = bytes.slice();
        // Each bit alone, and all of them.
        changed[at] = (bytes[at] as number) ^ (bit === 8 ? 0xff : 1 << bit);
        const read = reader.read(changed);
        if (read === undefined) continue;
        readable++;
        assert.deepEqual(read, generally(changed));
        assert.deepEqual(encode(read), changed, 'the bytes are canonical');
      }
      assert.equal(reader.read(bytes.subarray(0, at)), undefined);
    }
    assert.ok(readable > 300, `${readable} of them are records of other content`);
  });

  const many = (count: number): Record<string, Result> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`1.${i}.x`, only]));
  for (const [what, record] of [
    ['another kind', { ...plain, kind: 'job' }],
    ['a property of a newer version', { ...plain, mood: 1 }],
    ['an index past the last', { ...plain, index: 2 ** 32 }],
    ['a level below 0', { ...plain, redo: -1 }],
    ['a job that is no id', { ...plain, job: 'abcdefghijklmno1' }],
    ['too many results', { ...plain, results: many(FAILURES_PER_TASK_MAX + 1) }],
    ['a key that means something to objects', { ...plain, results: { ['__proto__x']: only } }],
    ['a result with a property of a newer version', withResult({ mood: 1 })],
    ['a state that there is not', withResult({ state: 'lost' })],
    ['a machine that is no peer', withResult({ peer: '0'.repeat(52) })],
    ['a negative time', withResult({ renderMs: -0.5 })],
    ['an attempt with more to it', withResult({ attempt: { ...only.attempt, more: 1 } })],
    ['a holder without a counter', withResult({ holders: { [only.peer]: { held: true } } })],
    ['a counter past the last', withResult({ holders: { [only.peer]: { held: true, counter: 2 ** 49 } } })],
    ['too many files', withResult({ files: Array(OUTPUT_FILES_MAX + 1).fill(only.files[0]) })],
    ['a log that is no hash', withResult({ log: 'A'.repeat(64) })],
    ['a file without a name', withFile({ name: '' })],
    ['a file that leaves its folder', withFile({ name: '../frame_0008.png' })],
    ['a name that is too long', withFile({ name: 'x'.repeat(1_025) })],
    ['a picture of no width', withFile({ width: 0 })],
    ['half a pixel', withFile({ height: 0.5 })],
    ['a role that is too long', withFile({ role: 'x'.repeat(33) })],
    ['pixels that are too long', withFile({ pixels: 'x'.repeat(129) })],
    ['a file of a newer version', withFile({ mood: 1 })],
  ] as const) {
    it(`leaves ${what} to the general way`, () => {
      assert.equal(reader.read(encode(record)), undefined);
    });
  }
});

describe('the reader of messages', () => {
  const results = fc
    .record({ job: fc.stringMatching(/^[a-z2-7]{16}$/), task: fc.nat(), redo: whole, retry: whole, result })
    .map(({ result: made, ...rest }) => ({
      kind: 'result',
      ...rest,
      attempt: made.attempt,
      outcome: { kind: 'result', result: made },
    }));
  const grant = fc.record(
    {
      attempt,
      job: fc.stringMatching(/^[a-z2-7]{16}$/),
      task: fc.nat(),
      redo: whole,
      retry: whole,
      leaseMs: fc.integer({ min: 1, max: 10_000 }),
      substitute: fc.boolean(),
    },
    { requiredKeys: ['attempt', 'job', 'task', 'redo', 'retry', 'leaseMs'] },
  );
  const grants = fc
    .record({ epoch: fc.record({ term: whole, peer }), grants: fc.array(grant, { maxLength: 5 }) })
    .map((rest) => ({ kind: 'grants', ...rest }));
  const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });

  for (const [what, message] of Object.entries({ results, grants }))
    it(`R4: gives what decoding and the schema give, of the bytes of ${what} and of changed ones`, () => {
      const seen = { read: 0, changed: 0, left: 0 };
      fc.assert(
        fc.property(message, fc.option(change), (told, changed) => {
          const bytes = encode(told);
          if (changed !== null) bytes[changed.at % bytes.length] = changed.byte;
          const read = reader.readMessage(bytes);
          if (read === undefined) {
            seen.left += 1;
            return;
          }
          seen[changed === null ? 'read' : 'changed'] += 1;
          assert.deepEqual(read, decodeMessage(bytes));
          assert.deepEqual(encode(read), bytes, 'the bytes are canonical');
        }),
        { numRuns: 2_000 },
      );
      assert.ok(Math.min(...Object.values(seen)) > 50, `all of these came: ${JSON.stringify(seen)}`);
    });

  it('leaves all other messages, and ends of another kind, to the general way', () => {
    const told = {
      ...{ kind: 'result', job: plain.job, task: 1, redo: 0, retry: 0, attempt: only.attempt },
      outcome: { kind: 'stopped', reason: 'Canceled.' },
    };
    assert.equal(reader.readMessage(encode(told)), undefined);
    assert.equal(reader.readMessage(encode({ ...told, mood: 1 })), undefined);
    assert.equal(reader.readMessage(encode(plain)), undefined);
    assert.equal(reader.readMessage(new Uint8Array()), undefined);
  });
});
