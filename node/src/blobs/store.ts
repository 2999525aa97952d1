import type { Clock, Random } from '../system/interface.ts';
import { createTemporaryFiles, type TemporaryFiles } from '../system/temporary-files.ts';
import { Arrivals } from './arrivals.ts';
import { BlobIndex, type IndexEntry } from './blob-index.ts';
import {
  BlobNotFoundError,
  BlobTooLargeError,
  isNoRoom,
  StoreFullError,
  StoreStoppedError,
} from './errors.ts';
import { checkOne } from './check-one.ts';
import { Gate, mapBounded } from './gate.ts';
import { type BlobGround, systemGround } from './ground.ts';
import { Hasher } from './hasher.ts';
import { Intake } from './intake.ts';
import type * as types from './interface.ts';
import { assertBlobHash, type BlobLayout, blobLayout, prepareLayout } from './layout.ts';
import { type BlobStoreOptions, blobLimits, defaultBlobStoreOptions } from './options.ts';
import { Outlet } from './outlet.ts';
import { PinJournal } from './pins.ts';
import { wholeOf } from './reader.ts';
import { Shelf } from './shelf.ts';
import { Space } from './space.ts';
import { Unfinished } from './unfinished.ts';

type BlobHash = types.BlobHash;

export interface FileBlobStoreComponents {
  readonly clock: Clock;
  readonly random: Random;
  /** Names of what is copied out; the store's own by default, for a store that nobody else's folders know. */
  readonly temporaries?: TemporaryFiles;
  /** The machine's own by default; the simulator brings a disk that loses power. */
  readonly ground?: BlobGround;
}

/** A blob store in `folder`, the node's data folder; one process at a time (system/folder-lock.ts sees to that). */
export function createFileBlobStore(
  components: FileBlobStoreComponents,
  init: { folder: string; options?: Partial<BlobStoreOptions> },
): types.BlobStore {
  return new FileBlobStore(components, init);
}

/** What exists between a start and the next stop. */
interface Life {
  readonly shelf: Shelf;
  readonly space: Space;
  readonly intake: Intake;
  readonly outlet: Outlet;
  readonly arrivals: Arrivals;
  readonly stop: AbortController;
  readonly active: Set<Promise<unknown>>;
}

class FileBlobStore implements types.BlobStore {
  readonly #components: FileBlobStoreComponents;
  readonly #ground: BlobGround;
  readonly #options: BlobStoreOptions;
  readonly #layout: BlobLayout;
  readonly #hasher: Hasher;
  readonly #pieceHasher: Hasher;
  readonly #gate: Gate;
  readonly #listeners = new Set<(event: types.BlobEvent) => void>();
  #life: Life | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #accepting = true;

