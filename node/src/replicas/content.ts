import {
  heldBy,
  type BlobHash,
  type JobId,
  type JobRecord,
  type PeerId,
  type TaskRecord,
} from '@cuadro/protocol';
import { BlobUnreachableError } from '../blobs/errors.ts';
import type { ContentPlace, ContentSource, EnsureOptions } from '../blobs/source.ts';
import type { FetchOptions, Transfer, WantedBlob } from '../blobs/transfer/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';

export interface ContentComponents {
  readonly transfer: Pick<Transfer, 'fetch' | 'fetchMany' | 'ensureTree'>;
  readonly queries: Pick<
    CoreQueries,
    'jobRecord' | 'jobIds' | 'taskRecord' | 'nodes' | 'removed' | 'claimantsOf'
  >;
  readonly mesh: Pick<Mesh, 'subscribe'>;
  readonly clock: Clock;
}

/** While it is waited for a machine, it is looked again so often: a record may name another holder by then. */
const LOOK_AGAIN_MS = 10_000;
/** Names of machines in one sentence. */
const NAMES_MAX = 3;

/** Content from the machines that the records name as its holders; others are asked when none of these answers. */
export function createContentSource(components: ContentComponents): ContentSource {
  const { transfer, queries } = components;
  const call = <T>(hash: BlobHash | undefined, place: ContentPlace, options: EnsureOptions, work: Work<T>) =>
    persist(components, options, () => {
      const { onWaiting: _, waitMaxMs: __, ...rest } = options;
      // Looked up once for each attempt: a job of many tasks is not walked for every request.
      const holders = holdersOf(queries, hash, place);
      return work({ ...rest, holders: () => holders });
    });
  return {
    async ensure(hash, place, options = {}) {
      await call(hash, place, options, (fetchOptions) => transfer.fetch(hash, fetchOptions));
    },
    async ensureMany(blobs: readonly WantedBlob[], place, options = {}) {
      await call(undefined, place, options, (fetchOptions) => transfer.fetchMany(blobs, fetchOptions));
    },
    async ensureTree(bundle, place, options = {}) {
      // The records name those alone that keep it; whoever renders has it too, and takes load off them (SPEC R166).
      const others = (): PeerId[] => queries.claimantsOf(bundle);
      await call(bundle, place, options, (fetchOptions) =>
        transfer.ensureTree(bundle, { ...fetchOptions, others }),
      );
    },
  };
}

type Work<T> = (options: FetchOptions) => Promise<T>;

/** Machines that should hold a file, as the records tell; empty where they tell nothing. */
export function holdersOf(
  queries: Pick<CoreQueries, 'jobRecord' | 'jobIds' | 'taskRecord' | 'removed'>,
  hash: BlobHash | undefined,
  place: ContentPlace,
): PeerId[] {
  const job = place.job === undefined ? jobNaming(queries, hash) : queries.jobRecord(place.job);
  const found = new Set<PeerId>();
  const task = job && place.task !== undefined ? queries.taskRecord(job.id, place.task) : undefined;
  if (task !== undefined) for (const peer of holdersOfTask(task)) found.add(peer);
  if (job !== undefined) {
    const { plan, bundle } = job.holders;
    const ofJob = hash === job.spec.plan ? plan : bundle;
    for (const peer of heldBy(ofJob)) found.add(peer);
    // Results go to the submitter first, and so do logs: it may have them before a record says so.
    found.add(job.spec.author);
  }
  // Whoever made or submitted it may be a member no more: nobody waits for that one (SPEC R64).
  return [...found].filter((peer) => !queries.removed().has(peer));
}

function jobNaming(
  queries: Pick<CoreQueries, 'jobRecord' | 'jobIds'>,
  hash: BlobHash | undefined,
): JobRecord | undefined {
  if (hash === undefined) return undefined;
  const names = (id: JobId): boolean => {
    const spec = queries.jobRecord(id)?.spec;
    return spec?.plan === hash || spec?.bundle === hash;
  };
  const id = queries.jobIds().find(names);
  return id === undefined ? undefined : queries.jobRecord(id);
}

function holdersOfTask(task: TaskRecord): PeerId[] {
  const results = Object.values(task.results).flatMap(({ holders, peer }) => [...heldBy(holders), peer]);
  const logs = Object.values(task.failures).flatMap(({ holders = {}, peer }) => [...heldBy(holders), peer]);
  return [...results, ...logs];
}

/** Does the work again whenever a machine comes back, as long as it is only for want of one, and so long at most. */
async function persist<T>(
  components: ContentComponents,
  { onWaiting, waitMaxMs = Number.POSITIVE_INFINITY, signal }: EnsureOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { clock } = components;
  let until: number | undefined;
  for (;;) {
    // Subscribed before the attempt: whoever comes back while it fails must not be missed.
    const back = someoneBack(components);
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BlobUnreachableError) || onWaiting === undefined) throw error;
      until ??= clock.now() + waitMaxMs;
      if (clock.now() >= until) throw error;
      onWaiting(waitingSentence(components.queries, error.holders));
      await back.wait(signal, until);
    } finally {
      back.leave();
    }
  }
}

function someoneBack({ mesh, clock }: ContentComponents): {
  wait(signal: AbortSignal | undefined, until: number): Promise<void>;
  leave(): void;
} {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  const unsubscribe = mesh.subscribe({
    peer: (_peer, state) => {
      if (state === 'reachable') resolve();
    },
  });
  let cancel = (): void => undefined;
  let onAbort = (): void => undefined;
  let watched: AbortSignal | undefined;
  return {
    wait: (signal, until) => {
      signal?.throwIfAborted();
      watched = signal;
      onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      cancel = clock.after(Math.min(LOOK_AGAIN_MS, until - clock.now()), resolve);
      return promise;
    },
    leave: () => {
      unsubscribe();
      cancel();
      watched?.removeEventListener('abort', onAbort);
    },
  };
}

/** What is waited for, in words. */
function waitingSentence(queries: Pick<CoreQueries, 'nodes'>, holders: readonly PeerId[]): string {
  const nodes = queries.nodes();
  const names = holders.map((peer) => nodes.find((node) => node.peer === peer)?.name ?? peer.slice(-8));
  if (names.length === 0) return 'Waits for a machine that has its files.';
  const named = names.slice(0, NAMES_MAX).join(', ');
  return names.length === 1 ? `Waits for machine ${named}.` : `Waits for one of the machines ${named}.`;
}
