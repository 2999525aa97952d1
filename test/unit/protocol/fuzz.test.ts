import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ZodError } from 'zod';
import {
  blobsAnswerSchema,
  bundleSchema,
  compileJob,
  CuadroError,
  decode,
  decodeMessage,
  encode,
  holdAnswerSchema,
  holdRequestSchema,
  knownRecordSchema,
  type KnownRecord,
  JOB_TYPES,
  lobbyAddress,
  lobbyAnswerSchema,
  lobbyRequestSchema,
  MalformedBytesError,
  mergeRecords,
  parseAttemptKey,
  parseFrames,
  messageSchema,
  planSchema,
  readBundle,
  RecordBytes,
  recordKey,
  syncAnswerSchema,
  syncRequestSchema,
  typedAddress,
  verifyRecord,
} from '@cuadro/protocol';
import { decodePieces } from '../../../node/src/blobs/pieces.ts';
import { parseAddress, plainAddress } from '../../../node/src/mesh/addresses.ts';
import { readAnnouncement } from '../../../node/src/mesh/announcement.ts';
import { FrameDecoder, FrameError } from '../../../node/src/mesh/frames.ts';
import { decodeHello } from '../../../node/src/mesh/hello.ts';
import { RecordDoor } from '../../../node/src/replicas/door.ts';
import { recordFromBytes } from '../../../node/src/store/record-bytes.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import { PEERS, RECORDS } from './arbitraries.ts';
import { changedAt, placesIn } from './newer-versions.ts';

/** Nothing that a peer, a disk or a person sends makes a decoder or a verifier throw but what it says it throws. */

const RUNS = { numRuns: 1_500 };
const anyRecord = fc.oneof(...Object.values(RECORDS));
/** Whatever canonical bytes can carry. */
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, undefined, true, 0, -1, '', 'x', Number.MAX_SAFE_INTEGER, new Uint8Array(64)),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant({ peer: PEERS[0], counter: 1, value: 1 }),
  fc.constant({ peer: PEERS[0], counter: 1, value: 1, signature: 'none' }),
  fc.constant({ peer: 7, counter: 1, value: 1, signature: new Uint8Array(64) }),
  fc.record({ author: fc.constantFrom(...PEERS), signature: fc.uint8Array({ maxLength: 65 }) }),
);
/** A record in which something stands that no version has put there. */
const strangeRecord = fc
  .tuple(anyRecord, fc.nat(), fc.constantFrom('x', 'constructor', 'signature', 'peer', ''), anyValue)
  .map(([record, at, name, value]) => {
    const places = placesIn(record);
    const place = places[at % places.length] ?? [];
    return changedAt(record, [...place, name], () => value) as KnownRecord;
  });
const verify = createVerifier();

describe('records of the right form, with anything in the places that this version does not know', () => {
  it('R30: are signed or not, and never more than that', () => {
    let taken = 0;
    fc.assert(
      fc.property(strangeRecord, (record) => {
        if (!knownRecordSchema.safeParse(record).success) return;
        taken += 1;
        assert.equal(typeof verifyRecord(record, verify), 'boolean');
      }),
      RUNS,
    );
    assert.ok(taken > RUNS.numRuns / 4, `${taken} records had the right form`);
  });

  it('R30: are refused where a field of a newer version has no signature', () => {
    const cases: unknown[] = [
      null,
      7,
      'text',
      [],
      {},
      new Uint8Array(64),
      { peer: PEERS[0] },
      { peer: PEERS[0], signature: 'text' },
      { peer: PEERS[0], signature: new Uint8Array(63) },
      { peer: null, signature: new Uint8Array(64) },
    ];
    for (const x of cases) {
      const node = { kind: 'node', peer: PEERS[0], fields: { x } } as unknown as KnownRecord;
      assert.ok(knownRecordSchema.safeParse(node).success, 'the form is that of a record');
      assert.equal(verifyRecord(node, verify), false);
      assert.equal(
        verifyRecord(node, () => true),
        false,
        'even where every signature is good',
      );
    }
  });

  it('R30: are refused where they nest deeper than can be encoded', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    const x = { peer: PEERS[0], signature: new Uint8Array(64), value: deep };
    const node = { kind: 'node', peer: PEERS[0], fields: { x } } as unknown as KnownRecord;
    assert.equal(
      verifyRecord(node, () => true),
      false,
    );
  });

  it('R20: merge with what was there before', () => {
    fc.assert(
      fc.property(strangeRecord, anyRecord, (strange, record) => {
        if (!knownRecordSchema.safeParse(strange).success || recordKey(strange) !== recordKey(record)) return;
        const merged = mergeRecords(record, strange);
        assert.deepEqual(encode(merged), encode(mergeRecords(strange, record)));
      }),
      RUNS,
    );
  });

  it('R3, R4: are read or refused at the door and from the disk', () => {
    const door = new RecordDoor({ verify, bytes: new RecordBytes(), held: () => undefined });
    fc.assert(
      fc.property(strangeRecord, (record) => {
        const bytes = encode(record);
        assert.ok(['record', 'refused'].includes(door.read(bytes).kind));
        recordFromBytes(bytes);
      }),
      RUNS,
    );
  });
});

