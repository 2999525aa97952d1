import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  admissionKey,
  leavingOf,
  lobbyAddress,
  members,
  mergeRecords,
  proofOf,
  sameWords,
  threeWords,
  typedAddress,
  WORDS,
  wordsOf,
  type Admission,
  type FarmRecord,
  type MemberRecord,
  type MemberRole,
} from '@cuadro/protocol';

const FARM = 'farmfarmfarmfarm';
const OTHER = 'othrothrothrothr';
const signature = new Uint8Array(64);
const peer = (name: string): string => `12D3KooW${name.padEnd(12, 'x')}`;
const [ANA, BELEN, CARMEN, DIEGO, EVA] = ['Ana', 'Belen', 'Carmen', 'Diego', 'Eva'].map(peer) as [
  string,
  string,
  string,
  string,
  string,
];
const PEERS = [ANA, BELEN, CARMEN, DIEGO, EVA];
const farm: FarmRecord = {
  kind: 'farm',
  id: FARM,
  founder: ANA,
  name: { value: 'farm', counter: 1, peer: ANA },
};

const blank = (of: string): MemberRecord => ({
  kind: 'member',
  peer: of,
  name: { value: of.slice(8), counter: 1, peer: of, signature },
  admissions: {},
  removals: {},
});

function admitted(of: string, by: string, role: MemberRole = 'artist', to = FARM): MemberRecord {
  const admission: Admission = { author: by, signature, role, farm: to, wallTime: 1 };
  return { ...blank(of), admissions: { [admissionKey(admission)]: admission } };
}

function removed(of: string, by: string, stands: string[] = []): MemberRecord {
  const removal = { author: by, signature, reason: 'why', wallTime: 2, stands };
  return { ...blank(of), removals: { [by]: removal } };
}

function joined(parts: readonly MemberRecord[]): MemberRecord[] {
  const records = new Map<string, MemberRecord>();
  for (const part of parts) {
    const known = records.get(part.peer);
    records.set(part.peer, known === undefined ? part : mergeRecords(known, part));
  }
  return [...records.values()];
}

const now = (...parts: MemberRecord[]): string[] =>
  [...members(farm, joined([blank(ANA), ...parts])).members.keys()]
    .map((of) => of.slice(8).replace(/x+$/, ''))
    .sort();

describe('members (R63)', () => {
  test('the founder is one, and whoever it and those after it admit', () => {
    assert.deepEqual(now(), ['Ana']);
    assert.deepEqual(now(admitted(BELEN, ANA), admitted(CARMEN, BELEN)), ['Ana', 'Belen', 'Carmen']);
  });

  test('an admission counts only by a member, and only to this farm', () => {
    assert.deepEqual(now(admitted(BELEN, CARMEN), admitted(CARMEN, BELEN), admitted(DIEGO, DIEGO)), ['Ana']);
    assert.deepEqual(now(admitted(BELEN, ANA, 'artist', OTHER)), ['Ana']);
  });

  test('only artists admit and remove; of two roles artist counts', () => {
    assert.deepEqual(now(admitted(BELEN, ANA, 'machine'), admitted(CARMEN, BELEN)), ['Ana', 'Belen']);
    assert.deepEqual(now(admitted(BELEN, ANA, 'machine'), removed(ANA, BELEN)), ['Ana', 'Belen']);
    const both = [admitted(BELEN, ANA), admitted(CARMEN, ANA, 'machine'), admitted(CARMEN, BELEN)];
    assert.equal(members(farm, joined(both)).members.get(CARMEN)?.role, 'artist');
  });

  test('R160: whoever is a member may remove itself, and what it said of others stands', () => {
    const joinedOnes = [admitted(BELEN, ANA), admitted(CARMEN, BELEN, 'machine')];
    assert.deepEqual(now(...joinedOnes, removed(CARMEN, CARMEN)), ['Ana', 'Belen']);
    assert.deepEqual(now(...joinedOnes, removed(BELEN, BELEN, [CARMEN])), ['Ana', 'Carmen']);
    assert.deepEqual(now(...joinedOnes, removed(ANA, ANA, [BELEN])), ['Belen', 'Carmen']);
    assert.deepEqual(now(...joinedOnes, removed(DIEGO, DIEGO)), ['Ana', 'Belen', 'Carmen']);
  });

  test('R161: a machine is to leave by its own word or that of an artist', () => {
    const { members: all } = members(
      farm,
      joined([blank(ANA), admitted(BELEN, ANA), admitted(CARMEN, ANA, 'machine')]),
    );
    const leaving = (of: string, by: string, wanted = true) =>
      leavingOf(all, {
        kind: 'node',
        peer: of,
        fields: { leaving: { value: { wanted, reason: 'sold' }, counter: 1, peer: by, signature } },
      })?.reason;
    assert.equal(leaving(CARMEN, CARMEN), 'sold');
    assert.equal(leaving(CARMEN, BELEN), 'sold');
    assert.equal(leaving(BELEN, CARMEN), undefined);
    assert.equal(leaving(BELEN, DIEGO), undefined);
    assert.equal(leaving(BELEN, BELEN, false), undefined);
    assert.equal(leavingOf(all, undefined), undefined);
  });

  test('what proves a member is the line of its admitters', () => {
    const records = joined([
      blank(ANA),
      admitted(BELEN, ANA),
      admitted(CARMEN, BELEN),
      admitted(DIEGO, CARMEN),
      admitted(EVA, ANA),
    ]);
    const proof = proofOf(farm, new Map(records.map((record) => [record.peer, record])), DIEGO);
    assert.deepEqual(
      proof.map((record) => record.peer),
      [DIEGO, CARMEN, BELEN, ANA],
    );
    assert.ok(members(farm, proof).members.has(DIEGO));
  });
});

