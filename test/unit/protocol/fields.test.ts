import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  compareCanonical,
  COUNTER_MAX,
  counterSchema,
  emptyTask,
  heldBy,
  mergeField,
  mergeHolders,
  mergeRecords,
  mergeUnknown,
  nextCounter,
  signatureSchema,
  type Failure,
  type Field,
  type Holders,
  type JobRecord,
  type MemberRecord,
  type Removal,
} from '@cuadro/protocol';
import { JOB, jobArbitrary, PEERS, RECORDS } from './arbitraries.ts';

const [ANA, BELEN, CARMEN] = PEERS as [string, string, string];
const field = (value: unknown, counter: number, peer = ANA): Field<unknown> => ({ value, counter, peer });

describe('fields', () => {
  for (const [what, less, greater] of [
    ['the greater counter', field('z', 1, CARMEN), field('a', 2, ANA)],
    ['the greater counter, by number', field('x', 9), field('x', 10)],
    ['under one counter the greater peer', field('z', 3, ANA), field('a', 3, BELEN)],
    [
      'under one counter the greater peer, by text and not by length',
      field('z', 3, `${ANA}zz`),
      field('a', 3, BELEN),
    ],
    ['under one counter and peer the greater bytes', field('a', 3), field('b', 3)],
    ['under one counter and peer the longer text, as bytes have it', field('z', 3), field('aa', 3)],
  ] as const) {
    it(`R21: ${what} wins, in any order`, () => {
      assert.equal(mergeField(less, greater), greater);
      assert.equal(mergeField(greater, less), greater);
    });
  }

  for (const other of [
    'a long text that is greater by its bytes',
    7,
    null,
    {},
    [],
    { value: 1, counter: 9 },
  ]) {
    it(`R26: beat what is none, as ${JSON.stringify(other)}, in any order`, () => {
      const one = field('', 1);
      assert.equal(mergeUnknown(one, other), one);
      assert.equal(mergeUnknown(other, one), one);
    });
  }

  it('R21: have counters from 0 to the greatest, and whole ones', () => {
    const isCounter = (value: unknown): boolean => counterSchema.safeParse(value).success;
    assert.deepEqual([-1, 0, 1, COUNTER_MAX, COUNTER_MAX + 1, 1.5].map(isCounter), [
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('R30: have signatures of 64 bytes', () => {
    const isSignature = (length: number): boolean =>
      signatureSchema.safeParse(new Uint8Array(length)).success;
    assert.deepEqual([63, 64, 65].map(isSignature), [false, true, false]);
  });

  it('R21: no clock plays a part', () => {
    const older = { ...field('old', 2), wallTime: 5 };
    const newer = { ...field('new', 1), wallTime: 9_000_000_000_000 };
    assert.equal(mergeField(older, newer), older);
    assert.equal(mergeField(newer, older), older);
  });

  it('R21: a writer takes the highest counter that it has seen plus one, and so wins over what it saw', () => {
    assert.equal(nextCounter(undefined), 1);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 9 }), fc.constantFrom(...PEERS)), { minLength: 1 }),
        (seen) => {
          const fields = seen.map(([counter, peer], i) => field(i, counter, peer));
          const known = fields.reduce((a, b) => mergeField(a, b));
          const written = field('mine', nextCounter(known));
          for (const other of fields) assert.equal(mergeField(other, written), written);
        },
      ),
    );
  });
});

