import {
  heldLog,
  heldOfTask,
  promisedBlobs,
  withdrawnBy,
  type BlobHash,
  type Holders,
  type JobId,
  type JobRecord,
  type KnownRecord,
  type TaskIndex,
  type TaskRecord,
} from '@cuadro/protocol';
import { filesOfBundle } from '../blobs/bundle-files.ts';
import { isBlobHash } from '../blobs/layout.ts';
import type { Startable } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import type { JobsComponents } from './interface.ts';

/**
 * Between two stored files that are checked, and two stretches of a large one: a season of frames is gone through in a
 * day, and the disk stays free.
 */
const CHECK_PAUSE_MS = 250;
/** While something renders here nothing is checked; it is looked again after this long, in milliseconds. */
const BUSY_PAUSE_MS = 10_000;
/** Between the end of a check of everything and the next, in milliseconds: a day. */
const CHECK_AGAIN_MS = 86_400_000;
/** Results compared in one turn of the event loop, and so the records that are merged at once. */
const RESULTS_PER_TURN = 1_000;
/**
 * Files that are gone are gathered up to this many before their results are sought: each search goes through all
 * results of a job, so few searches must do for a folder of a million files that was emptied. Some 10 MB.
 */
const GONE_TOGETHER = 100_000;
/**
 * Lists of a scene's files up to this size are compared with the pins at each check: some ten thousand files. A
 * larger one would hold the loop for long, and is read only where its own pin is gone.
 */
const LIST_BYTES_MAX = 2 ** 20;

/** How far the check came is noted at most so often, in milliseconds: after a kill a minute's files are read again. */
const NOTE_EVERY_MS = 60_000;
/** The file that was read last of a check that has not come to its end, in the node's own notes. */
const READ_LAST_KEY = 'check/last';

