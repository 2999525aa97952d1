import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  farmRecordSchema,
  memberRecordSchema,
  mergeRecords,
  signAdmission,
  signField,
  signRemoval,
  type FarmRecord,
  type MemberRecord,
} from '@cuadro/protocol';
import { signer } from '../core/farm.ts';
import { FARM, PEERS } from './arbitraries.ts';

const [ANA, BELEN, CARMEN] = PEERS as [string, string, string];
const OTHER_FARM = 'cccccccccccccccc';

const admission = (author: string, role: 'artist' | 'machine' = 'machine') => ({
  [author]: signAdmission(signer(author), CARMEN, { role, wallTime: 1 }),
});
const removal = (author: string, known = 0) => ({
  [author]: signRemoval(signer(author), CARMEN, { reason: 'sold', known, wallTime: 2 }),
});
const member = (changes: Partial<MemberRecord> = {}): MemberRecord => ({
  kind: 'member',
  peer: CARMEN,
  name: signField(signer(CARMEN), 'member-name', `${CARMEN}/name`, 'Carmen', 1),
  admissions: admission(ANA),
  removals: {},
  ...changes,
});

describe('members', () => {
  it('R35: hold who admitted and who removed them, by author', () => {
    const merged = [
      member({ admissions: admission(BELEN, 'artist') }),
      member({ removals: removal(ANA, 7) }),
      member({ removals: removal(BELEN, 9) }),
    ].reduce(mergeRecords, member());
    assert.deepEqual(Object.keys(merged.admissions).sort(), [ANA, BELEN]);
    assert.equal(merged.admissions[BELEN]?.role, 'artist');
    assert.deepEqual([merged.removals[ANA]?.known, merged.removals[BELEN]?.known], [7, 9]);
    assert.ok(memberRecordSchema.safeParse(merged).success);
  });

  it('R35: once removed stay so, whatever is admitted again or forgotten elsewhere', () => {
    const removed = mergeRecords(member(), member({ removals: removal(ANA) }));
    for (const other of [member(), member({ admissions: admission(BELEN) }), member({ admissions: {} })]) {
      assert.deepEqual(mergeRecords(removed, other).removals, removed.removals);
      assert.deepEqual(mergeRecords(other, removed).removals, removed.removals);
    }
  });

  for (const [what, known, good] of [
    ['what the remover knew', 12, true],
    ['that it knew nothing', 0, true],
    ['less than nothing', -1, false],
    ['half a write', 0.5, false],
    ['nothing at all', undefined, false],
  ] as const) {
    it(`R35: a removal that counts ${what} is ${good ? 'one' : 'none'}`, () => {
      const record = member({ removals: { [ANA]: { ...removal(ANA)[ANA], known } as never } });
      assert.equal(memberRecordSchema.safeParse(record).success, good);
    });
  }

  for (const [what, change] of [
    ['a role that there is not', { admissions: { [ANA]: { ...admission(ANA)[ANA], role: 'owner' } } }],
    [
      'an admission that nobody signed',
      { admissions: { [ANA]: { role: 'artist', author: ANA, wallTime: 1 } } },
    ],
    ['a removal by no peer', { removals: { studio: removal(ANA)[ANA] } }],
  ] as const) {
    it(`R35: ${what} is refused`, () => {
      assert.equal(memberRecordSchema.safeParse({ ...member(), ...change }).success, false);
    });
  }
});

describe('farms that merge', () => {
  const farm = (into?: { id: string; counter: number }): FarmRecord => ({
    kind: 'farm',
    id: FARM,
    founder: ANA,
    name: { value: 'tablao', counter: 1, peer: ANA },
    ...(into && { mergedInto: { value: into.id, counter: into.counter, peer: BELEN } }),
  });

  it('R36: name the farm that they dissolved into, and every replica comes to know it', () => {
    const merged = farm({ id: OTHER_FARM, counter: 1 });
    assert.equal(mergeRecords(farm(), merged).mergedInto?.value, OTHER_FARM);
    assert.equal(mergeRecords(merged, farm()).mergedInto?.value, OTHER_FARM);
    assert.ok(farmRecordSchema.safeParse(merged).success);
  });

  it('R36: name one of two by the counter, as fields do', () => {
    const [early, late] = [
      farm({ id: OTHER_FARM, counter: 1 }),
      farm({ id: 'dddddddddddddddd', counter: 2 }),
    ];
    assert.equal(mergeRecords(early, late).mergedInto?.value, 'dddddddddddddddd');
    assert.equal(mergeRecords(late, early).mergedInto?.value, 'dddddddddddddddd');
  });

  it('R36: name nothing that is no farm', () => {
    assert.equal(farmRecordSchema.safeParse(farm({ id: 'tablao', counter: 1 })).success, false);
  });
});
