import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { reasonOf, systemCode } from '../system/files.ts';
import { assertManifest } from './arrivals.ts';
import { BlobIndex } from './blob-index.ts';
import {
  BlobMismatchError,
  BlobNotFoundError,
  BlobSourceUnreadableError,
  BlobTooLargeError,
  DestinationExistsError,
  DestinationUnwritableError,
  StoreFullError,
  StoreStoppedError,
} from './errors.ts';
import type * as types from './interface.ts';
import { assertBlobHash } from './layout.ts';
import { defaultBlobStoreOptions, pieceBytesFor } from './options.ts';
import { digest } from './pieces.ts';
import { assertPinOwner, isPassing, PinTable } from './pins.ts';

type BlobHash = types.BlobHash;

/** What survives of a memory store when its node is restarted. */
export interface MemoryBlobDisk {
  readonly contents: Map<BlobHash, Uint8Array>;
  readonly parts: Map<BlobHash, Map<number, Uint8Array>>;
  readonly pins: PinTable;
}

export const emptyBlobDisk = (): MemoryBlobDisk => ({
  contents: new Map(),
  parts: new Map(),
  pins: new PinTable(),
});

export interface MemoryBlobInit {
  quotaBytes?: number;
  /** Kept by whoever wants it after the process; a fresh one by default. */
  disk?: MemoryBlobDisk;
  /** Without threads for a simulation, whose runs must be the same each time. */
  digest?: (bytes: Uint8Array) => Promise<BlobHash>;
}

/** The twin for tests and simulation: the same contract, and nothing but what `disk` is kept for after the process. */
export function createMemoryBlobStore(init: MemoryBlobInit = {}): types.BlobStore {
  return new MemoryBlobStore(init);
}

class MemoryBlobStore implements types.BlobStore {
  readonly #quotaBytes: number;
  readonly #contents: Map<BlobHash, Uint8Array>;
  readonly #parts: Map<BlobHash, Map<number, Uint8Array>>;
  readonly #index: BlobIndex;
  readonly #pins: PinTable;
  readonly #digest: (bytes: Uint8Array) => Promise<BlobHash>;
  readonly #listeners = new Set<(event: types.BlobEvent) => void>();
  #refusedBytes = 0;
  #uses = 0;
  #running = false;

  constructor(init: MemoryBlobInit) {
    const disk = init.disk ?? emptyBlobDisk();
    this.#quotaBytes = init.quotaBytes ?? defaultBlobStoreOptions.quotaBytes;
    this.#contents = disk.contents;
    this.#parts = disk.parts;
    this.#pins = disk.pins;
    for (const owner of disk.pins.allOwners().filter(isPassing)) this.#unpinAll(owner);
    this.#index = new BlobIndex(disk.pins);
    this.#digest = init.digest ?? digest;
    for (const [hash, content] of disk.contents) this.#index.add(hash, content.length, ++this.#uses);
    this.#index.loaded();
  }

  async start(): Promise<void> {
    this.#running = true;
  }

  async stop(): Promise<void> {
    this.#running = false;
  }

  async has(hash: BlobHash): Promise<types.BlobInfo | undefined> {
    const content = this.#find(hash);
    return content === undefined ? undefined : { hash, sizeBytes: content.length };
  }

  async putFile(path: string, options: types.PutFileOptions): Promise<types.BlobInfo> {
    const info = await this.putBytes(await readSource(path), options).catch((error: unknown) => {
      if (options.mode === 'move' && error instanceof StoreFullError)
        this.#refusedBytes = Math.max(this.#refusedBytes, error.neededBytes);
      throw error;
    });
    if (options.mode === 'move') await rm(path);
    return info;
  }

  async putBytes(bytes: Uint8Array, options: types.PutOptions = {}): Promise<types.BlobInfo> {
    this.#alive(options.signal);
    const content = Uint8Array.from(bytes);
    const hash = await this.#digest(content);
    if ((options.expectedHash ?? hash) !== hash) throw new BlobMismatchError('The content has another hash.');
    const sizeBytes = content.length;
    if (!this.#contents.has(hash)) {
      this.#evictFor(sizeBytes);
      const freeBytes = this.#quotaBytes - this.#index.usedBytes;
      if (sizeBytes > freeBytes)
        throw new StoreFullError(sizeBytes, freeBytes, 'The file store has reached its quota.');
      this.#contents.set(hash, content);
      this.#emit({ type: 'blob-stored', hash, sizeBytes });
    }
    this.#index.add(hash, sizeBytes, ++this.#uses);
    if (options.pin !== undefined) await this.pin(hash, options.pin);
    return { hash, sizeBytes };
  }

