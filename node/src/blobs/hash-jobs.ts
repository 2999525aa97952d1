/** What a thread does that hashes, copies and scans: plain synchronous calls, since nothing else waits on its loop. */
import { createHash, hash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { basename, sep } from 'node:path';
import type { FileCallsSync, FileFacts } from '../system/file-calls.ts';
import type { HashJob, HashReply, ScannedFolder } from './hasher.ts';
import { WORDS } from './hash-rows.ts';
import { isBlobHash, piecesSuffix } from './layout.ts';
import { blobLimits, pieceBytesFor } from './options.ts';

const canceledCode = 'canceled';

/** Says which side failed: an unreadable source is the caller's business, a full destination the store's. */
class JobFailure extends Error {
  readonly side: 'source' | 'destination';
  readonly code: string;
  constructor(side: 'source' | 'destination', error: unknown) {
    super(error instanceof Error ? error.message : String(error), { cause: error });
    this.side = side;
    this.code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

function on<T>(side: 'source' | 'destination', action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new JobFailure(side, error);
  }
}

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Both hashes of a file as its bytes pass: of the whole, and of each piece, where they are wanted. */
class Digest {
  readonly #pieceBytes: number | undefined;
  readonly #whole = createHash('sha256');
  readonly #pieces: Buffer[] = [];
  #piece: Hash | undefined;
  #leftInPiece = 0;

  constructor(sizeBytes: number, wholeOnly: boolean) {
    this.#pieceBytes = wholeOnly ? undefined : pieceBytesFor(sizeBytes);
  }

  update(chunk: Uint8Array): void {
    this.#whole.update(chunk);
    if (this.#pieceBytes === undefined) return;
    for (let offset = 0; offset < chunk.length; ) {
      if (this.#leftInPiece === 0) this.#closePiece();
      this.#piece ??= createHash('sha256');
      const length = Math.min(this.#leftInPiece, chunk.length - offset);
      this.#piece.update(chunk.subarray(offset, offset + length));
      this.#leftInPiece -= length;
      offset += length;
    }
  }

  finish(): { hash: string; pieces: Uint8Array } {
    this.#closePiece();
    return { hash: this.#whole.digest('hex'), pieces: new Uint8Array(Buffer.concat(this.#pieces)) };
  }

  #closePiece(): void {
    if (this.#piece !== undefined) this.#pieces.push(this.#piece.digest());
    this.#piece = undefined;
    this.#leftInPiece = this.#pieceBytes ?? 0;
  }
}

/** O_NONBLOCK: opening a named pipe would wait for its writer for ever; a regular file ignores it. */
function openSource(path: string, fs: FileCallsSync): number {
  return on('source', () => fs.openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
}

function regularFile(input: number, fs: FileCallsSync): FileFacts {
  const stat = on('source', () => fs.fstatSync(input));
  if (!stat.isFile()) throw new JobFailure('source', coded('it is no regular file', 'ENOTFILE'));
  return stat;
}

const changed = (): JobFailure => new JobFailure('source', coded('it changed while it was read', 'ECHANGED'));

/** Reads `source` once, hashing, and copying to `copyTo` where it is given (a new file). */
function digestFile(job: Extract<HashJob, { kind: 'digest' }>, fs: FileCallsSync): HashReply {
  const canceled = new Int32Array(job.canceled);
  let created = false;
  const input = openSource(job.source, fs);
  let output: number | undefined;
  try {
    const stat = regularFile(input, fs);
    const { copyTo } = job;
    if (copyTo !== undefined) {
      output = on('destination', () => fs.openSync(copyTo, 'wx', job.mode ?? 0o444));
      created = true;
    }
    const digest = new Digest(stat.size, job.wholeOnly);
    const buffer = Buffer.allocUnsafeSlow(
      Math.min(blobLimits.readChunkBytes, Math.max(stat.size + 1, 4_096)),
    );
    let sizeBytes = 0;
    for (;;) {
      if (Atomics.load(canceled, 0) !== 0) throw new JobFailure('source', coded('canceled', canceledCode));
      const length = on('source', () => fs.readSync(input, buffer, 0, buffer.length, null));
      if (length === 0) break;
      sizeBytes += length;
      if (sizeBytes > stat.size) break;
      const chunk = buffer.subarray(0, length);
      digest.update(chunk);
      for (let written = 0; output !== undefined && written < length; ) {
        const file = output;
        written += on('destination', () => fs.writeSync(file, chunk, written));
      }
    }
    if (sizeBytes !== stat.size) throw changed();
    const { hash, pieces } = digest.finish();
    if (job.sync) on('destination', () => fs.fsyncSync(output ?? input));
    return { id: job.id, ok: true, hash, sizeBytes, pieces };
  } catch (error) {
    if (created && job.copyTo !== undefined) fs.rmSync(job.copyTo, { force: true });
    throw error;
  } finally {
    if (output !== undefined) fs.closeSync(output);
    fs.closeSync(input);
  }
}

/** Passes in stretches that are not at their end, by their number: of each process those on its own files. */
const begun = new WeakMap<FileCallsSync, Map<number, Digest>>();

function passesOn(fs: FileCallsSync): Map<number, Digest> {
  const passes = begun.get(fs) ?? new Map<number, Digest>();
  begun.set(fs, passes);
  return passes;
}

function digestStretch(job: Extract<HashJob, { kind: 'stretch' }>, fs: FileCallsSync): HashReply {
  const { id, pass, source, sizeBytes, start, end } = job;
  const passes = passesOn(fs);
  const digest = start === 0 ? new Digest(sizeBytes, false) : passes.get(pass);
  passes.delete(pass);
  if (digest === undefined) throw new JobFailure('source', new Error('its beginning was hashed elsewhere'));
  const input = openSource(source, fs);
  try {
    if (regularFile(input, fs).size !== sizeBytes) throw changed();
    const buffer = Buffer.allocUnsafeSlow(Math.min(blobLimits.readChunkBytes, Math.max(1, end - start)));
    for (let at = start; at < end; ) {
      const wanted = Math.min(buffer.length, end - at);
      const position = at;
      const length = on('source', () => fs.readSync(input, buffer, 0, wanted, position));
      if (length === 0) throw changed();
      digest.update(buffer.subarray(0, length));
      at += length;
    }
  } finally {
    fs.closeSync(input);
  }
  if (end === sizeBytes) return { id, ok: true, sizeBytes, ...digest.finish() };
  passes.set(pass, digest);
  return { id, ok: true };
}

function scanFolder(folder: string, fs: FileCallsSync): ScannedFolder {
  const prefix = basename(folder);
  const names = new Set(fs.readdirSync(folder));
  const found: { hash: string; sizeBytes: number; usedMs: number }[] = [];
  const orphans: string[] = [];
  for (const name of names) {
    const hash = name.endsWith(piecesSuffix) ? name.slice(0, -piecesSuffix.length) : name;
    if (!isBlobHash(hash) || !hash.startsWith(prefix)) continue;
    if (hash !== name) {
      if (!names.has(hash)) orphans.push(hash);
      continue;
    }
    const stat = statOf(`${folder}${sep}${name}`, fs);
    if (stat?.isFile() === true) found.push({ hash, sizeBytes: stat.size, usedMs: stat.mtimeMs });
  }
  const hashes = new Uint32Array(found.length * WORDS);
  const bytes = Buffer.from(hashes.buffer);
  for (const [i, { hash }] of found.entries()) bytes.write(hash, i * WORDS * 4, 'hex');
  return {
    hashes,
    sizes: Float64Array.from(found, ({ sizeBytes }) => sizeBytes),
    usedMs: Float64Array.from(found, ({ usedMs }) => usedMs),
    orphans,
  };
}

/** Undefined for a file that went since its folder was read: the store is at work. */
function statOf(path: string, fs: FileCallsSync): FileFacts | undefined {
  try {
    return fs.lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

type PieceJob = Extract<HashJob, { kind: 'read-piece' | 'write-piece' }>;

const isRight = ({ bytes, expected }: PieceJob): boolean => hash('sha256', bytes) === expected;

function readPiece(job: PieceJob, fs: FileCallsSync): HashReply {
  const { id, file, offset, bytes } = job;
  const input = on('source', () => (typeof file === 'number' ? file : fs.openSync(file, 'r')));
  try {
    for (let filled = 0; filled < bytes.length; ) {
      const length = on('source', () =>
        fs.readSync(input, bytes, filled, bytes.length - filled, offset + filled),
      );
      if (length === 0) return { id, ok: true, isRight: false };
      filled += length;
    }
  } finally {
    if (input !== file) fs.closeSync(input);
  }
  return { id, ok: true, isRight: isRight(job) };
}

/** Verified here, from the same memory that is written: nothing else may touch it meanwhile. */
function writePiece(job: PieceJob, fs: FileCallsSync): HashReply {
  const { id, file, offset, bytes } = job;
  if (!isRight(job)) return { id, ok: true, isRight: false };
  for (let written = 0; written < bytes.length; )
    written += on('destination', () =>
      fs.writeSync(file as number, bytes, written, bytes.length - written, offset + written),
    );
  return { id, ok: true, isRight: true };
}

function perform(job: HashJob, fs: FileCallsSync): HashReply {
  switch (job.kind) {
    case 'scan':
      return { id: job.id, ok: true, folders: job.folders.map((folder) => scanFolder(folder, fs)) };
    case 'digest':
      return digestFile(job, fs);
    case 'stretch':
      return digestStretch(job, fs);
    case 'forget':
      passesOn(fs).delete(job.pass);
      return { id: job.id, ok: true };
    case 'read-piece':
      return readPiece(job, fs);
    case 'write-piece':
      return writePiece(job, fs);
  }
}

/** A job's answer; what fails is one too. */
export function carryOut(job: HashJob, fs: FileCallsSync): HashReply {
  try {
    return perform(job, fs);
  } catch (error) {
    const failure = error instanceof JobFailure ? error : new JobFailure('source', error);
    return { id: job.id, ok: false, code: failure.code, side: failure.side, message: failure.message };
  }
}
