import { createHash } from 'node:crypto';
import type { RecordBytes } from '@cuadro/protocol';
import { BlobCorruptError, StoreFullError } from '../../node/src/blobs/errors.ts';
import type * as blobs from '../../node/src/blobs/interface.ts';
import { createMemoryBlobStore, emptyBlobDisk, type MemoryBlobDisk } from '../../node/src/blobs/memory.ts';
import { isPassing } from '../../node/src/blobs/pins.ts';
import type { RecordStore, StoreBatch } from '../../node/src/store/interface.ts';
import { createMemoryStore, emptyDisk, type MemoryDisk } from '../../node/src/store/memory-store.ts';
import type { Dice } from './dice.ts';
import type { Host } from './host.ts';

/** What a machine keeps without power, and how its disk behaves. */
export interface SimDisk {
  readonly records: MemoryDisk;
  readonly blobs: MemoryBlobDisk;
  readonly faults: DiskFaults;
  /** Writes of records that are on the disk, and of those how many their process has heard of. */
  readonly writes: { done: number; answered: number };
}

export interface DiskFaults {
  /** What a write that is waited for takes on average. */
  writeMs: number;
  /** There is no room for files. */
  full: boolean;
  /** Every write of records fails. */
  broken: boolean;
  /** Files whose bytes are not what was written any more. */
  readonly damaged: Set<string>;
  /** Files that ever were. */
  readonly everDamaged: Set<string>;
}

export const newDisk = (): SimDisk => ({
  records: emptyDisk(),
  blobs: emptyBlobDisk(),
  faults: { writeMs: 2, full: false, broken: false, damaged: new Set(), everDamaged: new Set() },
  writes: { done: 0, answered: 0 },
});

/** Makes something durable: the moment at which it is lies before the answer, and a crash may come between. */
type Write = <T>(perform: () => Promise<T>) => Promise<T>;

function writer(host: Host, dice: Dice, faults: DiskFaults): Write {
  const pause = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    host.later(ms, resolve);
    return promise;
  };
  return async (perform) => {
    // A batch is whole or not there at all: a torn one is found by its checksum and left out.
    const wholeMs = 0.2 + dice.longTailed(faults.writeMs);
    const beforeMs = wholeMs * dice.float();
    await pause(beforeMs);
    const done = await perform();
    await pause(wholeMs - beforeMs);
    return done;
  };
}

const refusal = (): Error => Object.assign(new Error('The disk refuses to write.'), { code: 'EIO' });

/** The memory store on a disk that takes its time and loses what it had not written. */
export function openRecords(
  components: { host: Host; dice: Dice; bytes?: RecordBytes },
  disk: SimDisk,
): RecordStore {
  const { faults, writes } = disk;
  const { bytes } = components;
  // What another process wrote is no news to this one.
  writes.answered = writes.done;
  const inner = createMemoryStore(disk.records, bytes === undefined ? {} : { bytes });
  const write = writer(components.host, components.dice, faults);
  const guarded = async (perform: () => Promise<void>): Promise<void> => {
    await write(async () => {
      if (faults.broken) throw refusal();
      await perform();
      writes.done += 1;
    });
    writes.answered += 1;
  };
  return {
    start: () => inner.start(),
    stop: () => inner.stop(),
    load: (options) => inner.load(options),
    write: (batch: StoreBatch) => guarded(() => inner.write(batch)),
    getLocal: (key) => inner.getLocal(key),
    setLocal: (entries) => guarded(() => inner.setLocal(entries)),
    listLocal: (prefix) => inner.listLocal(prefix),
    eachLocalText: (prefix, each) => inner.eachLocalText(prefix, each),
    listDamagedLocal: () => inner.listDamagedLocal(),
  };
}

const FULL = 'The disk is full.';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The memory twin of the file store on the same disk; damaged files are found when they are read, as in the real one. */
export function openBlobs(
  components: { host: Host; dice: Dice },
  disk: SimDisk,
  quotaBytes?: number,
): blobs.BlobStore {
  const { faults } = disk;
  const inner = createMemoryBlobStore({
    disk: disk.blobs,
    ...(quotaBytes !== undefined && { quotaBytes }),
    digest: async (bytes) => sha256(bytes),
  });
  const write = writer(components.host, components.dice, faults);
  const listeners = new Set<(event: blobs.BlobEvent) => void>();
  const discard = (hash: string): void => {
    faults.damaged.delete(hash);
    const pinnedBy = [...inner.pins(hash)];
    disk.blobs.contents.delete(hash);
    for (const listener of listeners) listener({ type: 'blob-corrupt', hash, pinnedBy });
  };
  const assertWhole = (hash: string): void => {
    if (!faults.damaged.has(hash)) return;
    discard(hash);
    throw new BlobCorruptError(hash);
  };
  const store = <T>(sizeBytes: number, perform: () => Promise<T>): Promise<T> => {
    if (faults.full) return Promise.reject(new StoreFullError(sizeBytes, 0, FULL));
    return write(perform);
  };
  // Pins for the moment are not written down.
  const ofOwner = (owner: blobs.PinOwner, perform: () => Promise<void>): Promise<void> =>
    isPassing(owner) ? perform() : write(perform);
  const overlay: Partial<blobs.BlobStore> = {
    putBytes: (bytes, options) => store(bytes.length, () => inner.putBytes(bytes, options)),
    putStream: (chunks, options) => store(options.sizeBytes, () => inner.putStream(chunks, options)),
    putMany: (sources, options) => store(0, () => inner.putMany(sources, options)),
    pin: (hash, owner) => ofOwner(owner, () => inner.pin(hash, owner)),
    unpin: (hash, owner) => ofOwner(owner, () => inner.unpin(hash, owner)),
    unpinOwner: (owner) => ofOwner(owner, () => inner.unpinOwner(owner)),
    open: async (hash, options) => {
      assertWhole(hash);
      return inner.open(hash, options);
    },
    read: async (hash, options) => {
      assertWhole(hash);
      return inner.read(hash, options);
    },
    async *check(options) {
      for await (const found of inner.check(options)) {
        const isDamaged = found.state === 'ok' && faults.damaged.has(found.hash);
        if (isDamaged) discard(found.hash);
        yield isDamaged ? { ...found, state: 'corrupt' } : found;
      }
    },
    usage: async () => {
      const usage = await inner.usage();
      return faults.full ? { ...usage, freeDiskBytes: 0, accepting: false, reason: FULL } : usage;
    },
    subscribe: (listener) => {
      listeners.add(listener);
      const leave = inner.subscribe(listener);
      return () => {
        listeners.delete(listener);
        leave();
      };
    },
  };
  const bound = new Map<string | symbol, unknown>(Object.entries(overlay));
  return new Proxy(inner, {
    get: (target, name) => {
      const own = bound.get(name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method: unknown = value.bind(target);
      bound.set(name, method);
      return method;
    },
  });
}
