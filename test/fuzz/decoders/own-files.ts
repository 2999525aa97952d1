import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CuadroError } from '@cuadro/protocol';
import { isBroken, sumOf } from '../../../node/src/store/log-format.ts';
import { hasBrokenLog, wouldLose } from '../../../node/src/store/rescue.ts';
import { DataFolderInUseError } from '../../../node/src/system/errors.ts';
import { createFolderLock } from '../../../node/src/system/folder-lock.ts';
import { identityOf, loadIdentity } from '../../../node/src/system/identity.ts';
import { loadToken } from '../../../node/src/system/node-file.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import {
  decoder,
  demand,
  type Decoder,
  Misconduct,
  type Reader,
  refusingLater,
  type Verdict,
} from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { joined, mutateText } from '../mutate.ts';
import { bytesLike, textLike } from '../sources.ts';
import { inFolder } from './own-folder.ts';

/** Files of the data folder that other libraries read too, and those of which the node's own safety hangs. */

const encoder = new TextEncoder();
const random = createSeededRandom(1);

/** Of LevelDB's log format: a record with its head, as it stands within a block. */
function logRecord(payload: Uint8Array): Uint8Array {
  const body = joined(Uint8Array.of(1), payload);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(sumOf(body));
  head.writeUInt16LE(payload.length, 4);
  return joined(head, body);
}

const BLOCK_BYTES = 32_768;
const HEAD_BYTES = 7;

/** Of one block, and now and then of three. */
function log(dice: Dice): Uint8Array {
  const count = dice.once(60) ? 3 : 1 + dice.size(5);
  const bodies = Array.from({ length: count }, () =>
    dice.once(60) ? new Uint8Array(BLOCK_BYTES - dice.between(0, 9)) : dice.bytes(dice.size(60)),
  );
  let written = new Uint8Array(0);
  for (const body of bodies) {
    for (let at = 0; at === 0 || at < body.length; ) {
      const left = BLOCK_BYTES - (written.length % BLOCK_BYTES);
      if (left < HEAD_BYTES) written = joined(written, new Uint8Array(left)) as typeof written;
      const room = BLOCK_BYTES - (written.length % BLOCK_BYTES) - HEAD_BYTES;
      const part = body.subarray(at, at + room);
      written = joined(written, logRecord(part)) as typeof written;
      at += Math.max(1, part.length);
    }
  }
  return written;
}

const LIST = 'MANIFEST-000004';
const currents = textLike((dice) => `${dice.pick([LIST, 'MANIFEST-000001', 'MANIFEST-9'])}\n`);

/** A first byte that tells which of the database's files this is, and its content. */
function databaseFile(dice: Dice): Uint8Array {
  return dice.once(3)
    ? joined(Uint8Array.of(0), encoder.encode(currents(dice)))
    : joined(Uint8Array.of(1), bytesLike(log)(dice));
}

/** Nothing but these is looked at: what stands beside the database's folder is a log that is cut. */
function databaseReader(): Reader<Uint8Array> {
  const { folder, close } = inFolder();
  const database = join(folder, 'records');
  mkdirSync(database);
  const cut = Uint8Array.of(1, 2, 3);
  const whole = logRecord(cut);
  const current = `${LIST}\n`;
  writeFileSync(join(folder, 'MANIFEST-000001'), cut);
  writeFileSync(join(database, '000003.ldb'), whole);
  const stands = new Map<string, Uint8Array | string>();
  const write = (name: string, bytes: Uint8Array | string): void => {
    if (stands.get(name) === bytes) return;
    writeFileSync(join(database, name), bytes);
    stands.set(name, bytes);
  };
  return {
    close,
    read: async (bytes) => {
      const content = bytes.subarray(1);
      const isFirst = bytes[0] === 0;
      write('CURRENT', isFirst ? content : current);
      write(LIST, isFirst ? whole : content);
      write('000005.log', isFirst ? whole : content);
      const loses = await wouldLose(database);
      const lacks = await hasBrokenLog(database);
      demand(readdirSync(database).length === 4, 'A look at a database has changed its files.');
      if (isFirst) {
        const named = Buffer.from(content).toString('latin1');
        const isList = /^MANIFEST-\d+\n$/.test(named);
        demand(isList || loses, 'A database is opened by a list that is none, or somebody else’s.');
        demand(!lacks, 'A whole log is broken.');
        return loses ? 'refused' : 'taken';
      }
      demand(loses === lacks, 'One log is broken as a list, and whole as a log.');
      if (lacks) return 'refused';
      const left = BLOCK_BYTES - (content.length % BLOCK_BYTES);
      const isEnd = left < HEAD_BYTES;
      const padded = isEnd ? joined(content, new Uint8Array(left)) : content;
      demand(isBroken(joined(padded, whole.subarray(0, HEAD_BYTES + 1))), 'A record that is cut is whole.');
      demand(!isBroken(joined(padded, whole)), 'One record more breaks a log that was whole.');
      return 'taken';
    },
  };
}