describe('objects whose `length` is one that cannot be compared', () => {
  const strange = { length: { toString: '' } };
  const bytes = encode({ kind: 'grants', epoch: strange, grants: strange });

  it('R4: are no message, no record, no bundle and no settings', () => {
    assert.throws(() => messageSchema.safeParse(decode(bytes)), TypeError);
    assert.equal(decodeMessage(bytes), undefined);
    const door = new RecordDoor({ verify, bytes: new RecordBytes(), held: () => undefined });
    assert.equal(door.read(encode({ kind: 'job', id: strange })).kind, 'refused');
    assert.throws(() => readBundle(encode({ files: strange })), ZodError);
    for (const type of JOB_TYPES.values())
      assert.throws(() => compileJob(type, { frames: strange, message: strange }), CuadroError);
  });
});

describe('bytes of any kind', () => {
  const mutated = fc
    .tuple(
      fc.oneof(
        anyRecord,
        anyValue.map((value) => value ?? null),
      ),
      fc.nat(),
      fc.nat({ max: 255 }),
    )
    .map(([value, at, byte]) => encode(value).map((old, i, all) => (i === at % all.length ? byte : old)));
  const anyBytes = fc.oneof(mutated, fc.uint8Array({ maxLength: 200 }));
  /** Each with the errors that it says it throws. */
  const decoders: readonly [string, (bytes: Uint8Array) => unknown, (new (...args: never[]) => Error)?][] = [
    ['decode', decode, MalformedBytesError],
    ['decodeMessage', decodeMessage],
    ['decodeHello', decodeHello],
    ['recordFromBytes', recordFromBytes],
    ['decodePieces', (bytes) => decodePieces('a'.repeat(64), 2 ** 21, bytes)],
    ['frames of the kept-open stream', (bytes) => [...new FrameDecoder(1_000).decode(bytes)], FrameError],
    [
      'announcements',
      (bytes) =>
        readAnnouncement('cuadro', {
          name: `${PEERS[0]}._cuadro._tcp.local`,
          type: 'TXT',
          ttl: 1,
          data: [bytes],
        }),
    ],
    [
      'the door',
      (bytes) => new RecordDoor({ verify, bytes: new RecordBytes(), held: () => undefined }).read(bytes),
    ],
  ];
  for (const [name, read, documented] of decoders) {
    it(`R4: do nothing to ${name} but what it says`, () => {
      fc.assert(
        fc.property(anyBytes, (bytes) => {
          try {
            read(bytes);
          } catch (error) {
            assert.ok(documented !== undefined && error instanceof documented, String(error));
          }
        }),
        RUNS,
      );
    });
  }

  it('R4: nested 200,000 deep are refused by all of them', () => {
    for (const byte of [0x81, 0xa1]) {
      const deep = new Uint8Array(200_000).fill(byte);
      for (const [name, read, documented] of decoders) {
        try {
          read(deep);
        } catch (error) {
          assert.ok(documented !== undefined && error instanceof documented, `${name}: ${String(error)}`);
        }
      }
    }
  });
});

describe('values and texts of any kind', () => {
  const schemas = {
    blobsAnswerSchema,
    bundleSchema,
    holdAnswerSchema,
    holdRequestSchema,
    lobbyAnswerSchema,
    lobbyRequestSchema,
    planSchema,
    syncAnswerSchema,
    syncRequestSchema,
  };
  for (const [name, schema] of Object.entries(schemas)) {
    it(`are refused or not by ${name}`, () => {
      const kinds = fc.constantFrom(
        'who',
        'join',
        'present',
        'dissolve',
        'admitted',
        'held',
        'root',
        'records',
      );
      const kinded = fc
        .tuple(kinds, fc.dictionary(fc.constantFrom('members', 'farm', 'items', 'name', 'mesh'), anyValue))
        .map(([kind, rest]) => ({ ...rest, kind }));
      fc.assert(
        fc.property(fc.oneof(anyValue, anyRecord, kinded), (value) => {
          assert.equal(typeof schema.safeParse(value).success, 'boolean');
        }),
        { numRuns: 300 },
      );
    });
  }

  it('R10: are frames, or refused with the code for it', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[-0-9, :]{0,20}$/),
      fc.constantFrom('__proto__', '1-1:0', '1-', '9'.repeat(400)),
    );
    fc.assert(
      fc.property(text, (frames) => {
        parseAttemptKey(frames);
        lobbyAddress(frames);
        typedAddress(frames);
        parseAddress(frames);
        plainAddress(frames);
        try {
          parseFrames(frames);
        } catch (error) {
          assert.ok(error instanceof CuadroError && error.code === 'frames-invalid', String(error));
        }
      }),
      RUNS,
    );
  });
});
