import type { KnownRecord } from '@cuadro/protocol';

/** A record that is to be merged, made when its group is: what it says may have changed while the one before was written. */
type MakeRecord = () => KnownRecord;

/** Merges records in groups: while one group is being made durable, the next gathers. */
export class GroupMerge {
  readonly #merge: (records: KnownRecord[]) => Promise<void>;
  #next: { records: MakeRecord[]; done: PromiseWithResolvers<void> } | undefined;
  #running: Promise<void> | undefined;

  constructor(merge: (records: KnownRecord[]) => Promise<void>) {
    this.#merge = merge;
  }

  /** Resolves once the record is durable. */
  add(record: KnownRecord | MakeRecord): Promise<void> {
    this.#next ??= { records: [], done: Promise.withResolvers() };
    this.#next.records.push(typeof record === 'function' ? record : () => record);
    const { promise } = this.#next.done;
    this.#start();
    return promise;
  }

  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // It was added after the last look: nobody else would come for it.
      if (this.#next !== undefined) this.#start();
    });
  }

  async #run(): Promise<void> {
    // What is added in the same moment goes together.
    await Promise.resolve();
    for (let group = this.#next; group !== undefined; group = this.#next) {
      this.#next = undefined;
      await this.#write(group.records).then(group.done.resolve, group.done.reject);
    }
  }

  async #write(records: readonly MakeRecord[]): Promise<void> {
    await this.#merge(records.map((make) => make()));
  }
}
