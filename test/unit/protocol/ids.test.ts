import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  attemptIdSchema,
  attemptKey,
  blobHashSchema,
  compareAttempts,
  compareEpochs,
  compareText,
  farmIdSchema,
  jobIdSchema,
  parseAttemptKey,
  peerIdSchema,
  recordKey,
  signField,
  taskIndexSchema,
  taskKey,
  type AttemptId,
  type MemberRecord,
} from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { createVerifier, identityOf, temporaryIdentity } from '../../../node/src/system/identity.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { PEERS } from './arbitraries.ts';

const [ANA, BELEN] = PEERS as [string, string];
const at = (term: number, sequence: number, peer = ANA): AttemptId => ({ epoch: { term, peer }, sequence });

describe('identity', () => {
  it('R1: is the Ed25519 public key that the peer id holds, in base58', () => {
    const seed = new Uint8Array(32).fill(7);
    const identity = identityOf(seed);
    const { peer } = identity;
    // The peer id that libp2p itself gives for this seed.
    assert.equal(peer, '12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7');
    assert.ok(peerIdSchema.safeParse(peer).success);
    const bytes = Uint8Array.of(1, 2, 3);
    const verify = createVerifier();
    assert.ok(verify(peer, bytes, identity.sign(bytes)), 'the peer id alone is enough to check a signature');
    assert.equal(verify(temporaryIdentity().peer, bytes, identity.sign(bytes)), false);
  });

  it('R1: does not depend on the name: two machines of one name are two, and one that is renamed stays one', () => {
    const member = (peer: string, name: string, counter = 1): MemberRecord => ({
      kind: 'member',
      peer,
      name: signField({ peer, sign: () => new Uint8Array(64) }, 'member-name', `${peer}/name`, name, counter),
      admissions: {},
      removals: {},
    });
    assert.notEqual(recordKey(member(ANA, 'studio')), recordKey(member(BELEN, 'studio')));
    assert.equal(recordKey(member(ANA, 'studio')), recordKey(member(ANA, 'attic', 2)));
  });

  for (const text of [
    '',
    'studio',
    '12D3KooW0aaaaaaaaaaa',
    '12D3KooWlaaaaaaaaaaa',
    '192.168.1.20',
    `1${'A'.repeat(64)}`,
  ]) {
    it(`R1: ${JSON.stringify(text)} is no peer id`, () => {
      assert.equal(peerIdSchema.safeParse(text).success, false);
    });
  }
});

describe('ids', () => {
  for (const [text, good] of [
    ['abcdefghijklmn27', true],
    ['abcdefghijklmn2', false],
    ['abcdefghijklmn277', false],
    ['ABCDEFGHIJKLMN27', false],
    ['abcdefghijklmn18', false],
    ['abcdefghijklmn-7', false],
  ] as const) {
    it(`R2: ${text} is ${good ? 'an' : 'no'} id of a job or a farm`, () => {
      assert.equal(jobIdSchema.safeParse(text).success, good);
      assert.equal(farmIdSchema.safeParse(text).success, good);
    });
  }

  it('R2: are made at random and never twice', () => {
    const random = createSystemRandom();
    const made = new Set(Array.from({ length: 1_000 }, () => random.name(16)));
    assert.equal(made.size, 1_000);
    for (const id of made) assert.ok(jobIdSchema.safeParse(id).success, id);
    assert.equal(new Set([...made].join('')).size, 32, 'every letter of the alphabet is used');
  });

  it('R2: of a blob are the SHA-256 of its bytes in lower-case hexadecimal', async () => {
    const bytes = new TextEncoder().encode('olé');
    const blobs = createMemoryBlobStore();
    await blobs.start();
    const { hash } = await blobs.putBytes(bytes);
    await blobs.stop();
    assert.equal(hash, createHash('sha256').update(bytes).digest('hex'));
    assert.ok(blobHashSchema.safeParse(hash).success);
    for (const bad of [hash.toUpperCase(), hash.slice(1), `${hash}0`, `g${hash.slice(1)}`]) {
      assert.equal(blobHashSchema.safeParse(bad).success, false, bad);
    }
  });

  it('R2: of tasks are the job and the index from 0, and sort as the tasks do', () => {
    const indices = [0, 9, 10, 100, 999_999, 4_294_967_295];
    const keys = indices.map((index) => taskKey('abcdefghijklmn27', index));
    assert.equal(keys[0], 'task/abcdefghijklmn27/0000000000');
    assert.deepEqual([...keys].reverse().sort(compareText), keys);
    for (const index of indices) assert.ok(taskIndexSchema.safeParse(index).success);
    for (const bad of [-1, 0.5, 4_294_967_296]) assert.equal(taskIndexSchema.safeParse(bad).success, false);
  });

  it("R2: text is ordered by UTF-16 code units, not by a language's rules", () => {
    const ordered = ['', 'A', 'Z', 'Za', 'a', 'a\u0301', 'b', '\u00e1', '\u{1f483}', '\ufffd'];
    assert.deepEqual([...ordered].reverse().sort(compareText), ordered);
    assert.equal(compareText('a', 'a'), 0);
    assert.ok('á'.localeCompare('b', 'es') < 0, 'a language would have it otherwise');
  });
});

describe('attempts', () => {
  const ordered = [
    at(1, 1),
    at(1, 2),
    at(1, 10),
    at(1, 1, BELEN),
    at(2, 1),
    at(2, 3),
    at(10, 1),
    at(10, 1, BELEN),
  ];

  it('R41: are ordered by epoch, then by sequence', () => {
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries())
        assert.equal(Math.sign(compareAttempts(a, b)), Math.sign(i - j));
    }
  });

  it('R41: belong to an epoch, which is ordered by term, then by peer', () => {
    assert.ok(compareEpochs({ term: 2, peer: ANA }, { term: 1, peer: BELEN }) > 0);
    assert.ok(compareEpochs({ term: 2, peer: ANA }, { term: 2, peer: BELEN }) < 0);
  });

  it('R41: read `term.sequence.peer` as text, each its own, and are read back', () => {
    assert.equal(attemptKey(at(7, 12)), `7.12.${ANA}`);
    assert.equal(new Set(ordered.map(attemptKey)).size, ordered.length);
    for (const attempt of ordered) {
      assert.ok(attemptIdSchema.safeParse(attempt).success);
      assert.deepEqual(parseAttemptKey(attemptKey(attempt)), attempt);
    }
  });

  for (const text of [
    '',
    '1.1',
    `1.${ANA}`,
    `1.1.${ANA} `,
    `-1.1.${ANA}`,
    `1.x.${ANA}`,
    '1.1.studio',
    `1.1.1.${ANA}`,
  ]) {
    it(`R41: ${JSON.stringify(text)} is no attempt`, () => {
      assert.equal(parseAttemptKey(text), undefined);
    });
  }
});
