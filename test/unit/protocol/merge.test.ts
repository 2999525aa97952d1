import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encode,
  knownRecordSchema,
  mergeRecords,
  mergeUnknown,
  recordKey,
  type KnownRecord,
} from '@cuadro/protocol';
import { RECORDS, taskAt } from './arbitraries.ts';

const same = (a: unknown, b: unknown) => assert.deepEqual(encode(a), encode(b));
const KINDS = Object.entries(RECORDS) as [KnownRecord['kind'], fc.Arbitrary<KnownRecord>][];

for (const [kind, record] of KINDS) {
  test(`R20: merging ${kind} records is commutative`, () => {
    fc.assert(
      fc.property(record, record, (a, b) => same(mergeRecords(a, b), mergeRecords(b, a))),
      { numRuns: 300 },
    );
  });

  test(`R20: merging ${kind} records is associative`, () => {
    fc.assert(
      fc.property(record, record, record, (a, b, c) =>
        same(mergeRecords(mergeRecords(a, b), c), mergeRecords(a, mergeRecords(b, c))),
      ),
      { numRuns: 600 },
    );
  });

  test(`R20: merging ${kind} records is idempotent, and gives back what gained nothing`, () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        assert.equal(mergeRecords(a, structuredClone(a)), a);
        const merged = mergeRecords(a, b);
        assert.equal(mergeRecords(merged, b), merged);
        assert.equal(mergeRecords(merged, a), merged);
        assert.equal(recordKey(merged), recordKey(a));
      }),
      { numRuns: 300 },
    );
  });

  test(`R26: ${kind} records keep what their schema does not know`, () => {
    fc.assert(
      fc.property(record, (a) => {
        const parsed = knownRecordSchema.safeParse(a);
        assert.ok(parsed.success, parsed.error?.message);
        same(parsed.data, a);
      }),
      { numRuns: 100 },
    );
  });
}

test('R20: records of different keys do not merge', () => {
  const [a, b] = fc.sample(taskAt(fc.constant(0)), { numRuns: 2, seed: 1 });
  assert.ok(a && b);
  assert.throws(() => mergeRecords(a, { ...b, index: 1 }), TypeError);
  assert.throws(() => mergeRecords(a, { ...b, job: `${a.job}x` }), TypeError);
  const [farm] = fc.sample(RECORDS.farm, { numRuns: 1, seed: 1 });
  assert.ok(farm);
  assert.throws(() => mergeRecords<KnownRecord>(a, farm), TypeError);
});

test('R26: unknown values of mixed shapes have one order', () => {
  const fieldLike = (counter: number, value: unknown) => ({ value, counter, peer: 'x' });
  const values = [
    fieldLike(2, ''),
    fieldLike(1, 'zzzzzzzz'),
    'a long text that beats both by bytes',
    7,
    null,
  ];
  for (const a of values) {
    for (const b of values) {
      same(mergeUnknown(a, b), mergeUnknown(b, a));
      for (const c of values) same(mergeUnknown(mergeUnknown(a, b), c), mergeUnknown(a, mergeUnknown(b, c)));
    }
  }
});

/** A replica as small as can be: it merges what it is told. */
class Replica {
  readonly records = new Map<string, KnownRecord>();

  take(record: KnownRecord): void {
    const known = this.records.get(recordKey(record));
    this.records.set(recordKey(record), known === undefined ? record : mergeRecords(known, record));
  }

  get content(): unknown {
    return Object.fromEntries(this.records);
  }
}

test('R20: shuffled, repeated and dropped deltas, then an exchange: replicas hold the same', () => {
  const anyRecord = fc.oneof(...KINDS.map(([, record]) => record), taskAt(fc.nat({ max: 3 })));
  const delivery = fc.record({ to: fc.nat({ max: 2 }), record: fc.nat({ max: 29 }) });
  fc.assert(
    fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 30 }),
      fc.array(delivery, { maxLength: 90 }),
      (deltas, deliveries) => {
        const replicas = [new Replica(), new Replica(), new Replica()] as const;
        // Each delta is made somewhere; what else arrives, where and how often is chance.
        deltas.forEach((delta, i) => replicas[(i % 3) as 0 | 1 | 2].take(delta));
        for (const { to, record } of deliveries) {
          replicas[to as 0 | 1 | 2].take(deltas[record % deltas.length] as KnownRecord);
        }
        const [first, second, third] = replicas;
        for (const [from, to] of [
          [first, second],
          [second, third],
          [third, first],
          [third, second],
        ] as const) {
          for (const record of from.records.values()) to.take(record);
        }
        same(first.content, second.content);
        same(second.content, third.content);
      },
    ),
    { numRuns: 200 },
  );
});
