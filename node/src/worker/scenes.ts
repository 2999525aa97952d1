import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLE_BYTES_MAX, bundleSchema, decode, type BlobHash, type Bundle } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import { removeTree, restoreTree } from '../blobs/tree.ts';
import type { Logger, Random } from '../system/interface.ts';
import { workerLimits } from './limits.ts';

/** A rebuilt scene that stays until `release` is called. */
export interface OpenScene {
  directory: string;
  bundle: Bundle;
  release(): void;
}

interface Entry {
  ready: Promise<Bundle>;
  users: number;
  lastUse: number;
}

/** Rebuilds bundles as trees below one folder, each once, and forgets those that nobody uses. */
export class SceneFolders {
  readonly folder: string;
  readonly #blobs: BlobStore;
  readonly #random: Random;
  readonly #logger: Logger | undefined;
  readonly #entries = new Map<BlobHash, Entry>();
  /** Scenes on their way out; one that is wanted again meanwhile waits until it is gone. */
  readonly #leaving = new Map<BlobHash, Promise<void>>();
  #uses = 0;

  constructor(components: { blobs: BlobStore; random: Random; logger?: Logger }, init: { folder: string }) {
    this.#blobs = components.blobs;
    this.#random = components.random;
    this.#logger = components.logger;
    this.folder = init.folder;
  }

  /** Rejects with what the store says where a part of the bundle is missing or damaged. */
  async open(hash: BlobHash, signal: AbortSignal): Promise<OpenScene> {
    let entry = this.#entries.get(hash);
    if (entry === undefined) {
      entry = { ready: this.#restore(hash), users: 0, lastUse: 0 };
      this.#entries.set(hash, entry);
      entry.ready.catch(() => this.#entries.delete(hash));
    }
    entry.users++;
    entry.lastUse = ++this.#uses;
    const held = entry;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      held.users--;
      void this.#forgetIdle();
    };
    try {
      const bundle = await entry.ready;
      signal.throwIfAborted();
      return { directory: this.#directory(hash), bundle, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  bundles(): BlobHash[] {
    return [...this.#entries.keys()];
  }

  async #restore(hash: BlobHash): Promise<Bundle> {
    await this.#leaving.get(hash);
    const bytes = await this.#blobs.read(hash, { maxBytes: BUNDLE_BYTES_MAX });
    const bundle = bundleSchema.parse(decode(bytes, BUNDLE_BYTES_MAX));
    const entries = bundle.files.map((file) => ({
      path: file.path,
      hash: file.blob,
      sizeBytes: file.sizeBytes,
    }));
    await restoreTree({ blobs: this.#blobs, random: this.#random }, entries, this.#directory(hash));
    return bundle;
  }

  #directory(hash: BlobHash): string {
    return join(this.folder, hash.slice(0, 32));
  }

  async #forgetIdle(): Promise<void> {
    const idle = [...this.#entries]
      .filter(([, entry]) => entry.users === 0)
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
