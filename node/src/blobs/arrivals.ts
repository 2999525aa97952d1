import type { OpenFile } from '../system/file-calls.ts';
import { BlobMismatchError, BlobTooLargeError } from './errors.ts';
import type { BlobArrival, BlobHash, BlobInfo, BlobManifest, PutOptions } from './interface.ts';
import { assertBlobHash, isBlobHash } from './layout.ts';
import { blobLimits, pieceBytesFor } from './options.ts';
import type { Hasher } from './hasher.ts';
import { PartFiles } from './part-files.ts';
import { hashesOf, manifestOf, memoryFor, pieceCount, shared } from './pieces.ts';
import type { Shelf } from './shelf.ts';
import type { Room, Space } from './space.ts';
import type { Unfinished } from './unfinished.ts';

/** Runs a task that the store's stop aborts and waits for. */
type Run = <T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>) => Promise<T>;

interface Components {
  readonly shelf: Shelf;
  /** Threads for pieces. */
  readonly hasher: Pick<Hasher, 'readPiece' | 'writePiece'>;
  readonly space: Space;
  /** Where those that ended halfway are kept. */
  readonly unfinished: Pick<Unfinished, 'keep' | 'take'>;
  readonly run: Run;
}

/** What one arrival stands on. */
interface Ground extends Components {
  readonly parts: PartFiles;
}

/**
 * Blobs that arrive in pieces. Each is a file of its own below `incoming`; which of its pieces are whole is found by
 * hashing it when it is gone on with, so nothing has to be noted while it grows.
 */
export class Arrivals {
  readonly #components: Ground;
  readonly #open = new Map<BlobHash, FileArrival>();

  /** `openMax`: files of theirs that are open at the same time. */
  constructor(components: Components, init: { readonly openMax: number }) {
    const { files } = components.shelf;
    this.#components = { ...components, parts: new PartFiles({ files }, init) };
  }

  /** Ends what is open, and keeps it. */
  async stop(): Promise<void> {
    for (const arrival of this.#open.values()) await arrival.suspend();
  }

  async receive(manifest: BlobManifest, signal: AbortSignal): Promise<BlobArrival> {
    const { hash } = manifest;
    assertManifest(manifest);
    // One that is just ending leaves the file behind that this one goes on with.
    for (let open = this.#open.get(hash); open !== undefined; open = this.#open.get(hash)) {
      if (!open.ending) throw new RangeError('This blob is arriving already.');
      await open.gone;
    }
    const { unfinished } = this.#components;
    const arrival = new FileArrival(this.#components, manifest, (kept) => this.#ended(hash, kept));
    this.#open.set(hash, arrival);
    let goesOn = false;
    try {
      // Taken first, so that the search for room does not give it up.
      goesOn = await unfinished.take(hash);
      await arrival.begin(goesOn, signal);
      return arrival;
    } catch (error) {
      await this.#ended(hash, goesOn);
      throw error;
    }
  }

  /** Kept before it counts as ended, so that whoever goes on with it then finds it. */
  async #ended(hash: BlobHash, kept: boolean): Promise<void> {
    try {
      if (kept) await this.#components.unfinished.keep(hash);
    } finally {
      this.#open.delete(hash);
    }
  }
}

class FileArrival implements BlobArrival {
  readonly manifest: BlobManifest;
  readonly #components: Ground;
  readonly #ended: (kept: boolean) => Promise<void>;
  readonly #path: string;
  readonly #missing = new Set<number>();
  readonly #writing = new Set<Promise<unknown>>();
  readonly #gone = Promise.withResolvers<void>();
  #ending = false;
  #isOpen = false;
  #room: Room | undefined;

  constructor(components: Ground, manifest: BlobManifest, ended: (kept: boolean) => Promise<void>) {
    this.#components = components;
    this.manifest = manifest;
    this.#ended = ended;
    this.#path = components.shelf.layout.partPathOf(manifest.hash);
  }

