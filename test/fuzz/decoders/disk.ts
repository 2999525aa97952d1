import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import {
  configSchema,
  CuadroError,
  encode,
  isSurelyCanonical,
  knownRecordSchema,
  recordKey,
} from '@cuadro/protocol';
import { decodePieces, encodePieces, manifestOf } from '../../../node/src/blobs/pieces.ts';
import { CollectionNotes, noteFromText } from '../../../node/src/jobs/notes.ts';
import { jsonOfLocal, localFromText, localToText } from '../../../node/src/store/local-text.ts';
import { recordFromBytes, recordToBytes } from '../../../node/src/store/record-bytes.ts';
import { configPath, defaultConfig, loadConfig } from '../../../node/src/system/config.ts';
import { nodeFilePath, readNodeFile, signinAddress } from '../../../node/src/system/node-file.ts';
import { decoder, demand, type Decoder, type Reader, refusingLater, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { mutateBytes } from '../mutate.ts';
import { bytesLike, cborLike, jsonLike, jsonOf } from '../sources.ts';
import { validOf } from '../valid.ts';
import type { Wild } from '../wild-cbor.ts';
import { inFolder } from './own-folder.ts';
import { signedRecords } from './signed-records.ts';

/** Files that a power cut, another program or an older version left. */

const anyRecord = (dice: Dice): Wild =>
  dice.once(3) ? validOf(knownRecordSchema)(dice) : (dice.pick(signedRecords) as unknown as Wild);
const records = cborLike(anyRecord);

/** Both formats of the store: bare bytes, and those with a checksum, which is right more often than not. */
function storedRecord(dice: Dice): Uint8Array {
  const canonical = records(dice);
  switch (dice.below(4)) {
    case 0:
      return canonical;
    case 1:
      return mutateBytes(dice, recordToBytes(signedRecords[0] as never, canonical), () => canonical);
    default:
      return recordToBytes(signedRecords[0] as never, canonical);
  }
}

function readStored(bytes: Uint8Array): Verdict {
  const record = recordFromBytes(bytes);
  if (record === undefined) return 'refused';
  // Behind the mark and the checksum, where the bytes have them.
  const canonical = bytes[0] === 1 ? bytes.subarray(5) : bytes;
  demand(
    bytes[0] !== 1 || new DataView(bytes.buffer, bytes.byteOffset).getUint32(1) === crc32(canonical),
    'A checksum is wrong.',
  );
  demand(recordKey(record).length > 5, 'A record has no key.');
  if (isSurelyCanonical(canonical)) {
    demand(Buffer.compare(encode(record), canonical) === 0, 'A stored record encodes to other bytes.');
  }
  return 'taken';
}

const SIZES = [1, 2 ** 20, 2 ** 20 + 1, 2 ** 21 + 5, 2 ** 30 + 1];
const BLOB = 'a'.repeat(64);
const pieceLists = SIZES.map((size) => {
  const { pieceBytes } = manifestOf(BLOB, size, new Uint8Array(0));
  return encodePieces(
    manifestOf(BLOB, size, new Uint8Array(Math.min(2_000, Math.ceil(size / pieceBytes)) * 32).fill(7)),
  );
});

function readPieces(bytes: Uint8Array): Verdict {
  let taken = false;
  for (const size of [...SIZES, 0]) {
    const manifest = decodePieces(BLOB, size, bytes);
    if (manifest === undefined) continue;
    demand(manifest.pieces.length === Math.ceil(size / manifest.pieceBytes), 'A list has pieces of no blob.');
    taken = true;
  }
  return taken ? 'taken' : 'refused';
}

const note = (dice: Dice): Wild => ({
  attempt: '1.2.12D3KooWAaaaaaaaaaaa',
  files: { [`frame_${dice.below(9)}.png`]: dice.once(3) ? 'kept:x' : 'x' },
  kept: dice.once(3) ? ['frame_1.png'] : [],
  ...(dice.once(3) && { renamed: { a: 'b' } }),
  ...(dice.once(3) && { intended: { a: ['b'] } }),
});

const plainNote = (dice: Dice): string =>
  `{"attempt":"${dice.below(9)}","files":{"a":"${dice.below(9)}"},"kept":[]}`;

function readNote(): (text: string) => Verdict {
  const notes = new CollectionNotes({ stored: () => Promise.resolve() });
  const result = {
    attempt: { epoch: { term: 1, peer: '12D3KooWAaaaaaaaaaaa' }, sequence: 2 },
    files: [{ name: 'frame_1.png', blob: 'x', sizeBytes: 1, role: 'image' }],
  };
  return (text) => {
    notes.add(7, text);
    const read = noteFromText(text);
    notes.isCollected(7, result as never);
    demand(
      notes.has(7) === (read !== undefined),
      'A note that can not be read is among those that are there.',
    );
    if (read !== undefined) {
      Object.entries(read.files);
      for (const name of [...read.kept, ...notes.keptOf(7)]) void name;
    }
    demand(Number.isSafeInteger(notes.collected + notes.keptForeign), 'Files can not be counted.');
    notes.add(7, '');
    demand(!notes.has(7), 'What is gone is still there.');
    demand(notes.collected === 0 && notes.keptForeign === 0, 'What is gone is counted.');
    return read === undefined ? 'refused' : 'taken';
  };
}

/** With the checksum that it was written with, without any as earlier versions wrote it, and with one letter garbled. */
function storedNote(dice: Dice): string {
  const text = localToText(note(dice));
  switch (dice.below(3)) {
    case 0:
      return jsonLike(note)(dice);
    case 1:
      return text;
    default: {
      const at = dice.below(text.length);
      return text.slice(0, at) + String.fromCharCode(dice.below(128)) + text.slice(at + 1);
    }
  }
}

function readStoredNote(text: string): Verdict {
  const json = jsonOfLocal(text);
  const value = localFromText(text);
  demand(
    (json === undefined) === (value === undefined),
    'What is damaged has a value, or what is whole has none.',
  );
  if (json === undefined) return 'refused';
  const isSummed = text.startsWith('\x01');
  demand(!isSummed || text.slice(1, 9) === crc32(json).toString(16).padStart(8, '0'), 'A checksum is wrong.');
  // Numbers beyond all bounds are none of JSON's.
  const asJson: unknown = JSON.parse(JSON.stringify(value));
  demand(isDeepStrictEqual(localFromText(localToText(value)), asJson), 'A note is stored as another one.');
  return 'taken';
}

/** With a folder of its own. */
function readIn<I extends string>(read: (folder: string, text: I) => Promise<Verdict> | Verdict): Reader<I> {
  const { folder, close } = inFolder();
  return { read: (text) => read(folder, text), close };
}

const config = { ...defaultConfig(), name: 'studio' } as unknown as Wild;
const nodeFile: Wild = {
  pid: process.pid,
  port: 7_700,
  address: 'http://127.0.0.1:7700',
  token: 'x'.repeat(32),
};

export const diskDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'stored-record',
    covers: ['node/src/store/record-bytes.ts'],
    sources: [
      'node/src/store/record-bytes.ts',
      'node/src/store/cbor-reader.ts',
      'node/src/store/task-reader.ts',
    ],
    input: storedRecord,
    open: () => ({ read: readStored }),
  }),
  decoder<Uint8Array>({
    name: 'piece-list',
    covers: ['node/src/blobs/pieces.ts decodePieces'],
    sources: [{ file: 'node/src/blobs/pieces.ts', functions: ['decodePieces', 'manifestOf', 'pieceCount'] }],
    input: bytesLike((dice) => (dice.once(9) ? hostileBytes(dice) : dice.pick(pieceLists))),
    open: () => ({ read: readPieces }),
  }),
  decoder<string>({
    name: 'collection-note',
    covers: ['node/src/jobs/notes.ts'],
    sources: ['node/src/jobs/notes.ts'],
    input: (dice) => (dice.once(4) ? plainNote(dice) : jsonLike(note)(dice)),
    open: () => ({ read: readNote() }),
  }),
  decoder<string>({
    name: 'stored-note',
    covers: ['node/src/store/local-text.ts'],
    sources: ['node/src/store/local-text.ts'],
    input: storedNote,
    open: () => ({ read: readStoredNote }),
  }),
  decoder<string>({
    name: 'config-file',
    covers: ['node/src/system/config.ts'],
    sources: [
      { file: 'node/src/system/config.ts', functions: ['readSet', 'checked', 'invalid', 'loadConfig'] },
    ],
    input: (dice) => (dice.once(2) ? jsonOf(configSchema)(dice) : jsonLike(() => config)(dice)),
    open: () =>
      readIn((folder, text) =>
        refusingLater([CuadroError], async () => {
          writeFileSync(configPath(folder), text);
          const read = await loadConfig(folder);
          demand(configSchema.safeParse(read).success, 'A config is read that is none.');
          return read;
        }),
      ),
  }),
  decoder<string>({
    name: 'node-file',
    covers: ['node/src/system/node-file.ts readNodeFile', 'node/src/system/node-file.ts'],
    sources: [
      {
        file: 'node/src/system/node-file.ts',
        functions: ['readNodeFile', 'isNodeFile', 'isAlive', 'signinAddress'],
      },
    ],
    input: jsonLike(() => nodeFile),
    open: () =>
      readIn((folder, text) => {
        writeFileSync(nodeFilePath(folder), text);
        const file = readNodeFile(folder);
        if (file === undefined) return 'refused';
        demand(new URL(signinAddress(file)).hostname !== 'evil', 'A token would go elsewhere.');
        const { hostname } = new URL(file.address);
        demand(
          ['127.0.0.1', 'localhost', '[::1]'].includes(hostname),
          'A token would go to another machine.',
        );
        return 'taken';
      }),
  }),
];