  constructor(
    components: FileBlobStoreComponents,
    init: { folder: string; options?: Partial<BlobStoreOptions> },
  ) {
    this.#components = components;
    this.#ground = components.ground ?? systemGround;
    this.#options = { ...defaultBlobStoreOptions, ...init.options };
    this.#layout = blobLayout(init.folder);
    const { hashThreads: threadsMax, hashIdleMs: idleMs } = this.#options;
    const threads = { clock: components.clock, spawn: this.#ground.spawn };
    this.#hasher = new Hasher(threads, { threadsMax, idleMs });
    this.#pieceHasher = new Hasher(threads, { threadsMax, idleMs });
    this.#gate = new Gate(this.#options.concurrency);
  }

  async start(): Promise<void> {
    await this.#stopping;
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { clock, random } = this.#components;
    const { files, digest } = this.#ground;
    const pins = new PinJournal({ files }, { path: this.#layout.pins });
    const index = new BlobIndex(pins.table);
    const emit = (event: types.BlobEvent): void => this.#emit(event);
    const threads = { hasher: this.#hasher, pieceHasher: this.#pieceHasher };
    const shelf = new Shelf({
      clock,
      random,
      files,
      digest,
      layout: this.#layout,
      ...threads,
      index,
      pins,
      emit,
    });
    try {
      await prepareLayout(this.#layout, files);
      await Promise.all([this.#hasher.start(), this.#pieceHasher.start()]);
      await pins.start(shelf.temporary());
    } catch (error) {
      await pins.stop();
      await Promise.all([this.#hasher.stop(), this.#pieceHasher.stop()]);
      throw shelf.explainWrite(error, 0);
    }
    const stop = new AbortController();
    const unfinished = new Unfinished({ clock, shelf });
    const space = new Space({
      files,
      layout: this.#layout,
      index,
      options: this.#options,
      listed: () => shelf.listed(stop.signal),
      evict: (entry) => shelf.evict(entry),
      unfinished,
    });
    const intake = new Intake({ shelf, space });
    const run = <T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T> =>
      this.#during(signal, (_life, joined) => task(joined));
    const arriving = { shelf, space, unfinished, hasher: this.#pieceHasher, run };
    const arrivals = new Arrivals(arriving, { openMax: this.#options.openParts });
    await unfinished.start();
    const temporaries =
      this.#components.temporaries ?? createTemporaryFiles({ random, files }, { owner: 'store' });
    const outlet = new Outlet({ shelf, hasher: this.#hasher, temporaries });
    this.#life = { shelf, space, intake, outlet, arrivals, stop, active: new Set() };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.#starting = undefined;
    life.stop.abort(new StoreStoppedError());
    while (life.active.size > 0) await Promise.allSettled(life.active);
    await life.arrivals.stop();
    await life.shelf.pins.stop();
    await Promise.all([this.#hasher.stop(), this.#pieceHasher.stop()]);
  }

  has(hash: BlobHash): Promise<types.BlobInfo | undefined> {
    return this.#during(undefined, async ({ shelf }) => {
      assertBlobHash(hash);
      const entry = await shelf.listing.find(hash);
      if (entry === undefined) return undefined;
      const stat = await this.#ground.files.lstat(this.#layout.pathOf(hash)).catch(() => undefined);
      if (stat?.size !== entry.sizeBytes) {
        if (stat === undefined) shelf.lost(hash);
        else await shelf.quarantine(hash);
        return undefined;
      }
      await shelf.settle(hash);
      return { hash, sizeBytes: entry.sizeBytes };
    });
  }

  putFile(path: string, options: types.PutFileOptions): Promise<types.BlobInfo> {
    return this.#put(options.signal, ({ intake, space }, signal) =>
      intake.putFile(path, { ...options, signal }).catch((error: unknown) => {
        // What is moved in is a result: others of its size would be refused too, and their work be lost.
        if (options.mode === 'move' && error instanceof StoreFullError) space.refused(error.neededBytes);
        throw error;
      }),
    );
  }

  putBytes(bytes: Uint8Array, options: types.PutOptions = {}): Promise<types.BlobInfo> {
    // Larger ones go by a file, so that they are hashed in pieces and off the loop.
    if (bytes.length > blobLimits.inlineBytes) {
      return this.putStream(oneChunk(bytes), { ...options, sizeBytes: bytes.length });
    }
    return this.#put(options.signal, ({ intake }, signal) => intake.putSmall(bytes, { ...options, signal }));
  }

  putStream(
    chunks: AsyncIterable<Uint8Array>,
    options: types.PutOptions & { sizeBytes: number },
  ): Promise<types.BlobInfo> {
    return this.#put(options.signal, ({ intake }, signal) =>
      intake.putStream(chunks, { ...options, signal }),
    );
  }

  putMany(
    sources: readonly types.BlobSource[],
    options: types.SignalOption & { pin?: types.PinOwner } = {},
  ): Promise<types.BlobInfo[]> {
    const pin = options.pin === undefined ? {} : { pin: options.pin };
    // Concurrent puts share folder syncs and pin batches, so many small files cost few of either.
    return mapBounded(sources, this.#options.concurrency, options.signal, (source, signal) =>
      'bytes' in source
        ? this.putBytes(source.bytes, { ...pin, signal })
        : this.putFile(source.path, { ...pin, signal, mode: source.mode }),
    );
  }

  receive(manifest: types.BlobManifest, options: types.SignalOption = {}): Promise<types.BlobArrival> {
    return this.#during(options.signal, ({ arrivals }, signal) => arrivals.receive(manifest, signal));
  }

  open(hash: BlobHash, options: types.OpenOptions = {}): Promise<types.BlobReader> {
    return this.#during(options.signal, async ({ shelf }, signal) => {
      const entry = await this.#entry(shelf, hash);
      const { start, end } = options.range ?? { start: 0, end: entry.sizeBytes };
      if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end)) {
        throw new RangeError('A byte range needs 0 ≤ start ≤ end.');
      }
      if (end > entry.sizeBytes) throw new RangeError(`The blob has only ${entry.sizeBytes} bytes.`);
      shelf.touch(entry);
      // The reader outlives this call; it ends with the caller's signal or the store.
      return shelf.reader.open(hash, entry.sizeBytes, { start, end, into: options.into }, signal);
    });
  }

  async read(hash: BlobHash, options: types.ReadOptions = {}): Promise<Uint8Array> {
    const { maxBytes = this.#options.readBytesMax, ...rest } = options;
    const reader = await this.#during(rest.signal, async ({ shelf }) => {
      const { sizeBytes } = await this.#entry(shelf, hash);
      if (sizeBytes > maxBytes) throw new BlobTooLargeError(sizeBytes, maxBytes);
      return this.open(hash, rest);
    });
    return wholeOf(reader);
  }

  manifest(hash: BlobHash, options: types.SignalOption = {}): Promise<types.BlobManifest> {
    return this.#during(options.signal, async ({ shelf }, signal) =>
      shelf.reader.manifest(hash, (await this.#entry(shelf, hash)).sizeBytes, signal),
    );
  }

  materialize(hash: BlobHash, destination: string, options: types.MaterializeOptions = {}): Promise<void> {
    return this.#put(options.signal, async ({ shelf, outlet }, signal) => {
      const entry = await this.#entry(shelf, hash);
      shelf.touch(entry);
      await outlet.materialize(entry, destination, { ...options, signal });
    });
  }

  hashFile(path: string, options: types.SignalOption = {}): Promise<types.BlobInfo> {
    return this.#during(options.signal, async ({ shelf }, signal) => {
      const { hash, sizeBytes } = await shelf.passOver(path, { wholeOnly: true, signal });
      return { hash, sizeBytes };
    });
  }

  pin(hash: BlobHash, owner: types.PinOwner): Promise<void> {
    return this.#during(undefined, async ({ shelf }) => {
      assertBlobHash(hash);
      await shelf.pins
        .add(hash, owner)
        .catch((error: unknown) => Promise.reject(shelf.explainWrite(error, 0)));
    });
  }

  unpin(hash: BlobHash, owner: types.PinOwner): Promise<void> {
    return this.#during(undefined, async ({ shelf }) => {
      assertBlobHash(hash);
      await shelf.pins
        .remove([hash], owner)
        .catch((error: unknown) => Promise.reject(shelf.explainWrite(error, 0)));
    });
  }