  async begin(goesOn: boolean, signal: AbortSignal): Promise<void> {
    const { sizeBytes, pieces } = this.manifest;
    const { parts, shelf, space } = this.#components;
    for (const index of pieces.keys()) this.#missing.add(index);
    const explain = (error: unknown): never => {
      throw shelf.explainWrite(error, sizeBytes);
    };
    try {
      // One that ended while it was made durable could be read only already.
      if (goesOn) await shelf.files.chmod(this.#path, 0o644).catch(explain);
      const flags = goesOn ? 'r+' : 'wx+';
      await parts.use(this.#path, (file) => file.truncate(sizeBytes), flags).catch(explain);
      this.#isOpen = true;
      if (goesOn) await this.#findPieces(signal);
      const present = pieces.length - this.#missing.size;
      const leftBytes = sizeBytes - Math.min(sizeBytes, present * this.manifest.pieceBytes);
      this.#room = await space.room(sizeBytes, leftBytes);
    } catch (error) {
      await this.#close();
      if (!goesOn) await shelf.files.rm(this.#path, { force: true });
      throw error;
    }
  }

  async #findPieces(signal: AbortSignal): Promise<void> {
    const { hash, sizeBytes, pieces } = this.manifest;
    const found = await this.#components.shelf.passOver(this.#path, { signal });
    const here = manifestOf(hash, sizeBytes, found.pieces).pieces;
    for (const [index, piece] of pieces.entries()) if (here[index] === piece) this.#missing.delete(index);
  }

  get ending(): boolean {
    return this.#ending;
  }

  /** Resolves once nothing of this arrival touches the file any more. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  missing(): number[] {
    return [...this.#missing];
  }

  write(index: number, bytes: Uint8Array): Promise<void> {
    return this.#components.run(undefined, () => this.#tracked(this.#write(index, bytes)));
  }

  async #write(index: number, bytes: Uint8Array): Promise<void> {
    const { pieces, pieceBytes, sizeBytes } = this.manifest;
    if (!this.#missing.has(index)) return;
    const offset = index * pieceBytes;
    const mismatch = new BlobMismatchError(`Piece ${index} is not what the manifest says.`);
    if (bytes.length !== Math.min(pieceBytes, sizeBytes - offset)) throw mismatch;
    if (!this.#isOpen) throw new RangeError('The arrival has ended.');
    const { hasher, parts, shelf } = this.#components;
    const piece = { offset, bytes: shared(bytes), expected: pieces[index] as string };
    const isRight = await parts
      .use(this.#path, ({ fd }) => hasher.writePiece({ ...piece, file: fd }))
      .catch((error: unknown) => Promise.reject(shelf.explainWrite(error, bytes.length)));
    if (!isRight) throw mismatch;
    // Two that bring the same piece at once have both written the same bytes; it counts once.
    if (this.#missing.delete(index)) this.#room?.wrote(bytes.length);
  }

  read(index: number, into?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#components.run(undefined, () => this.#tracked(this.#read(index, into)));
  }

  async #read(index: number, into?: Uint8Array): Promise<Uint8Array | undefined> {
    const { pieces, pieceBytes, sizeBytes } = this.manifest;
    if (!this.#isOpen || index >= pieces.length || this.#missing.has(index)) return undefined;
    const { hasher, parts } = this.#components;
    const offset = index * pieceBytes;
    const bytes = memoryFor(Math.min(pieceBytes, sizeBytes - offset), into);
    const expected = pieces[index] as string;
    // The disk may have changed it since; nothing unverified is passed on.
    const isRight = await parts.use(this.#path, ({ fd }) =>
      hasher.readPiece({ file: fd, offset, bytes, expected }),
    );
    return isRight ? bytes : undefined;
  }

  finish(options: PutOptions = {}): Promise<BlobInfo> {
    return this.#components.run(options.signal, async (signal) => {
      if (this.#missing.size > 0) throw new RangeError('Pieces are missing.');
      this.#ending = true;
      const { parts, shelf } = this.#components;
      await this.#settle();
      let kept = false;
      try {
        // Open all the while: to prove and sync a large file takes seconds, in which others go on reading its pieces, and
        // in the end it has another name.
        return await parts.use(this.#path, (file) => this.#prove(file, { ...options, signal }));
      } catch (error) {
        // Whoever stopped it goes on with it one day; what is not what it should be is of no use.
        kept = signal.aborted;
        if (!kept) await shelf.files.rm(this.#path, { force: true });
        throw error;
      } finally {
        await this.#close();
        await this.#ended(kept);
        this.#gone.resolve();
      }
    });
  }

  async #prove(file: OpenFile, options: PutOptions & { signal: AbortSignal }): Promise<BlobInfo> {
    const { shelf } = this.#components;
    const { signal } = options;
    await file.chmod(0o444);
    // Each piece was compared with the manifest before it was written, so the whole proves them all.
    const { hash, sizeBytes } = await shelf.passOver(this.#path, { sync: true, wholeOnly: true, signal });
    const found = { hash, sizeBytes, pieces: hashesOf(this.manifest) };
    const info = await shelf.adopt(this.#path, found, { ...options, expectedHash: this.manifest.hash });
    // It counts as held from now on: were it promised as well until its file is closed, others would find no room.
    this.#room?.release();
    return info;
  }

  async suspend(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#close();
    await this.#ended(true).finally(() => this.#gone.resolve());
  }

  async #close(): Promise<void> {
    this.#isOpen = false;
    await this.#settle();
    await this.#components.parts.close(this.#path);
    this.#room?.release();
  }

  async #tracked<T>(writing: Promise<T>): Promise<T> {
    this.#writing.add(writing);
    try {
      return await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  async #settle(): Promise<void> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
  }
}

/** Refuses what no honest holder's manifest can be: piece size and number follow from the size. */
export function assertManifest({ hash, sizeBytes, pieceBytes, pieces }: BlobManifest): void {
  assertBlobHash(hash);
  if (!(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0))
    throw new BlobMismatchError('A size is no number.');
  if (sizeBytes > blobLimits.blobBytesMax) throw new BlobTooLargeError(sizeBytes, blobLimits.blobBytesMax);
  const fits = pieceBytes === pieceBytesFor(sizeBytes) && pieces.length === pieceCount(sizeBytes);
  if (!fits || !pieces.every(isBlobHash))
    throw new BlobMismatchError('The manifest is not that of any blob.');
}