describe('removals (R35, R64, R65)', () => {
  test('a removal is final, whoever admits the removed one again', () => {
    const gone = [admitted(BELEN, ANA), removed(BELEN, ANA)];
    assert.deepEqual(now(...gone, admitted(CARMEN, ANA), admitted(BELEN, CARMEN)), ['Ana', 'Carmen']);
  });

  test('what the removed one signed counts where the remover knew it', () => {
    const signed = [admitted(BELEN, ANA), admitted(CARMEN, BELEN), admitted(DIEGO, BELEN)];
    assert.deepEqual(now(...signed, removed(BELEN, ANA)), ['Ana']);
    assert.deepEqual(now(...signed, removed(BELEN, ANA, [CARMEN])), ['Ana', 'Carmen']);
    const knewEach = [admitted(EVA, ANA), removed(BELEN, ANA, [CARMEN]), removed(BELEN, EVA, [DIEGO])];
    assert.deepEqual(now(...signed, ...knewEach), ['Ana', 'Carmen', 'Diego', 'Eva']);
  });

  test("a removed one's removals are void, except where the remover knew them", () => {
    const signed = [admitted(BELEN, ANA), admitted(CARMEN, ANA), removed(CARMEN, BELEN)];
    assert.deepEqual(now(...signed, removed(BELEN, ANA)), ['Ana', 'Carmen']);
    assert.deepEqual(now(...signed, removed(BELEN, ANA, [CARMEN])), ['Ana']);
    assert.deepEqual(wordsOf(BELEN, joined(signed)), [CARMEN]);
  });

  test('of two that remove each other the one nearer to the founder stays', () => {
    const chain = [admitted(BELEN, ANA), admitted(CARMEN, BELEN)];
    assert.deepEqual(now(...chain, removed(BELEN, CARMEN), removed(CARMEN, BELEN, [])), ['Ana', 'Belen']);
    assert.deepEqual(now(...chain, removed(ANA, CARMEN, [BELEN])), ['Belen', 'Carmen']);
    const peers = [admitted(BELEN, ANA), admitted(CARMEN, ANA)];
    assert.deepEqual(now(...peers, removed(BELEN, CARMEN), removed(CARMEN, BELEN)), ['Ana', 'Belen']);
  });

  test('a removal by one that is no member has no effect', () => {
    assert.deepEqual(now(admitted(BELEN, ANA), removed(ANA, DIEGO), removed(BELEN, EVA)), ['Ana', 'Belen']);
  });
});