describe('sets of things written once', () => {
  const removal = (author: string, reason: string): Removal => ({
    author,
    reason,
    wallTime: 1,
    signature: new Uint8Array(64),
  });
  const member = (removals: MemberRecord['removals']): MemberRecord => ({
    kind: 'member',
    peer: CARMEN,
    name: { ...field('Carmen', 1, CARMEN), value: 'Carmen', signature: new Uint8Array(64) },
    admissions: {},
    removals,
  });

  it('R22: merge as the union of their keys', () => {
    const merged = mergeRecords(
      member({ [ANA]: removal(ANA, 'left') }),
      member({ [BELEN]: removal(BELEN, 'sold') }),
    );
    assert.deepEqual(merged.removals, { [ANA]: removal(ANA, 'left'), [BELEN]: removal(BELEN, 'sold') });
  });

  it('R22: keep the greater by bytes of two values under one key, in any order', () => {
    const [a, b] = [member({ [ANA]: removal(ANA, 'left') }), member({ [ANA]: removal(ANA, 'sold') })];
    const greater = compareCanonical(removal(ANA, 'left'), removal(ANA, 'sold')) > 0 ? 'left' : 'sold';
    assert.equal(mergeRecords(a, b).removals[ANA]?.reason, greater);
    assert.equal(mergeRecords(b, a).removals[ANA]?.reason, greater);
  });

  it('R22: of admissions, removals and requests lose no key in any merge', () => {
    const keysOf = (record: object): string[] => {
      const { admissions, removals, requests } = record as Partial<MemberRecord & JobRecord>;
      return [admissions, removals, requests].flatMap((map, i) =>
        Object.keys(map ?? {}).map((key) => `${i}${key}`),
      );
    };
    for (const record of [RECORDS.member, RECORDS.job]) {
      fc.assert(
        fc.property(record, record, (a, b) => {
          const all = new Set([...keysOf(a), ...keysOf(b)]);
          assert.deepEqual(new Set(keysOf(mergeRecords(a, b))), all);
        }),
      );
    }
  });

  it('R22: of failures join at one level', () => {
    const failure = (sequence: number): Failure => ({
      attempt: { epoch: { term: 1, peer: ANA }, sequence },
      peer: BELEN,
      cause: 'failed',
      code: 'x',
      message: 'It broke.',
      lines: [],
      wallTime: 1,
    });
    const [a, b] = [1, 2].map((n) => ({ ...emptyTask(JOB, 0), failures: { [`1.${n}.${ANA}`]: failure(n) } }));
    assert.ok(a && b);
    assert.deepEqual(mergeRecords(a, b).failures, { ...a.failures, ...b.failures });
  });
});

describe('flags', () => {
  it('R23: only ever come to be', () => {
    fc.assert(
      fc.property(fc.array(jobArbitrary, { minLength: 1, maxLength: 6 }), (records) => {
        let [known] = records as [JobRecord];
        for (const record of records) {
          const merged = mergeRecords(known, record);
          assert.equal(merged.acknowledged, known.acknowledged || record.acknowledged);
          assert.equal(merged.deleted !== undefined, (known.deleted ?? record.deleted) !== undefined);
          known = merged;
        }
      }),
    );
  });
});

describe('holders', () => {
  const holders = (held: boolean, counter: number, peer = ANA): Holders => ({ [peer]: { held, counter } });

  for (const [what, less, greater] of [
    ['the higher counter wins: given up', holders(true, 1), holders(false, 2)],
    ['the higher counter wins: held again', holders(false, 2), holders(true, 3)],
    ['of two under one counter `held` wins', holders(false, 2), holders(true, 2)],
  ] as const) {
    it(`R24: ${what}, in any order`, () => {
      assert.deepEqual(mergeHolders(less, greater), greater);
      assert.deepEqual(mergeHolders(greater, less), greater);
    });
  }

  it('R24: are entries by peer: one says nothing of another', () => {
    const merged = mergeHolders(holders(true, 1), holders(false, 9, BELEN));
    assert.deepEqual(merged, { ...holders(true, 1), ...holders(false, 9, BELEN) });
    assert.deepEqual(heldBy(merged), [ANA]);
  });

  it('R24: are told in one order, whoever was heard of first', () => {
    const all = [CARMEN, ANA, BELEN].reduce<Holders>(
      (known, peer) => mergeHolders(known, holders(true, 1, peer)),
      {},
    );
    assert.deepEqual(heldBy(all), [ANA, BELEN, CARMEN]);
  });
});
