import {
  BUNDLE_BYTES_MAX,
  readBundle,
  type BlobHash,
  type HolderEntry,
  type Holders,
  type JobId,
  type JobRecord,
  type KnownRecord,
} from '@cuadro/protocol';
import type { Startable } from '../system/interface.ts';
import type { JobsComponents } from './interface.ts';

/** Between two stored files that are checked: a season of frames is gone through in a day, and the disk stays free. */
const CHECK_PAUSE_MS = 250;
/** While something renders here nothing is checked; it is looked again after this long, in milliseconds. */
const BUSY_PAUSE_MS = 10_000;
/** Between the end of a check of everything and the next, in milliseconds: a day. */
const CHECK_AGAIN_MS = 86_400_000;
/** Results compared with the pins in one turn of the event loop. */
const RESULTS_PER_TURN = 1_000;
/**
 * Lists of a scene's files up to this size are compared with the pins at each check: some ten thousand files. A
 * larger one would hold the loop for long, and is read only where its own pin is gone.
 */
const LIST_BYTES_MAX = 2 ** 20;

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
        void this.#lost(event.hash, event.pinnedBy);
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
    await this.#pinPromised();
    for await (const { hash, state } of blobs.check({ signal })) {
      // What is damaged is told as an event; a file that was gone before this start is seen only here.
      if (state === 'missing') await this.#lost(hash, blobs.pins(hash));
      else await clock.sleep(CHECK_PAUSE_MS, { signal });
      while (this.#isBusy()) await clock.sleep(BUSY_PAUSE_MS, { signal });
    }
  }

  /**
   * Whatever the records promise of this machine is pinned (SPEC R171). It is already, unless the list of the pins
   * was damaged, or the records were and came back from others: then it could be evicted without a word.
   */
  async #pinPromised(): Promise<void> {
    const { clock, driver, signer } = this.#components;
    const { queries } = driver;
    let looked = 0;
    for (const id of queries.jobIds()) {
      const record = queries.jobRecord(id);
      if (record === undefined || record.deleted !== undefined) continue;
      if (isHeldBy(record.holders.plan, signer.peer)) await this.#pin(record.spec.plan, id);
      await this.#pinScene(record);
      for (const index of queries.tasksWithResult(id)) {
        if (++looked % RESULTS_PER_TURN === 0) await clock.sleep(0, { signal: this.#stop.signal });
        for (const { holders, files } of Object.values(queries.taskRecord(id, index)?.results ?? {})) {
          if (!isHeldBy(holders, signer.peer)) continue;
          for (const { blob } of files) await this.#pin(blob, id);
        }
      }
    }
  }

  async #pinScene({ id, spec: { bundle }, holders }: JobRecord): Promise<void> {
    const { blobs, signer } = this.#components;
    if (bundle === undefined || !isHeldBy(holders.bundle, signer.peer)) return;
    const wasPinned = blobs.pins(bundle).includes(id);
    await this.#pin(bundle, id);
    const list = await blobs.has(bundle);
    if (list === undefined || (wasPinned && list.sizeBytes > LIST_BYTES_MAX)) return;
    for (const hash of await this.#filesOf(bundle)) await this.#pin(hash, id);
  }

  async #pin(hash: BlobHash, job: JobId): Promise<void> {
    const { blobs } = this.#components;
    if (blobs.pins(hash).includes(job)) return;
    if ((await blobs.has(hash)) === undefined) await this.#lost(hash, [job]);
    else await blobs.pin(hash, job);
  }

  /** None where the list itself is damaged or gone: that is told of the list. */
  async #filesOf(bundle: BlobHash): Promise<BlobHash[]> {
    const read = await this.#components.blobs
      .read(bundle, { maxBytes: BUNDLE_BYTES_MAX, signal: this.#stop.signal })
      .then(readBundle)
      .catch(() => undefined);
    return read?.files.map(({ blob }) => blob) ?? [];
  }

  #isBusy(): boolean {
    const here = this.#components.driver.queries.nodes().find((node) => node.here);
    return (here?.live.running.length ?? 0) > 0;
  }

  async #lost(hash: BlobHash, owners: readonly JobId[]): Promise<void> {
    const { driver, logger } = this.#components;
    const { queries } = driver;
    const changes: KnownRecord[] = [];
    for (const id of owners) {
      const record = queries.jobRecord(id);
      if (record === undefined || record.deleted !== undefined) continue;
      const changed = await this.#withoutCopy(record, hash);
      if (changed !== undefined) changes.push(changed);
      changes.push(...this.#resultsWithout(id, hash));
    }
    if (changes.length === 0) return;
    logger.warn('A stored file is damaged or gone; this machine no longer counts as holding it.', { hash });
    driver.merge(changes).catch((error: unknown) => {
      logger.warn("It can't be said that a file is gone.", { hash, error: String(error) });
    });
  }

  *#resultsWithout(id: JobId, hash: BlobHash): Generator<KnownRecord> {
    const { driver, signer } = this.#components;
    for (const index of driver.queries.tasksWithResult(id)) {
      const task = driver.queries.taskRecord(id, index);
      if (task === undefined) continue;
      const named = Object.entries(task.results).filter(
        ([, { files, holders }]) =>
          isHeldBy(holders, signer.peer) &&
          files.some(({ blob, preview }) => blob === hash || preview === hash),
      );
      if (named.length === 0) continue;
      const results = Object.fromEntries(
        named.map(([key, result]) => [key, { ...result, holders: withdrawn(result.holders, signer.peer) }]),
      );
      yield { ...task, results: { ...task.results, ...results } };
    }
  }

  /** The job's record where the file that is gone is its plan, or of its scene; undefined where it is neither. */
  async #withoutCopy(record: JobRecord, hash: BlobHash): Promise<JobRecord | undefined> {
    const { peer } = this.#components.signer;
    const { plan, bundle } = record.spec;
    const { holders } = record;
    if (plan === hash && isHeldBy(holders.plan, peer))
      return { ...record, holders: { ...holders, plan: withdrawn(holders.plan, peer) } };
    if (bundle === undefined || !isHeldBy(holders.bundle, peer)) return undefined;
    // Who lacks one file of a scene holds no scene: another machine that trusts in it would be left without.
    if (bundle !== hash && !(await this.#filesOf(bundle)).includes(hash)) return undefined;
    return { ...record, holders: { ...holders, bundle: withdrawn(holders.bundle, peer) } };
  }
}

const isHeldBy = (holders: Holders, peer: string): boolean => holders[peer]?.held === true;

/** The holders once a peer has taken its word back: only it writes its entry, with a higher counter (SPEC R24). */
function withdrawn(holders: Holders, peer: string): Holders {
  const entry: HolderEntry = { held: false, counter: (holders[peer]?.counter ?? 0) + 1 };
  return { ...holders, [peer]: entry };
}
