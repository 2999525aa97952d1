import { constants } from 'node:fs';
import type { FileCalls } from '../system/file-calls.ts';
import { freeDiskBytes } from '../system/files.ts';
import type { BlobIndex, IndexEntry } from './blob-index.ts';
import { StoreFullError } from './errors.ts';
import type { BlobUsage, GarbageReport } from './interface.ts';
import type { BlobLayout } from './layout.ts';
import type { BlobStoreOptions } from './options.ts';
import type { Unfinished } from './unfinished.ts';

export interface SpaceComponents {
  readonly files: FileCalls;
  readonly layout: BlobLayout;
  readonly index: BlobIndex;
  readonly options: BlobStoreOptions;
  /** Resolves once the index knows all that is here. */
  readonly listed: () => Promise<void>;
  /** Removes one blob; false when it could not be, or was pinned meanwhile. */
  readonly evict: (entry: IndexEntry) => Promise<boolean>;
  /** What was begun and nobody goes on with now. */
  readonly unfinished: Pick<Unfinished, 'bytes' | 'drop'>;
}

/** Room promised to a blob that fills it little by little. */
export interface Room {
  /** So many bytes of it are on the disk now, and need not be found free any more. */
  readonly wrote: (bytes: number) => void;
  /** Takes the promise back, after the blob has arrived or was given up. */
  readonly release: () => void;
}

/**
 * Keeps quota and reserve (SPEC R194): makes room by evicting, and by giving up what is unfinished once there is nothing
 * else to evict, or says what is missing.
 */
export class Space {
  readonly #components: SpaceComponents;
  /** Bytes promised to puts in flight. */
  #promisedBytes = 0;
  /** Those of them that are on the disk already. */
  #writtenBytes = 0;
  /** The largest result that was refused lately: nothing is accepted until one of its size has room. */
  #refusedBytes = 0;
  #making: Promise<unknown> = Promise.resolve();

  constructor(components: SpaceComponents) {
    this.#components = components;
  }

  /**
   * Promises room for a blob of `sizeBytes`, of which `diskBytes` are new on this disk, or throws `store-full`.
   * The returned function takes the promise back, after the put has ended.
   */
  async promise(sizeBytes: number, diskBytes = sizeBytes): Promise<() => void> {
    return (await this.room(sizeBytes, diskBytes)).release;
  }

  /** As `promise`, for what is written little by little. */
  async room(sizeBytes: number, diskBytes = sizeBytes): Promise<Room> {
    // One at a time: two that evict for the same shortage would evict twice.
    const turn = this.#making.then(() => this.#makeRoom(sizeBytes, diskBytes));
    this.#making = turn.catch(() => undefined);
    await turn;
    let held = true;
    let written = sizeBytes - diskBytes;
    this.#writtenBytes += written;
    return {
      wrote: (bytes) => {
        const counted = held ? Math.min(bytes, sizeBytes - written) : 0;
        written += counted;
        this.#writtenBytes += counted;
      },
      release: () => {
        if (held) {
          this.#promisedBytes -= sizeBytes;
          this.#writtenBytes -= written;
        }
        held = false;
      },
    };
  }

  async #makeRoom(sizeBytes: number, diskBytes: number): Promise<void> {
    const { options, index, listed } = this.#components;
    await listed();
    const shortage = await this.#shortage(sizeBytes, diskBytes);
    if (shortage.bytes > 0) {
      if (this.#yieldingBytes() >= shortage.bytes) await this.#evict(sizeBytes, diskBytes);
      const left = await this.#shortage(sizeBytes, diskBytes);
      if (left.bytes > 0) {
        const quotaLeft = options.quotaBytes - index.usedBytes;
        const freeBytes = left.of === 'disk' ? left.freeBytes : Math.max(0, quotaLeft);
        throw new StoreFullError(sizeBytes, freeBytes, sentenceOf(left.of, left.freeBytes, options));
      }
    }
    this.#promisedBytes += sizeBytes;
  }

  /** A result of this size was refused. */
  refused(sizeBytes: number): void {
    this.#refusedBytes = Math.max(this.#refusedBytes, sizeBytes);
  }

  async collect(): Promise<GarbageReport> {
    await this.#components.listed();
    const turn = this.#making.then(() => this.#evict(0, 0));
    this.#making = turn.catch(() => undefined);
    return turn;
  }

