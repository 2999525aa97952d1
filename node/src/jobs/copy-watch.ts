import type { BlobHash, HolderEntry, Holders, JobId, JobRecord, KnownRecord } from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';
import type { JobsComponents } from './interface.ts';

/** Between two stored files that are checked: a season of frames is gone through in a day, and the disk stays free. */
const CHECK_PAUSE_MS = 250;
/** While something renders here nothing is checked; it is looked again after this long, in milliseconds. */
const BUSY_PAUSE_MS = 10_000;
/** Between the end of a check of everything and the next, in milliseconds: a day. */
const CHECK_AGAIN_MS = 86_400_000;

export type CopyWatchComponents = Pick<JobsComponents, 'blobs' | 'clock' | 'driver' | 'logger' | 'signer'>;

/**
 * Takes this machine's word back for copies that turn out damaged or gone (SPEC R24), whoever met the damage: a
 * reader, the collection, or the slow check of everything that runs while nothing renders. Whatever has no holder
 * left is then rendered again (SPEC R38).
 */
export function createCopyWatch(components: CopyWatchComponents): Startable {
  return new CopyWatch(components);
}

class CopyWatch implements Startable {
  readonly #components: CopyWatchComponents;
  readonly #stop = new AbortController();
  #unsubscribe: (() => void) | undefined;
  #checking: Promise<void> | undefined;

  constructor(components: CopyWatchComponents) {
    this.#components = components;
  }

  start(): Promise<void> {
    this.#unsubscribe ??= this.#components.blobs.subscribe((event) => {
      if (event.type === 'blob-corrupt' || event.type === 'blob-missing') {
        this.#lost(event.hash, event.pinnedBy);
      }
    });
    this.#checking ??= this.#checkForever();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    await this.#checking;
  }

  async #checkForever(): Promise<void> {
    const { clock, logger } = this.#components;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#check().catch((error: unknown) => {
        if (!signal.aborted) logger.warn("Stored files can't be checked.", { error: String(error) });
      });
      await clock.sleep(CHECK_AGAIN_MS, { signal }).catch(() => undefined);
    }
  }

  async #check(): Promise<void> {
    const { blobs, clock } = this.#components;
    const { signal } = this.#stop;
    for await (const { hash, state } of blobs.check({ signal })) {
      // What is damaged is told as an event; a file that was gone before this start is seen only here.
      if (state === 'missing') this.#lost(hash, blobs.pins(hash));
      else await clock.sleep(CHECK_PAUSE_MS, { signal });
      while (this.#isBusy()) await clock.sleep(BUSY_PAUSE_MS, { signal });
    }
  }

  #isBusy(): boolean {
    const here = this.#components.driver.queries.nodes().find((node) => node.here);
    return (here?.live.running.length ?? 0) > 0;
  }

  #lost(hash: BlobHash, owners: readonly JobId[]): void {
    const { driver, logger, signer } = this.#components;
    const { queries } = driver;
    const changes: KnownRecord[] = [];
    for (const id of owners) {
      const record = queries.jobRecord(id);
      if (record === undefined || record.deleted !== undefined) continue;
      const changed = withoutCopy(record, hash, signer.peer);
      if (changed !== undefined) changes.push(changed);
      for (const index of queries.tasksWithResult(id)) {
        const task = queries.taskRecord(id, index);
        if (task === undefined) continue;
        const named = Object.entries(task.results).filter(
          ([, { files, holders }]) =>
            holders[signer.peer]?.held === true &&
            files.some(({ blob, preview }) => blob === hash || preview === hash),
        );
        if (named.length === 0) continue;
        const results = Object.fromEntries(
          named.map(([key, result]) => [key, { ...result, holders: withdrawn(result.holders, signer.peer) }]),
        );
        changes.push({ ...task, results: { ...task.results, ...results } });
      }
    }
    if (changes.length === 0) return;
    logger.warn('A stored file is damaged or gone; this machine no longer counts as holding it.', { hash });
    driver.merge(changes).catch((error: unknown) => {
      logger.warn("It can't be said that a file is gone.", { hash, error: String(error) });
    });
  }
}

/** The holders once a peer has taken its word back: only it writes its entry, with a higher counter (SPEC R24). */
function withdrawn(holders: Holders, peer: string): Holders {
  const entry: HolderEntry = { held: false, counter: (holders[peer]?.counter ?? 0) + 1 };
  return { ...holders, [peer]: entry };
}

/** The job's record where its plan or bundle is the file that is gone; undefined where neither is. */
function withoutCopy(record: JobRecord, hash: BlobHash, peer: string): JobRecord | undefined {
  const { spec } = record;
  let { holders } = record;
  for (const part of ['plan', 'bundle'] as const) {
    if (spec[part] !== hash || holders[part][peer]?.held !== true) continue;
    holders = { ...holders, [part]: withdrawn(holders[part], peer) };
  }
  return holders === record.holders ? undefined : { ...record, holders };
}