/** Databases of SQLite, with and without a log of their own, beside the empty one that the lock is. */
function databases(): Uint8Array[] {
  const { folder, close } = inFolder();
  try {
    return ['DELETE', 'WAL'].map((mode, index) => {
      const path = join(folder, `${index}`);
      const database = new DatabaseSync(path);
      database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (a)`);
      database.close();
      return readFileSync(path);
    });
  } finally {
    void close();
  }
}

let lockFiles: readonly Uint8Array[] | undefined;
const pids = textLike((dice) => dice.pick([`${process.pid}\n`, '1', '4194304\n']));

function lockInput(dice: Dice): Uint8Array {
  lockFiles ??= [new Uint8Array(0), ...databases()];
  const files = lockFiles;
  return dice.once(2)
    ? joined(Uint8Array.of(0), encoder.encode(pids(dice).toWellFormed()))
    : joined(Uint8Array.of(1), bytesLike((each) => each.pick(files))(dice));
}

/**
 * A process id while the lock is held, or the lock's own file, whose damage keeps nobody off: whoever holds it keeps every
 * other one off.
 */
function lockReader(): Reader<Uint8Array> {
  const { folder, close } = inFolder();
  const [held, free] = [join(folder, 'held'), join(folder, 'free')];
  const holder = createFolderLock(held);
  const refusedBy = async (lock: ReturnType<typeof createFolderLock>): Promise<DataFolderInUseError> => {
    try {
      await lock.start();
    } catch (error) {
      if (error instanceof DataFolderInUseError) return error;
      throw error;
    }
    throw new Misconduct('Two nodes hold one folder.');
  };
  const readPid = async (content: Uint8Array): Promise<Verdict> => {
    await holder.start();
    writeFileSync(join(held, 'node.pid'), content);
    const { pid } = await refusedBy(createFolderLock(held));
    demand(pid === undefined || (Number.isSafeInteger(pid) && pid > 0), 'A process has no number.');
    return pid === undefined ? 'refused' : 'taken';
  };
  const readLock = async (content: Uint8Array): Promise<Verdict> => {
    mkdirSync(free, { recursive: true });
    for (const ending of ['-wal', '-shm', '-journal'])
      rmSync(join(free, `node.lock${ending}`), { force: true });
    writeFileSync(join(free, 'node.lock'), content);
    const lock = createFolderLock(free);
    try {
      await lock.start();
      await refusedBy(createFolderLock(free));
      return 'taken';
    } finally {
      await lock.stop();
    }
  };
  return {
    read: (bytes) => (bytes[0] === 0 ? readPid(bytes.subarray(1)) : readLock(bytes.subarray(1))),
    close: async () => {
      await holder.stop();
      await close();
    },
  };
}

/** The numbers of Ed25519 and X25519 (RFC 8410): the second can't sign. */
const KINDS = ['70', '6e'];
const keys = KINDS.flatMap((kind) => [1, 2].map((seed) => pemOf(kind, new Uint8Array(32).fill(seed))));

function pemOf(kind: string, seed: Uint8Array): string {
  const head = Buffer.from(`302e020100300506032b65${kind}04220420`, 'hex');
  const base64 = Buffer.concat([head, seed]).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
}

/** What stands between the two lines may be another key, or of another form. */
function keyText(dice: Dice): string {
  const pem = dice.pick(keys);
  if (!dice.once(3)) return textLike(() => pem)(dice);
  const der = Buffer.from(pem.split('\n')[1] as string, 'base64');
  const at = dice.below(der.length);
  der[at] = dice.next();
  return pem.replace(/\n.*\n/, `\n${der.toString('base64')}\n`);
}

function keyReader(): Reader<string> {
  const { folder, close } = inFolder();
  const path = join(folder, 'key');
  return {
    close,
    read: (text) =>
      refusingLater([CuadroError], async () => {
        writeFileSync(path, text);
        const identity = await loadIdentity({ random }, path);
        const seed = identity.privateKey();
        demand(seed.length === 32, 'A seed has another length.');
        demand(identityOf(seed).peer === identity.peer, 'A key is of one machine, and its seed of another.');
        return identity;
      }).finally(() => demand(readFileSync(path, 'utf8') === text.toWellFormed(), 'A key was written over.')),
  };
}

const TOKEN = 'abcdefghijklmnopqrstuvwxyz234567';

function tokenReader(): Reader<string> {
  const { folder, close } = inFolder();
  return {
    close,
    read: async (text) => {
      writeFileSync(join(folder, 'token'), text);
      const token = await loadToken({ random }, folder);
      // It goes as a header, as a cookie and in an address, and all of it is compared.
      demand(/^[\w-]{32,200}$/.test(token), 'A token is none that a browser or a header can bring.');
      demand((await loadToken({ random }, folder)) === token, 'The next start has another token.');
      demand(readdirSync(folder).length === 1, 'A file is left behind.');
      return token === text.trim() ? 'taken' : 'refused';
    },
  };
}

export const ownFileDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'record-database',
    covers: ['node/src/store/rescue.ts', 'node/src/store/log-format.ts'],
    sources: [
      { file: 'node/src/store/rescue.ts', functions: ['wouldLose', 'hasTables', 'hasBrokenLog'] },
      'node/src/store/log-format.ts',
    ],
    input: databaseFile,
    open: databaseReader,
  }),
  decoder<Uint8Array>({
    name: 'folder-lock',
    covers: ['node/src/system/folder-lock.ts'],
    sources: ['node/src/system/folder-lock.ts'],
    input: lockInput,
    open: lockReader,
  }),
  decoder<string>({
    name: 'key-file',
    covers: ['node/src/system/identity.ts'],
    sources: [
      {
        file: 'node/src/system/identity.ts',
        functions: ['loadIdentity', 'keyOf', 'damagedIdentity', 'identityOfKey', 'peerIdOf', 'identityOf'],
      },
    ],
    input: keyText,
    open: keyReader,
  }),
  decoder<string>({
    name: 'token-file',
    covers: ['node/src/system/node-file.ts loadToken'],
    sources: [{ file: 'node/src/system/node-file.ts', functions: ['loadToken'] }],
    input: (dice) =>
      dice.once(3)
        ? mutateText(dice, TOKEN, () => TOKEN)
        : textLike((each) => `${TOKEN}${each.pick(['', '\n', '\n\n', TOKEN])}`)(dice),
    open: tokenReader,
  }),
];
