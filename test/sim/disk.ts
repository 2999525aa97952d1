import { createHash } from 'node:crypto';
import type { RecordBytes } from '@cuadro/protocol';
import { BlobCorruptError, StoreFullError } from '../../node/src/blobs/errors.ts';
import type * as blobs from '../../node/src/blobs/interface.ts';
import { createMemoryBlobStore, emptyBlobDisk, type MemoryBlobDisk } from '../../node/src/blobs/memory.ts';
import { isPassing } from '../../node/src/blobs/pins.ts';
import type { RecordStore, StoreBatch } from '../../node/src/store/interface.ts';
import { KnownTerms } from '../../node/src/store/known-terms.ts';
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
  /** The last write of records stands there in part: whoever opens them finds that, and nothing of that write. */
  isTorn: boolean;
}

export interface DiskFaults {
  /** What a write that is waited for takes on average. */
  writeMs: number;
  /** There is no room for files. */
  full: boolean;
  /** Nor is there for what is small: of the writes of records, notes and pins some find a place, and some don't. */
  filled: boolean;
  /** Every write of records fails. */
  broken: boolean;
  /** Ends the process, or the power, in the midst of the next write of records, which is torn by it. */
  cutAtWrite: (() => void) | undefined;
  /** Files whose bytes are not what was written any more. */
  readonly damaged: Set<string>;
  /** Files that ever were. */
  readonly everDamaged: Set<string>;
}

export const newDisk = (): SimDisk => ({
  records: emptyDisk(),
  blobs: emptyBlobDisk(),
  faults: {
    ...{ writeMs: 2, full: false, filled: false, broken: false },
    ...{ cutAtWrite: undefined, damaged: new Set(), everDamaged: new Set() },
  },
  writes: { done: 0, answered: 0 },
  isTorn: false,
});

/** Whether a node may find that it can't write, and ends. */
export const refuses = ({ broken, filled }: DiskFaults): boolean => broken || filled;

/** Makes something durable: the moment at which it is lies before the answer, and a crash may come between. */
type Write = <T>(perform: () => Promise<T>) => Promise<T>;

function writer(host: Host, dice: Dice, faults: DiskFaults): Write {
  const pause = (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    host.later(ms, resolve);
    return promise;
  };
  return async (perform) => {
    const wholeMs = 0.2 + dice.longTailed(faults.writeMs);
    const beforeMs = wholeMs * dice.float();
    await pause(beforeMs);
    const done = await perform();
    await pause(wholeMs - beforeMs);
    return done;
  };
}

/** Share of small writes that find no place on a disk that is filled. */
const REFUSED = 0.5;

/** Throws as a disk does that writes nothing now. Its dice are of its own, so that a disk that is well throws none. */
function guardOf(faults: DiskFaults, dice: Dice): () => void {
  const own = dice.fork('refused');
  return () => {
    const isRefused = faults.broken || (faults.filled && own.chance(REFUSED));
    const code = faults.broken ? 'EIO' : 'ENOSPC';
    if (isRefused) throw Object.assign(new Error('The disk refuses to write.'), { code });
  };
}

/**
 * The memory store on a disk that takes its time and loses what it had not written. A batch is whole or not there at all:
 * a torn one LevelDB finds by its checksum and leaves out, and the store says that its log was cut (SPEC R173).
 */
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
  const guard = guardOf(faults, components.dice);
  let wasTorn = false;
  const guarded = async (perform: () => Promise<void>): Promise<void> => {
    await write(async () => {
      guard();
      const { cutAtWrite } = faults;
      if (cutAtWrite !== undefined) {
        disk.isTorn = true;
        cutAtWrite();
        // Nobody is left to whom this could be answered.
        return new Promise<void>(() => undefined);
      }
      await perform();
      writes.done += 1;
    });
    writes.answered += 1;
  };
  return {
    start: async () => {
      // Whoever opens them writes: what the log holds goes into a table, and a new log is begun.
      if (faults.filled) await write(async () => guard());
      await inner.start();
      wasTorn = disk.isTorn;
      disk.isTorn = false;
    },
    stop: () => inner.stop(),
    load: async (options) => {
      const loaded = await inner.load(options);
      if (!wasTorn) return loaded;
      const known = new KnownTerms();
      for (const record of loaded.records) known.see(record);
      return { ...loaded, term: KnownTerms.of(loaded.term, known), lacks: 'cut' };
    },
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
  const refused = components.dice.fork('refused');
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
    isPassing(owner)
      ? perform()
      : write(() => {
          if (faults.filled && refused.chance(REFUSED)) throw new StoreFullError(0, 0, FULL);
          return perform();
        });
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