export type CopyWatchComponents = Pick<JobsComponents, 'blobs' | 'clock' | 'driver' | 'logger' | 'signer'> & {
  store: Pick<JobsComponents['store'], 'getLocal' | 'setLocal'>;
};

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
  /** Files that are damaged or gone, by the jobs that need them, until their results are sought. */
  readonly #gone = new Map<JobId, Set<BlobHash>>();
  /** Those that are sought now, in the job whose turn it is. */
  #sought = new Set<BlobHash>();
  #withdrawing: Promise<void> | undefined;

  constructor(components: CopyWatchComponents) {
    this.#components = components;
  }

  start(): Promise<void> {
    this.#unsubscribe ??= this.#components.blobs.subscribe((event) => {
      if (event.type === 'blob-corrupt') {
        const { hash } = event;
        this.#components.logger.warn('A stored file is damaged: it was put aside, and is served no more.', {
          hash,
        });
      }
      if (event.type === 'blob-corrupt' || event.type === 'blob-missing') {
        this.#lost(event.hash, event.pinnedBy);
      } else if (event.type === 'blob-stored') {
        this.#isHereAgain(event.hash);
      }
    });
    this.#checking ??= this.#checkForever();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    await this.#checking;
    await this.#withdrawing;
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
    const { blobs, clock, store } = this.#components;
    const { signal } = this.#stop;
    await this.#pinPromised();
    // A machine that is on for some hours a day would else read the first files each day, and the last never.
    const last = await store.getLocal(READ_LAST_KEY).catch(() => undefined);
    const after = typeof last === 'string' && isBlobHash(last) ? last : undefined;
    let missing = 0;
    let notedMs = clock.now();
    let isNoted = after !== undefined;
    for await (const { hash, state } of blobs.check({ signal, after, rest: (stop) => this.#rest(stop) })) {
      if (state === 'missing') {
        // What is damaged is told as an event; a file that was gone before this start is seen only here.
        this.#lost(hash, blobs.pins(hash));
        await this.#afterLost(++missing);
        continue;
      }
      if (clock.now() - notedMs >= NOTE_EVERY_MS) {
        notedMs = clock.now();
        isNoted = true;
        await this.#noteLast(hash);
      }
      await this.#rest(signal);
    }
    if (isNoted) await this.#noteLast(undefined);
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    await clock.sleep(CHECK_PAUSE_MS, { signal });
    while (this.#isBusy()) await clock.sleep(BUSY_PAUSE_MS, { signal });
  }

  /** Where it can't be noted, some files are read again after the next start, and nothing is lost. */
  async #noteLast(hash: BlobHash | undefined): Promise<void> {
    await this.#components.store.setLocal({ [READ_LAST_KEY]: hash }).catch(() => undefined);
  }

  /**
   * Whatever the records promise of this machine is pinned (SPEC R171). It is already, unless the list of the pins
   * was damaged, or the records were and came back from others: then it could be evicted without a word.
   */
  async #pinPromised(): Promise<void> {
    const { driver, signer } = this.#components;
    const { queries } = driver;
    let looked = 0;
    for (const id of queries.jobIds()) {
      const record = queries.jobRecord(id);
      if (record === undefined || record.deleted !== undefined) continue;
      if (isHeldBy(record.holders.plan, signer.peer)) await this.#pin(record.spec.plan, id);
      await this.#pinScene(record);
      for (const index of tasksHeld(queries, id)) {
        if (++looked % RESULTS_PER_TURN === 0) await this.#turn();
        const task = queries.taskRecord(id, index);
        for (const hash of task === undefined ? [] : heldOfTask(task, signer.peer)) await this.#pin(hash, id);
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
    if ((await blobs.has(hash)) !== undefined) return blobs.pin(hash, job);
    this.#lost(hash, [job]);
    await this.#afterLost(this.#gone.get(job)?.size ?? 0);
  }

  /** None where the list itself is damaged or gone: that is told of the list. */
  #filesOf(bundle: BlobHash): Promise<BlobHash[]> {
    const { signal } = this.#stop;
    return filesOfBundle(this.#components.blobs, bundle, { signal }).catch(() => []);
  }

  #isBusy(): boolean {
    const here = this.#components.driver.queries.nodes().find((node) => node.here);
    return (here?.live.running.length ?? 0) > 0;
  }

  /** The results that name it are sought with those of all that goes in the same moment, or during a search. */
  #lost(hash: BlobHash, owners: readonly JobId[]): void {
    for (const id of owners) {
      const gone = this.#gone.get(id);
      if (gone === undefined) this.#gone.set(id, new Set([hash]));
      else gone.add(hash);
    }
    if (this.#gone.size === 0) return;
    this.#withdrawing ??= this.#withdraw();
  }

  /** For who finds many one after the other. */
  async #afterLost(found: number): Promise<void> {
    if (found % GONE_TOGETHER === 0) await this.#withdrawing;
    else if (found % RESULTS_PER_TURN === 0) await this.#turn();
  }

  /** Rendered again or fetched before its turn came: the word that is given for it now stands. */
  #isHereAgain(hash: BlobHash): void {
    this.#sought.delete(hash);
    for (const gone of this.#gone.values()) gone.delete(hash);
  }

  async #withdraw(): Promise<void> {
    const { signal } = this.#stop;
    await Promise.resolve();
    for (let [next] = this.#gone; next !== undefined && !signal.aborted; [next] = this.#gone) {
      const [job, gone] = next;
      this.#gone.delete(job);
      this.#sought = gone;
      await this.#withdrawFrom(job, gone).catch((error: unknown) => {
        if (signal.aborted) return;
        this.#components.logger.warn("It can't be said that stored files are gone.", {
          ...{ job, files: gone.size, error: String(error) },
        });
      });
    }
    // In the same turn as the last look: what is lost from now on begins anew.
    this.#withdrawing = undefined;
  }

  /** One pass over the job's results, however many files are gone. */
  async #withdrawFrom(id: JobId, gone: ReadonlySet<BlobHash>): Promise<void> {
    const { driver, logger, signer } = this.#components;
    const { queries } = driver;
    const record = queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined) return;
    let changes: KnownRecord[] = [];
    let isTold = false;
    const merge = async (): Promise<void> => {
      if (changes.length === 0) return;
      const [hash] = gone;
      if (!isTold)
        logger.warn('Stored files are damaged or gone; this machine no longer counts as holding them.', {
          ...{ job: id, files: gone.size, hash },
        });
      isTold = true;
      const merged = driver.merge(changes);
      changes = [];
      await merged;
    };
    const changed = await this.#withoutCopy(record, gone);
    if (changed !== undefined) changes.push(changed);
    for (const [i, index] of tasksHeld(queries, id).entries()) {
      if (i % RESULTS_PER_TURN === RESULTS_PER_TURN - 1) {
        await merge();
        await this.#turn();
      }
      const task = queries.taskRecord(id, index);
      const without = task && taskWithout(task, gone, signer.peer);
      if (without !== undefined) changes.push(without);
    }
    await merge();
  }

  async #turn(): Promise<void> {
    await nextTurn();
    this.#stop.signal.throwIfAborted();
  }

  /** The job's record where its plan, or a file of its scene, is gone; undefined where neither is. */
  async #withoutCopy(record: JobRecord, gone: ReadonlySet<BlobHash>): Promise<JobRecord | undefined> {
    const { peer } = this.#components.signer;
    const { plan, bundle } = record.spec;
    const { holders } = record;
    const lost: Partial<JobRecord['holders']> = {};
    if (gone.has(plan) && isHeldBy(holders.plan, peer)) lost.plan = withdrawnBy(holders.plan, peer);
    if (bundle !== undefined && isHeldBy(holders.bundle, peer)) {
      // Who lacks one file of a scene holds no scene: another machine that trusts in it would be left without.
      const isLost = gone.has(bundle) || (await this.#filesOf(bundle)).some((hash) => gone.has(hash));
      if (isLost) lost.bundle = withdrawnBy(holders.bundle, peer);
    }
    return Object.keys(lost).length === 0 ? undefined : { ...record, holders: { ...holders, ...lost } };
  }
}

/** Tasks of which a machine may hold a result, or the log of a failed attempt. */
const tasksHeld = (queries: CopyWatchComponents['driver']['queries'], job: JobId): TaskIndex[] => [
  ...new Set([...queries.tasksWithResult(job), ...queries.tasksWithFailure(job)]),
];

/** The task's record where this machine says that it holds a result, or a log, of which a file is gone. */
function taskWithout(task: TaskRecord, gone: ReadonlySet<BlobHash>, peer: string): TaskRecord | undefined {
  const results = Object.entries(task.results).filter(
    ([, result]) => isHeldBy(result.holders, peer) && promisedBlobs(result).some((hash) => gone.has(hash)),
  );
  const failures = Object.entries(task.failures).filter(([, one]) => gone.has(heldLog(one, peer) ?? ''));
  if (results.length + failures.length === 0) return undefined;
  return {
    ...task,
    results: { ...task.results, ...withdrawnFrom(results, peer) },
    failures: { ...task.failures, ...withdrawnFrom(failures, peer) },
  };
}

const withdrawnFrom = <T extends { holders?: Holders }>(entries: [string, T][], peer: string) =>
  Object.fromEntries(
    entries.map(([key, one]) => [key, { ...one, holders: withdrawnBy(one.holders ?? {}, peer) }]),
  );

const isHeldBy = (holders: Holders, peer: string): boolean => holders[peer]?.held === true;
