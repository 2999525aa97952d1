import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { createCore } from '../../../node/src/core/core.ts';
import { createDriver } from '../../../node/src/driver.ts';
import { localContent } from '../../../node/src/blobs/source.ts';
import { soleSafekeeping } from '../../../node/src/jobs/interface.ts';
import { createCopyWatch } from '../../../node/src/jobs/copy-watch.ts';
import { readPlan } from '../../../node/src/jobs/content.ts';
import { submitJob } from '../../../node/src/jobs/submission.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import { createMemoryStore, emptyDisk, type MemoryDisk } from '../../../node/src/store/memory-store.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { createTemporaryFiles } from '../../../node/src/system/temporary-files.ts';
import type { AttemptOutcome, Changes } from '../../../node/src/core/interface.ts';
import type { Grant, JobView, RouteBody, Signer } from '@cuadro/protocol';
import { capabilities } from '../core/farm.ts';

export const quiet = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => quiet,
} as unknown as Logger;

interface Init {
  disk?: MemoryDisk;
  blobs?: BlobStore;
  signer?: Signer;
  outputBase?: string;
  /** What its driver takes for its store: a way to make its disk fail. */
  disguise?: (store: RecordStore) => RecordStore;
  /** Told when its records can't be written; thrown without it. */
  onBroken?: (error: unknown) => void;
  onChanges?: (changes: Changes) => void;
  /** How each attempt ends; one that is left undefined goes on until the test ends it. */
  work?: (grant: Grant) => AttemptOutcome | undefined;
}

/** The brain, its driver and the rooms above it as the daemon wires them, on stores in memory; no engine. */
export async function nodeOfOne(init: Init = {}) {
  const disk = init.disk ?? emptyDisk();
  const signer = init.signer ?? temporaryIdentity();
  const blobs = init.blobs ?? createMemoryBlobStore();
  await blobs.start();
  const store = createMemoryStore(disk);
  await store.start();
  const clock = new ManualClock();
  const { records, term, damaged } = await store.load();
  const core = createCore({ self: signer.peer, name: 'here', term, records });
  const work = init.work ?? (() => ({ kind: 'result' as const, files: [], renderMs: 1, wallTime: 1 }));
  const stops: string[] = [];
  const driver = createDriver({
    core,
    store: init.disguise?.(store) ?? store,
    clock,
    logger: quiet,
    send: () => undefined,
    gossip: () => undefined,
    publish: () => undefined,
    worker: {
      run: (grant) => {
        const outcome = work(grant);
        if (outcome === undefined) return;
        queueMicrotask(() => driver.input({ kind: 'ended', attempt: grant.attempt, outcome }));
      },
      stop: (_, reason) => stops.push(reason),
    },
    readPlan: (hash) => readPlan({ blobs, content: localContent, logger: quiet }, hash),
    onChanges: init.onChanges ?? (() => undefined),
    onBroken: (error) => {
      if (init.onBroken === undefined) throw error;
      init.onBroken(error);
    },
  });
  await driver.start();
  const random = createSeededRandom(term + 1);
  const components = {
    clock,
    random,
    logger: quiet,
    blobs,
    content: localContent,
    copies: soleSafekeeping,
    temporaries: createTemporaryFiles({ random }, { owner: signer.peer.slice(-8) }),
    store,
    signer,
    driver,
    tools: () => Promise.resolve(undefined),
    machines: () => [],
    outputBase: () => init.outputBase ?? '/nowhere',
    dataFolder: '/nowhere',
    emit: () => undefined,
    accepted: () => undefined,
  };
  const copies = createCopyWatch(components);
  await copies.start();
  driver.input({
    kind: 'worker',
    capabilities: capabilities({ programs: ['/bin/true'] }),
    slots: 1,
    bundles: [],
    accepting: true,
  });
  return {
    disk,
    signer,
    blobs,
    store,
    clock,
    core,
    driver,
    components,
    stops,
    damaged,
    stop: async (): Promise<void> => {
      await copies.stop();
      await driver.stop();
    },
    submit: async (body: Partial<RouteBody<'submit'>>): Promise<JobView> => {
      const signal = new AbortController().signal;
      return (await submitJob(components, body, { signal })).job;
    },
    /** Resolves when the job is in one of the states. */
    until: async (job: string, state: string): Promise<void> => {
      for (let turn = 0; core.job(job)?.state !== state; turn++) {
        if (turn > 200_000) throw new Error(`The job is ${core.job(job)?.state}, not ${state}.`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await driver.flushed();
    },
  };
}