describe('whatever the records say', () => {
  const part = fc.oneof(
    fc.record({
      of: fc.constantFrom(...PEERS),
      by: fc.constantFrom(...PEERS),
      role: fc.constantFrom<MemberRole>('artist', 'artist', 'machine'),
      to: fc.constantFrom(FARM, FARM, FARM, OTHER),
    }),
    fc.record({
      of: fc.constantFrom(...PEERS),
      by: fc.constantFrom(...PEERS),
      stands: fc.subarray(PEERS),
    }),
  );
  const toRecord = (one: { of: string; by: string; role?: MemberRole; to?: string; stands?: string[] }) =>
    one.stands === undefined
      ? admitted(one.of, one.by, one.role, one.to)
      : removed(one.of, one.by, one.stands);

  test('their order does not matter, nobody is both in and out, and no outsider counts (R20, R63, R64)', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), fc.nat(), (parts, turn) => {
        const records = parts.map(toRecord);
        const at = records.length === 0 ? 0 : turn % records.length;
        const turned = [...records.slice(at), ...records.slice(0, at)].reverse();
        const derived = members(farm, joined(records));
        assert.deepEqual(members(farm, joined([...turned, ...records]).reverse()), derived);
        for (const gone of derived.removed.keys()) assert.ok(!derived.members.has(gone));
        for (const { peer: of, admittedBy } of derived.members.values()) {
          if (of === ANA) continue;
          const admitter = derived.members.get(admittedBy ?? '') ?? derived.removed.get(admittedBy ?? '');
          assert.ok(admitter !== undefined, `${of} was admitted by nobody`);
        }
        for (const { by } of derived.removed.values()) {
          assert.ok(
            derived.members.has(by) || derived.removed.has(by),
            `${by} removed one, and was never in`,
          );
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('without removals, members are those that the founder reaches by artists (R63)', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
        const admissions = parts.flatMap((one) => ('stands' in one ? [] : [one]));
        // The naive way: add whoever an artist admits until nothing changes.
        const artists = new Set([ANA]);
        for (let i = 0; i <= admissions.length; i++)
          for (const { of, by, role, to } of admissions)
            if (to === FARM && role === 'artist' && artists.has(by)) artists.add(of);
        const all = new Set(artists);
        for (const { of, by, to } of admissions) if (to === FARM && artists.has(by)) all.add(of);
        const derived = members(farm, joined(admissions.map(toRecord))).members;
        // One author's two roles for one peer are one entry, of which the merge keeps one.
        const doubled = new Set(
          admissions.filter(
            (one) =>
              one.to === FARM &&
              admissions.some(
                (two) => two.of === one.of && two.by === one.by && two.role !== one.role && two.to === FARM,
              ),
          ),
        );
        fc.pre(doubled.size === 0);
        assert.deepEqual([...derived.keys()].sort(), [...all].sort());
      }),
    );
  });
});

describe('three words (R67)', () => {
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

  test('the list holds 256 short, different words of plain letters', () => {
    assert.equal(WORDS.length, 256);
    assert.equal(new Set(WORDS).size, 256);
    for (const word of WORDS) assert.match(word, /^[a-z]{3,8}$/);
  });

  test('they are the same wherever they are made, and others for another machine or farm', () => {
    const words = threeWords(BELEN, FARM, sha256);
    assert.equal(words, threeWords(BELEN, FARM, sha256));
    assert.notEqual(words, threeWords(CARMEN, FARM, sha256));
    assert.notEqual(words, threeWords(BELEN, OTHER, sha256));
    assert.equal(words, 'river nut ladder');
  });

  test('they are read however they are typed', () => {
    assert.ok(sameWords('amber piano river', ' Amber-piano, RIVER'));
    for (const other of ['amber piano', 'piano amber river', '', 'amberpiano river'])
      assert.ok(!sameWords('amber piano river', other));
    assert.ok(!sameWords('', ''));
  });
});

test('addresses of lobbies are read as people type them, and shown so (R68)', () => {
  const table: [string, string | undefined][] = [
    ['192.168.1.5', '/ip4/192.168.1.5/tcp/7790'],
    [' 192.168.1.5:8000 ', '/ip4/192.168.1.5/tcp/8000'],
    ['[fe80::1]:8000', '/ip6/fe80::1/tcp/8000'],
    ['fe80::1', '/ip6/fe80::1/tcp/7790'],
    ['studio.local', '/dns/studio.local/tcp/7790'],
    ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1'],
    ['/ip4/10.0.0.1/tcp/1/p2p/12D3', '/ip4/10.0.0.1/tcp/1/p2p/12D3'],
    ['192.168.1.500', undefined],
    ['192.168.1.5:0', undefined],
    ['192.168.1.5:70000', undefined],
    ['http://studio', undefined],
    ['/ip4/10.0.0.1/udp/1', undefined],
    ['a b', undefined],
    ['', undefined],
  ];
  for (const [text, address] of table) {
    assert.equal(lobbyAddress(text), address, text);
    if (address !== undefined)
      assert.equal(lobbyAddress(typedAddress(address)), address.replace(/\/p2p.*/, ''));
  }
});
