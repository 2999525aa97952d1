import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLE_BYTES_MAX, readBundle, type BlobHash, type Bundle, type JobId } from '@cuadro/protocol';
import { BlobCorruptError, BlobNotFoundError } from '../blobs/errors.ts';
import type { BlobStore, PinOwner } from '../blobs/interface.ts';
import { PASSING } from '../blobs/pins.ts';
import type { ContentSource } from '../blobs/source.ts';
import { removeTree, restoreTree } from '../blobs/tree.ts';
import type { Logger, Random } from '../system/interface.ts';
import { workerLimits } from './limits.ts';

/** A rebuilt scene that stays until `release` is called. */
export interface OpenScene {
  directory: string;
  bundle: Bundle;
  release(): void;
}

/** For whom a scene is opened. */
export interface SceneUse {
  job: JobId;
  signal: AbortSignal;
  /** What is being done before it is there: fetched, waited for. */
  progress(text: string): void;
}

interface Entry {
  ready: Promise<Bundle>;
  /** Ends the rebuilding when nobody wants it any more. */
  abort: AbortController;
  uses: Set<SceneUse>;
  lastUse: number;
}

interface Restoring {
  job: JobId;
  tell: (text: string) => void;
  signal: AbortSignal;
}

function fetchingText(progress: { doneBytes: number; sizeBytes: number | undefined }): string {
  const { doneBytes, sizeBytes } = progress;
  if (sizeBytes === undefined || sizeBytes === 0) return 'Fetching the scene';
  return `Fetching the scene, ${Math.floor((100 * doneBytes) / sizeBytes)} %`;
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Rebuilds bundles as trees below one folder, each once, and forgets those that nobody uses. */
export class SceneFolders {
  readonly folder: string;
  readonly #blobs: BlobStore;
  readonly #content: ContentSource;
  readonly #random: Random;
  readonly #logger: Logger | undefined;
  readonly #entries = new Map<BlobHash, Entry>();
  readonly #restoring = new Map<BlobHash, Promise<Bundle>>();
  /** Scenes on their way out; one that is wanted again meanwhile waits until it is gone. */
  readonly #leaving = new Map<BlobHash, Promise<void>>();
  #uses = 0;

  constructor(
    components: { blobs: BlobStore; content: ContentSource; random: Random; logger?: Logger },
    init: { folder: string },
  ) {
    this.#blobs = components.blobs;
    this.#content = components.content;
    this.#random = components.random;
    this.#logger = components.logger;
    this.folder = init.folder;
  }

  /**
   * Fetches what isn't here from the machines that hold it, and waits for them a while where none answers. Rejects with
   * `BlobUnreachableError` after that, and with what the store says where a part of the bundle is damaged or there is no
   * room for it.
   */
  async open(hash: BlobHash, use: SceneUse): Promise<OpenScene> {
    let entry = this.#entries.get(hash);
    if (entry === undefined) {
      entry = this.#begin(hash, use.job);
      this.#entries.set(hash, entry);
    }
    entry.uses.add(use);
    entry.lastUse = ++this.#uses;
    const held = entry;
    const release = (): void => {
      if (!held.uses.delete(use)) return;
      if (held.uses.size === 0) void this.#forgetIdle();
    };
    try {
      const bundle = await unlessAborted(entry.ready, use.signal);
      return { directory: this.#directory(hash), bundle, release };
    } catch (error) {
      release();
      // Aborting one wait leaves the others theirs; what nobody waits for is given up.
      if (held.uses.size === 0) held.abort.abort(use.signal.reason);
      throw error;
    }
  }

  bundles(): BlobHash[] {
    return [...this.#entries.keys()];
  }

  #begin(hash: BlobHash, job: JobId): Entry {
    const abort = new AbortController();
    const uses = new Set<SceneUse>();
    const tell = (text: string): void => {
      for (const use of uses) use.progress(text);
    };
    const entry: Entry = {
      ready: this.#restore(hash, { job, tell, signal: abort.signal }),
      abort,
      uses,
      lastUse: 0,
    };
    const forget = (): void => {
      if (this.#entries.get(hash) === entry) this.#entries.delete(hash);
    };
    entry.ready.catch(forget);
    // Whoever comes after it was given up begins anew.
    abort.signal.addEventListener('abort', forget, { once: true });
    return entry;
  }

  async #restore(hash: BlobHash, work: Restoring): Promise<Bundle> {
    // One rebuilding of a scene at a time, also after one that was given up.
    const before = this.#restoring.get(hash);
    const restored = (async () => {
      await before?.catch(() => undefined);
      await this.#leaving.get(hash);
      return this.#restoreNow(hash, work);
    })();
    this.#restoring.set(hash, restored);
    try {
      return await restored;
    } finally {
      if (this.#restoring.get(hash) === restored) this.#restoring.delete(hash);
    }
  }

  async #restoreNow(hash: BlobHash, work: Restoring): Promise<Bundle> {
    try {
      return await this.#fetchAndBuild(hash, work);
    } catch (error) {
      // What was damaged is out of use now, and what was evicted is gone: once more it is fetched from elsewhere.
      if (!(error instanceof BlobCorruptError || error instanceof BlobNotFoundError)) throw error;
      return await this.#fetchAndBuild(hash, work).catch(() => Promise.reject(error));
    }
  }

  async #fetchAndBuild(hash: BlobHash, work: Restoring): Promise<Bundle> {
    // Else a store that has not room for all of it gives up what came first for what comes after it, and lacks that in
    // the end, as if a file of the scene were gone.
    const pin = `${PASSING}scene-${hash.slice(0, 32)}`;
    try {
      return await this.#buildPinned(hash, { ...work, pin });
    } finally {
      await this.#blobs.unpinOwner(pin).catch(() => undefined);
    }
  }

  async #buildPinned(
    hash: BlobHash,
    { job, tell, signal, pin }: Restoring & { pin: PinOwner },
  ): Promise<Bundle> {
    await this.#content.ensureTree(
      hash,
      { job },
      {
        signal,
        pin,
        onWaiting: tell,
        waitMaxMs: workerLimits.sceneWaitMs,
        onProgress: (progress) => tell(fetchingText(progress)),
      },
    );
    const bytes = await this.#blobs.read(hash, { maxBytes: BUNDLE_BYTES_MAX });
    const bundle = readBundle(bytes);
    const entries = bundle.files.map((file) => ({
      path: file.path,
      hash: file.blob,
      sizeBytes: file.sizeBytes,
    }));
    const components = { blobs: this.#blobs, random: this.#random };
    await restoreTree(components, entries, this.#directory(hash), { signal });
    return bundle;
  }

  #directory(hash: BlobHash): string {
    return join(this.folder, hash.slice(0, 32));
  }

  async #forgetIdle(): Promise<void> {
    const idle = [...this.#entries]
      .filter(([, entry]) => entry.uses.size === 0)
      .sort((a, b) => b[1].lastUse - a[1].lastUse);
    for (const [hash] of idle.slice(workerLimits.idleScenes)) {
      this.#entries.delete(hash);
      const leaving = this.#remove(this.#directory(hash)).finally(() => this.#leaving.delete(hash));
      this.#leaving.set(hash, leaving);
      await leaving;
    }
  }

  /** At start nothing is in use: what no job needs any more goes. */
  async sweep(wanted: ReadonlySet<BlobHash>): Promise<void> {
    const keep = new Set([...wanted].map((hash) => hash.slice(0, 32)));
    for (const name of await readdir(this.folder).catch(() => [])) {
      if (!keep.has(name)) await this.#remove(join(this.folder, name));
    }
  }

  /** Its folders are read-only; one that can't be removed takes room until the next start, and is told. */
  async #remove(folder: string): Promise<void> {
    await removeTree(folder).catch((error: unknown) => {
      this.#logger?.warn("A scene that nobody uses can't be removed.", { folder, error: String(error) });
    });
  }
}