  async putStream(
    chunks: AsyncIterable<Uint8Array>,
    options: types.PutOptions & { sizeBytes: number },
  ): Promise<types.BlobInfo> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const bytes = Buffer.concat(parts);
    if (bytes.length !== options.sizeBytes) throw new BlobMismatchError('Another length was announced.');
    return this.putBytes(bytes, options);
  }

  async putMany(
    sources: readonly types.BlobSource[],
    options: types.SignalOption & { pin?: types.PinOwner } = {},
  ): Promise<types.BlobInfo[]> {
    const infos: types.BlobInfo[] = [];
    for (const source of sources) {
      const stored =
        'bytes' in source
          ? this.putBytes(source.bytes, options)
          : this.putFile(source.path, { ...options, mode: source.mode });
      infos.push(await stored);
    }
    return infos;
  }

  async receive(manifest: types.BlobManifest, options: types.SignalOption = {}): Promise<types.BlobArrival> {
    this.#alive(options.signal);
    assertManifest(manifest);
    const { hash, sizeBytes, pieceBytes, pieces } = manifest;
    const freeBytes = this.#quotaBytes - this.#index.pinnedBytes;
    if (sizeBytes > freeBytes)
      throw new StoreFullError(sizeBytes, freeBytes, 'The file store has reached its quota.');
    const here = this.#parts.get(hash) ?? new Map<number, Uint8Array>();
    // What came by another manifest counts where it fits this one too.
    for (const [index, bytes] of here) if ((await this.#digest(bytes)) !== pieces[index]) here.delete(index);
    this.#parts.set(hash, here);
    return {
      manifest,
      missing: () => [...pieces.keys()].filter((index) => !here.has(index)),
      write: async (index, bytes) => {
        this.#alive(undefined);
        if (here.has(index)) return;
        const length = Math.min(pieceBytes, sizeBytes - index * pieceBytes);
        if (bytes.length !== length || (await this.#digest(bytes)) !== pieces[index])
          throw new BlobMismatchError(`Piece ${index} is not what the manifest says.`);
        here.set(index, Uint8Array.from(bytes));
      },
      read: async (index) => {
        this.#alive(undefined);
        const piece = here.get(index);
        return piece && Uint8Array.from(piece);
      },
      finish: async (finishOptions = {}) => {
        this.#alive(finishOptions.signal);
        if (here.size < pieces.length) throw new RangeError('Pieces are missing.');
        this.#parts.delete(hash);
        const whole = Buffer.concat([...pieces.keys()].map((index) => here.get(index) ?? Buffer.alloc(0)));
        return this.putBytes(whole, { ...finishOptions, expectedHash: hash });
      },
      suspend: async () => undefined,
    };
  }

  async open(hash: BlobHash, options: types.OpenOptions = {}): Promise<types.BlobReader> {
    const content = this.#get(hash, options.signal);
    const { start, end } = options.range ?? { start: 0, end: content.length };
    if (!(0 <= start && start <= end && end <= content.length))
      throw new RangeError('The range leaves the blob.');
    const chunks = (async function* () {
      if (end > start) yield content.slice(start, end);
    })();
    return { hash, sizeBytes: content.length, lengthBytes: end - start, chunks };
  }

  async read(hash: BlobHash, options: types.ReadOptions = {}): Promise<Uint8Array> {
    const content = this.#get(hash, options.signal);
    const maxBytes = options.maxBytes ?? defaultBlobStoreOptions.readBytesMax;
    if (content.length > maxBytes) throw new BlobTooLargeError(content.length, maxBytes);
    return content.slice();
  }

  async manifest(hash: BlobHash, options: types.SignalOption = {}): Promise<types.BlobManifest> {
    const content = this.#get(hash, options.signal);
    const pieceBytes = pieceBytesFor(content.length);
    const pieces: BlobHash[] = [];
    for (let at = 0; at < content.length; at += pieceBytes)
      pieces.push(await this.#digest(content.slice(at, at + pieceBytes)));
    return { hash, sizeBytes: content.length, pieceBytes, pieces };
  }

  async materialize(
    hash: BlobHash,
    destination: string,
    options: types.MaterializeOptions = {},
  ): Promise<void> {
    const content = this.#get(hash, options.signal);
    const refuse = options.existing === 'refuse';
    const target = refuse ? destination : `${destination}.tmp`;
    try {
      await writeFile(target, content, { flag: refuse ? 'wx' : 'w', mode: options.fileMode ?? 0o444 });
      if (!refuse) await rename(target, destination);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') throw new DestinationExistsError(destination);
      await rm(target, { force: true });
      throw new DestinationUnwritableError(destination, reasonOf(error), { cause: error });
    }
  }

  async hashFile(path: string, options: types.SignalOption = {}): Promise<types.BlobInfo> {
    this.#alive(options.signal);
    const bytes = await readSource(path);
    return { hash: await this.#digest(bytes), sizeBytes: bytes.length };
  }

  async pin(hash: BlobHash, owner: types.PinOwner): Promise<void> {
    this.#alive(undefined);
    assertBlobHash(hash);
    assertPinOwner(owner);
    this.#pins.add(hash, owner);
  }

  async unpin(hash: BlobHash, owner: types.PinOwner): Promise<void> {
    this.#alive(undefined);
    this.#pins.remove(hash, owner);
  }

  async unpinOwner(owner: types.PinOwner): Promise<void> {
    this.#unpinAll(owner);
  }

  #unpinAll(owner: types.PinOwner): void {
    for (const hash of this.#pins.hashes(owner)) this.#pins.remove(hash, owner);
  }

  pins(hash: BlobHash): readonly types.PinOwner[] {
    return this.#pins.owners(hash);
  }

  pinnedBy(owner: types.PinOwner): readonly BlobHash[] {
    return this.#pins.hashes(owner);
  }

  pinOwners(): readonly types.PinOwner[] {
    return this.#pins.allOwners();
  }

  async usage(): Promise<types.BlobUsage> {
    const pinnedBytes = this.#index.pinnedBytes;
    const fits = pinnedBytes + this.#refusedBytes <= this.#quotaBytes;
    if (fits) this.#refusedBytes = 0;
    const accepting = fits && pinnedBytes < this.#quotaBytes;
    return {
      usedBytes: this.#index.usedBytes,
      pinnedBytes,
      blobs: this.#index.count,
      quotaBytes: this.#quotaBytes,
      freeDiskBytes: this.#quotaBytes - this.#index.usedBytes,
      reserveBytes: 0,
      accepting,
      ...(accepting ? {} : { reason: 'The file store has reached its quota.' }),
    };
  }

  async collectGarbage(): Promise<types.GarbageReport> {
    return this.#evictFor(0);
  }

  async *check({ after }: types.CheckOptions = {}): AsyncGenerator<types.BlobCheck> {
    for (const hash of this.#pins.pinned()) if (!this.#contents.has(hash)) yield { hash, state: 'missing' };
    for (const hash of this.#index.hashes(after)) yield { hash, state: 'ok' };
  }

  subscribe(listener: (event: types.BlobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: types.BlobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #alive(signal: AbortSignal | undefined): void {
    if (!this.#running) throw new StoreStoppedError();
    signal?.throwIfAborted();
  }

  #find(hash: BlobHash): Uint8Array | undefined {
    this.#alive(undefined);
    assertBlobHash(hash);
    return this.#contents.get(hash);
  }

  #get(hash: BlobHash, signal: AbortSignal | undefined): Uint8Array {
    this.#alive(signal);
    const content = this.#find(hash);
    if (content === undefined) throw new BlobNotFoundError(hash);
    this.#index.add(hash, content.length, ++this.#uses);
    return content;
  }

  #evictFor(sizeBytes: number): types.GarbageReport {
    const report = { evictedBlobs: 0, evictedBytes: 0 };
    const mostBytes = this.#quotaBytes - sizeBytes;
    if (this.#index.pinnedBytes > mostBytes || this.#index.usedBytes <= mostBytes) return report;
    for (const entry of this.#index.evictable()) {
      if (this.#index.usedBytes <= mostBytes) break;
      this.#index.remove(entry.hash);
      this.#contents.delete(entry.hash);
      this.#emit({ type: 'blob-evicted', hash: entry.hash, sizeBytes: entry.sizeBytes });
      report.evictedBlobs += 1;
      report.evictedBytes += entry.sizeBytes;
    }
    return report;
  }
}

async function readSource(path: string): Promise<Uint8Array> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is no regular file');
    return await readFile(path);
  } catch (error) {
    throw new BlobSourceUnreadableError(path, reasonOf(error), { cause: error });
  }
}
