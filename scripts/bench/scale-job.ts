import type { Grant, KnownRecord, TaskState } from '@cuadro/protocol';
import { loadCore } from '../../node/src/core/core.ts';
import type { Core, CoreEffect } from '../../node/src/core/interface.ts';
import { PACK_EVERY_MS } from '../../node/src/core/options.ts';
import { temporaryIdentity } from '../../node/src/system/identity.ts';
import { garbageCollector } from '../../test/unit/collect-garbage.ts';
import { capabilitiesOf } from './farm-member.ts';
import { CouldNotMeasure, median } from './harness.ts';
import { doneFrame, framesPlan, jobOfFrames } from './restart.ts';
import { threadMs } from './scale-wire.ts';

/** What a job of a given size is to the brain alone, in a process of its own. */

const JOB = 'a'.repeat(16);
const BLOB = '0'.repeat(64);
const SLOTS = 16;
/** Grants that are timed, after as many that are not; the code was compiled by another job before. */
const GRANTS = 4_000;
const WARM_UP_TASKS = 12_000;
/** As long as it takes to pack what a start leaves as objects, in the brain's own milliseconds. */
const PACKED_MS = 20_000;
const VIEWS = 9;
const PAGE = 200;

export interface JobFigures {
  /** Of the brain with all tasks open, and with a result of each; living bytes, collected before, in MB. */
  openMB: number;
  doneMB: number;
  /** Microseconds of the brain for a task's grant, its result and all that follows, in a job of so many open tasks. */
  grantUs: number;
  /** Milliseconds until the first page of the tasks in each state, the job's view, and the list of results are made. */
  pageMs: number;
  failedPageMs: number;
  viewMs: number;
  resultsMs: number;
}

const gc = garbageCollector();

function livingMB(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

const signer = temporaryIdentity();

/** A brain alone in its farm that has the job and its plan. */
function brainOf(tasks: number, records: Iterable<KnownRecord>): Core {
  const job = jobOfFrames(signer, { id: JOB, tasks, blob: BLOB, outputFolder: '/nowhere' });
  const loading = loadCore({ self: signer.peer, name: 'bench' });
  loading.take(job);
  for (const record of records) loading.take(record);
  const core = loading.end(0);
  core.step({ kind: 'start', now: 1 });
  core.step({ kind: 'plan', job: JOB, plan: framesPlan(tasks).plan, now: 2 });
  // What a start leaves as objects is packed within the first seconds.
  for (let now = 2; now < PACKED_MS; now += PACK_EVERY_MS) core.step({ kind: 'wake', now });
  return core;
}

function* doneFrames(tasks: number): Generator<KnownRecord> {
  for (let index = 0; index < tasks; index++) yield doneFrame(JOB, index, signer.peer);
}

/** Grants one task after the other to this machine, whose worker ends each at once. */
function grantUs(core: Core, tasks: number): number {
  const capabilities = { ...capabilitiesOf({}), engines: { blender: '3.4.1' }, renderEngines: ['CYCLES'] };
  const queue: Grant[] = [];
  const take = (effects: readonly CoreEffect[]): void => {
    for (const effect of effects) if (effect.kind === 'run') queue.push(effect.grant);
  };
  take(
    core.step({ kind: 'worker', slots: SLOTS, bundles: [], accepting: true, capabilities, now: PACKED_MS }),
  );
  const count = Math.min(GRANTS, Math.floor(tasks / 3));
  const end = (): void => {
    const grant = queue.shift();
    if (grant === undefined) throw new CouldNotMeasure('Nothing more is granted.');
    const { attempt } = grant;
    take(
      core.step({
        kind: 'ended',
        attempt,
        outcome: { kind: 'result', files: [], renderMs: 1, wallTime: 1 },
        now: PACKED_MS,
      }),
    );
  };
  for (let i = 0; i < count; i++) end();
  const startedMs = threadMs();
  for (let i = 0; i < count; i++) end();
  return ((threadMs() - startedMs) / count) * 1_000;
}

function millisecondsOf(act: () => unknown): number {
  const all = Array.from({ length: VIEWS }, () => {
    const startedMs = performance.now();
    act();
    return performance.now() - startedMs;
  });
  return median(all);
}

export function measureJob(tasks: number): JobFigures {
  grantUs(brainOf(WARM_UP_TASKS, []), WARM_UP_TASKS);
  const before = livingMB();
  const open = brainOf(tasks, []);
  const openMB = livingMB() - before;
  const granted = grantUs(open, tasks);
  const beforeDone = livingMB();
  const core = brainOf(tasks, doneFrames(tasks));
  const doneMB = livingMB() - beforeDone;
  const page = (state: TaskState) => () => core.tasks(JOB, { offset: 0, limit: PAGE, state });
  if (core.tasks(JOB, { offset: 0, limit: 1, state: 'rendered' }).total !== tasks)
    throw new CouldNotMeasure('Not every task has its result.');
  return {
    openMB,
    doneMB,
    grantUs: granted,
    pageMs: millisecondsOf(page('rendered')),
    failedPageMs: millisecondsOf(page('failed')),
    viewMs: millisecondsOf(() => core.job(JOB)),
    resultsMs: millisecondsOf(() => core.tasksWithResult(JOB)),
  };
}

if (import.meta.main) console.log(JSON.stringify(measureJob(Number(process.argv[2]))));