  async usage(): Promise<BlobUsage> {
    const { options, index, layout, files, listed } = this.#components;
    await listed();
    const { pinnedBytes } = index;
    const freeBytes = await freeDiskBytes(layout.blobs, files).catch(() => undefined);
    const state = {
      usedBytes: index.usedBytes,
      pinnedBytes,
      blobs: index.count,
      quotaBytes: options.quotaBytes,
      freeDiskBytes: freeBytes ?? 0,
      reserveBytes: options.reserveBytes,
    };
    const yieldingBytes = this.#yieldingBytes();
    let reason: string | undefined;
    if (freeBytes === undefined || (await isGone(layout, files)))
      reason = `The data folder ${layout.root} is gone, or a part of it.`;
    else if (await isReadOnly(layout.incoming, files))
      reason = `The data folder ${layout.root} cannot be written to.`;
    else if (freeBytes + yieldingBytes < options.reserveBytes)
      reason = sentenceOf('disk', freeBytes, options);
    else if (pinnedBytes >= options.quotaBytes) reason = sentenceOf('quota', freeBytes, options);
    else reason = await this.#whyRefused(yieldingBytes);
    return reason === undefined ? { ...state, accepting: true } : { ...state, accepting: false, reason };
  }

  /** Why the largest result that was refused would be refused again; it is forgotten once it has room. */
  async #whyRefused(yieldingBytes: number): Promise<string | undefined> {
    if (this.#refusedBytes === 0) return undefined;
    const { bytes, of, freeBytes } = await this.#shortage(this.#refusedBytes, this.#refusedBytes);
    const needed = sizeText(this.#refusedBytes);
    if (bytes > yieldingBytes)
      return `A result of ${needed} found no room. ${sentenceOf(of, freeBytes, this.#components.options)}`;
    this.#refusedBytes = 0;
    return undefined;
  }

  /** How much too little there is for a put, and of what. */
  async #shortage(
    sizeBytes: number,
    diskBytes: number,
  ): Promise<{ bytes: number; of: 'disk' | 'quota'; freeBytes: number }> {
    const { options, index, layout, files, unfinished } = this.#components;
    const freeBytes = await freeDiskBytes(layout.blobs, files);
    const heldBytes = index.usedBytes + unfinished.bytes;
    const ofQuota = heldBytes + this.#promisedBytes + sizeBytes - options.quotaBytes;
    // Content that is on this disk already (a move) needs the reserve no more than it did before.
    const ofDisk =
      sizeBytes > 0 && diskBytes === 0
        ? 0
        : options.reserveBytes + this.#promisedBytes - this.#writtenBytes + diskBytes - freeBytes;
    return ofDisk >= ofQuota
      ? { bytes: ofDisk, of: 'disk', freeBytes }
      : { bytes: ofQuota, of: 'quota', freeBytes };
  }

  /** What can go for something new. */
  #yieldingBytes(): number {
    const { index, unfinished } = this.#components;
    return index.usedBytes - index.pinnedBytes + unfinished.bytes;
  }

  async #evict(sizeBytes: number, diskBytes: number): Promise<GarbageReport> {
    const { index, evict, unfinished } = this.#components;
    let evictedBlobs = 0;
    let evictedBytes = 0;
    // Counted down by what was evicted: the disk may report freed space only later.
    let { bytes } = await this.#shortage(sizeBytes, diskBytes);
    for (const entry of bytes > 0 ? index.evictable() : []) {
      if (bytes <= 0) break;
      if (!(await evict(entry))) continue;
      evictedBlobs += 1;
      evictedBytes += entry.sizeBytes;
      bytes -= entry.sizeBytes;
    }
    // Last: what is cached has been of use, and what is unfinished was fetched for nothing so far.
    if (bytes > 0) await unfinished.drop(bytes);
    return { evictedBlobs, evictedBytes };
  }
}

async function isGone(layout: BlobLayout, files: FileCalls): Promise<boolean> {
  const found = await Promise.all(
    [layout.blobs, layout.incoming].map((folder) => files.stat(folder).catch(() => undefined)),
  );
  return found.includes(undefined);
}

async function isReadOnly(folder: string, files: FileCalls): Promise<boolean> {
  try {
    await files.access(folder, constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

function sentenceOf(of: 'disk' | 'quota', freeBytes: number, options: BlobStoreOptions): string {
  if (of === 'quota') {
    return `The file store's quota is ${sizeText(options.quotaBytes)}, and all that it holds is still needed.`;
  }
  const reserve = sizeText(options.reserveBytes);
  return `The disk has only ${sizeText(freeBytes)} free; ${reserve} are kept in reserve for the system.`;
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