  unpinOwner(owner: types.PinOwner): Promise<void> {
    return this.#during(undefined, async ({ shelf }) => {
      const hashes = shelf.pins.table.hashes(owner);
      await shelf.pins
        .remove(hashes, owner)
        .catch((error: unknown) => Promise.reject(shelf.explainWrite(error, 0)));
    });
  }

  pins(hash: BlobHash): readonly types.PinOwner[] {
    return this.#alive().shelf.pins.table.owners(hash);
  }

  pinnedBy(owner: types.PinOwner): readonly BlobHash[] {
    return this.#alive().shelf.pins.table.hashes(owner);
  }

  pinOwners(): readonly types.PinOwner[] {
    return this.#alive().shelf.pins.table.allOwners();
  }

  usage(): Promise<types.BlobUsage> {
    return this.#during(undefined, ({ space }) => this.#currentUsage(space));
  }

  collectGarbage(): Promise<types.GarbageReport> {
    return this.#during(undefined, ({ space }) => space.collect());
  }

  async *check(options: types.CheckOptions = {}): AsyncGenerator<types.BlobCheck> {
    const { shelf } = this.#alive();
    await this.#during(options.signal, (life) => life.shelf.listed(life.stop.signal));
    // What is not here at all costs nothing to find, so it is told first.
    for (const hash of shelf.pins.table.pinned())
      if (!shelf.index.has(hash)) yield { hash, state: 'missing' };
    for (const hash of shelf.index.hashes(options.after)) {
      const state = await this.#during(options.signal, (life, signal) =>
        checkOne(life.shelf, hash, { ...options, signal }),
      );
      if (state !== undefined) yield { hash, state };
    }
  }

  subscribe(listener: (event: types.BlobEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: types.BlobEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #alive(): Life {
    if (this.#life === undefined) throw new StoreStoppedError();
    return this.#life;
  }

  async #entry(shelf: Shelf, hash: BlobHash): Promise<IndexEntry> {
    assertBlobHash(hash);
    const entry = await shelf.listing.find(hash);
    if (entry === undefined) throw new BlobNotFoundError(hash);
    return entry;
  }

  /** Runs a task that `stop` aborts and waits for. */
  async #during<T>(
    signal: AbortSignal | undefined,
    task: (life: Life, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const life = this.#alive();
    const joined = signal === undefined ? life.stop.signal : AbortSignal.any([signal, life.stop.signal]);
    joined.throwIfAborted();
    const running = task(life, joined);
    life.active.add(running);
    try {
      return await running;
    } finally {
      life.active.delete(running);
    }
  }

  /** As `#during`, with a bounded number at once; a refusal for lack of room is also told to who listens. */
  #put<T>(
    signal: AbortSignal | undefined,
    task: (life: Life, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.#during(signal, async (life, joined) => {
      try {
        return await this.#gate.run(joined, () => task(life, joined));
      } catch (error) {
        if (isNoRoom(error)) await this.#currentUsage(life.space).catch(() => undefined);
        throw error;
      }
    });
  }

  async #currentUsage(space: Space): Promise<types.BlobUsage> {
    const usage = await space.usage();
    if (usage.accepting !== this.#accepting) {
      this.#accepting = usage.accepting;
      this.#emit({ type: 'accepting-changed', usage });
    }
    return usage;
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
