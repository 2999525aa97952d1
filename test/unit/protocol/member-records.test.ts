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
  type Removal,
} from '@cuadro/protocol';
import { signer } from '../core/farm.ts';
import { FARM, PEERS } from './arbitraries.ts';

const [ANA, BELEN, CARMEN] = PEERS as [string, string, string];
const OTHER_FARM = 'cccccccccccccccc';

const admission = (author: string, role: 'artist' | 'machine' = 'machine') => ({
  [author]: signAdmission(signer(author), CARMEN, { role, wallTime: 1 }),
});
const mark = (byte: number, length = 16) => new Uint8Array(length).fill(byte);
const removal = (author: string, jobs = [mark(0)]) => ({
  [author]: signRemoval(signer(author), CARMEN, { reason: 'sold', jobs, wallTime: 2 }),
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
      member({ removals: removal(ANA, [mark(7)]) }),
      member({ removals: removal(BELEN, [mark(9)]) }),
    ].reduce(mergeRecords, member());
    assert.deepEqual(Object.keys(merged.admissions).sort(), [ANA, BELEN]);
    assert.equal(merged.admissions[BELEN]?.role, 'artist');
    assert.deepEqual([merged.removals[ANA]?.jobs, merged.removals[BELEN]?.jobs], [[mark(7)], [mark(9)]]);
    assert.ok(memberRecordSchema.safeParse(merged).success);
  });

  it('R35: once removed stay so, whatever is admitted again or forgotten elsewhere', () => {
    const removed = mergeRecords(member(), member({ removals: removal(ANA) }));
    for (const other of [member(), member({ admissions: admission(BELEN) }), member({ admissions: {} })]) {
      assert.deepEqual(mergeRecords(removed, other).removals, removed.removals);
      assert.deepEqual(mergeRecords(other, removed).removals, removed.removals);
    }
  });

  for (const [what, jobs, good] of [
    ['names a job that the remover knew', [mark(1)], true],
    ['says that it knew none', [], true],
    ['says nothing of jobs', undefined, true],
    ['names half a job', [mark(1, 8)], false],
    ['names jobs by words', ['a job'], false],
    ['names more jobs than one may', Array(1_001).fill(mark(1)), false],
  ] as const) {
    it(`R35, R143: a removal that ${what} is ${good ? 'one' : 'none'}`, () => {
      const { jobs: _named, ...rest } = removal(ANA)[ANA] as Removal;
      const record = member({ removals: { [ANA]: { ...rest, ...(jobs && { jobs }) } as never } });
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
