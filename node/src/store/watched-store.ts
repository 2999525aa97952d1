import type { Clock, Logger } from '../system/interface.ts';
import { DiskWatch } from './disk-watch.ts';
import type { Loaded, LoadOptions, RecordStore, StoreBatch } from './interface.ts';

/** What is written to try the disk. */
const TRIED_KEY = 'disk-tried';

/** A store whose writes are watched for how long they take. */
export interface WatchedStore extends RecordStore {
  readonly disk: DiskWatch;
}

/**
 * Files are not watched: how long one takes to be durable tells how large it is. They lie on the same disk, and whatever
 * holds that up holds up the records of what was rendered as well.
 */
export function createWatchedStore(
  components: { clock: Clock; logger: Logger },
  store: RecordStore,
): WatchedStore {
  return new Watched(components, store);
}

class Watched implements WatchedStore {
  readonly disk: DiskWatch;
  readonly #store: RecordStore;

  constructor(components: { clock: Clock; logger: Logger }, store: RecordStore) {
    this.#store = store;
    this.disk = new DiskWatch({
      ...components,
      tryDisk: () => this.setLocal({ [TRIED_KEY]: components.clock.wallTime() }),
    });
  }

  start(): Promise<void> {
    return this.#store.start();
  }

  stop(): Promise<void> {
    this.disk.stop();
    return this.#store.stop();
  }

  load(options?: LoadOptions): Promise<Loaded> {
    return this.#store.load(options);
  }

  write(batch: StoreBatch): Promise<void> {
    return this.disk.during(() => this.#store.write(batch));
  }

  setLocal(entries: Record<string, unknown>): Promise<void> {
    return this.disk.during(() => this.#store.setLocal(entries));
  }

  getLocal(key: string): Promise<unknown> {
    return this.#store.getLocal(key);
  }

  listLocal(prefix: string): Promise<[key: string, value: unknown][]> {
    return this.#store.listLocal(prefix);
  }

  eachLocalText(prefix: string, each: (key: string, text: string) => void): Promise<void> {
    return this.#store.eachLocalText(prefix, each);
  }

  listDamagedLocal(): Promise<string[]> {
    return this.#store.listDamagedLocal();
  }
}
