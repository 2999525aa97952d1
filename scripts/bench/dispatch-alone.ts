import { join } from 'node:path';
import {
  compileJob,
  decode,
  encode,
  type JobRecord,
  jobType,
  PLAN_BYTES_MAX,
  PlanView,
  planSchema,
  signJobSpec,
  type Signer,
  type TaskRecord,
} from '@cuadro/protocol';
import type { BlobStore } from '../../node/src/blobs/interface.ts';
import { createFileBlobStore } from '../../node/src/blobs/store.ts';
import { createCore } from '../../node/src/core/core.ts';
import { createDriver, type Driver } from '../../node/src/driver.ts';
import { foundFarm } from '../../node/src/farm/founding.ts';
import type { RecordStore } from '../../node/src/store/interface.ts';
import { createLevelStore } from '../../node/src/store/level-store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { temporaryIdentity } from '../../node/src/system/identity.ts';
import type { Logger, Startable } from '../../node/src/system/interface.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { createEchoSleepRunner } from '../../node/src/worker/runners/echo-sleep.ts';
import { createWorker, type Worker } from '../../node/src/worker/worker.ts';
import { bareLevel } from './bare-level.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded } from './harness.ts';

const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 20_000);
/** As many as the budget's sixteen workers hold together. */
const SLOTS = 16;
/** Too few to be judged; the code is compiled by then. */
const WARM_UP_TASKS = 2_000;

export const bench: Bench = {
  name: 'dispatch-alone',
  measures:
    `tasks/s of ${TASKS.toLocaleString('en-US')} tasks that do nothing, from the job's record to the moment when every result is ` +
    `durable: real brain, driver, worker with ${SLOTS} slots, and a LevelDB store that is fsynced; one node, alone in its farm. ` +
    'The baseline writes the same records into a bare LevelDB, in fsynced batches of the same sizes, in records/s. The ' +
    'ratio is dispatch ÷ baseline.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('dispatch');
  const farm = await startFarm(folder);
  try {
    await dispatch(farm, WARM_UP_TASKS);
    farm.store.batches.length = 0;
    const dispatched = await dispatch(farm, TASKS);
    const batches = [...farm.store.batches];
    const sizes = batches.map(({ length }) => length);
    const rate = TASKS / dispatched.seconds;
    context.say(
      `${TASKS} tasks in ${dispatched.seconds.toFixed(2)} s, ${batches.length} batches of ${Math.round(TASKS / batches.length)} records on average; ` +
        `${rounded((farm.store.writingMs() / 1_000 / dispatched.seconds) * 100)} % of the time a write was under way.`,
    );
    const bare = await bareLevel(join(folder, 'bare'), dispatched.records, sizes);
    const baseline = dispatched.records.length / bare;
    context.say(`Bare LevelDB: ${dispatched.records.length} records in ${bare.toFixed(2)} s.`);
    return {
      value: rounded(rate),
      unit: 'tasks/s',
      baseline: rounded(baseline),
      ratio: rounded(rate / baseline, 3),
      tasks: TASKS,
      batches: batches.length,
    };
  } finally {
    for (const part of farm.parts.reverse()) await part.stop();
  }
}

/** The store with an eye on what it is given. */
interface WatchedStore extends RecordStore {
  readonly batches: { length: number }[];
  writingMs(): number;
}

function watched(store: RecordStore): WatchedStore {
  const batches: { length: number }[] = [];
  let writingMs = 0;
  return {
    batches,
    writingMs: () => writingMs,
    start: () => store.start(),
    stop: () => store.stop(),
    load: () => store.load(),
    getLocal: (key) => store.getLocal(key),
    setLocal: (entries) => store.setLocal(entries),
    listLocal: (prefix) => store.listLocal(prefix),
    eachLocalText: (prefix, each) => store.eachLocalText(prefix, each),
    listDamagedLocal: () => store.listDamagedLocal(),
    write: async (batch) => {
      if (batches.length === 0) writingMs = 0;
      batches.push({ length: batch.put.length });
      const startedAt = performance.now();
      await store.write(batch);
      writingMs += performance.now() - startedAt;
    },
  };
}

interface Farm {
  signer: Signer;
  store: WatchedStore;
  blobs: BlobStore;
  driver: Driver;
  onEnd: { counted(): void };
  parts: Startable[];
}

/** Composed as in the daemon, without Blender, API and collection. */
async function startFarm(folder: string): Promise<Farm> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const signer = temporaryIdentity();
  const store = watched(createLevelStore(join(folder, 'records')));
  const blobs = createFileBlobStore({ clock, random }, { folder, options: { reserveBytes: 0 } });
  await store.start();
  await blobs.start();
  const core = createCore({ self: signer.peer, name: 'bench', term: 0, records: [] });
  const neverHere = (): never => {
    throw new CouldNotMeasure('A task of another kind was granted.');
  };
  const onEnd = { counted: (): void => undefined };
  const worker: Worker = createWorker(
    {
      clock,
      logger,
      blobs,
      reports: {
        progress: (attempt, progress) => driver.input({ kind: 'progress', attempt, ...progress }),
        ended: (attempt, outcome) => {
          driver.input({ kind: 'ended', attempt, outcome });
          onEnd.counted();
        },
      },
      onMachineFault: (sentence) => {
        throw new CouldNotMeasure(sentence);
      },
      runners: {
        'blender-frame': neverHere,
        film: neverHere,
        command: neverHere,
        'echo-sleep': createEchoSleepRunner({ clock }),
      },
    },
    { workFolder: join(folder, 'work'), logFolder: join(folder, 'logs'), slots: () => SLOTS },
  );
  const driver = createDriver({
    core,
    store,
    clock,
    logger,
    send: () => undefined,
    gossip: () => undefined,
    publish: () => undefined,
    worker: {
      run: (grant, job, task) => worker.run(grant, job, task),
      stop: (attempt, reason) => worker.stopAttempt(attempt, reason),
    },
    readPlan: async (hash) => planSchema.parse(decode(await blobs.read(hash), PLAN_BYTES_MAX)),
    onChanges: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
  await worker.start();
  await driver.start();
  await driver.merge(foundFarm({ clock, random, signer }, { farm: 'bench', machine: 'bench' }));
  driver.input({
    kind: 'worker',
    slots: SLOTS,
    bundles: [],
    accepting: true,
    capabilities: {
      engines: { node: '1' },
      renderEngines: [],
      denoisers: [],
      devices: [],
      programs: [],
      scripts: false,
      tags: [],
      cores: 1,
      memoryBytes: 0,
    },
  });
  return { signer, store, blobs, driver, onEnd, parts: [store, blobs, worker, driver] };
}

/** Submits a job and waits until all its results are durable. */
async function dispatch(farm: Farm, count: number): Promise<{ seconds: number; records: TaskRecord[] }> {
  const { driver } = farm;
  const record = await jobOf(farm, count);
  const finished = Promise.withResolvers<void>();
  let left = count;
  farm.onEnd.counted = () => {
    if (--left === 0) finished.resolve();
  };
  const startedAt = performance.now();
  await driver.merge([record]);
  await finished.promise;
  await driver.flushed();
  const seconds = (performance.now() - startedAt) / 1_000;
  farm.onEnd.counted = () => undefined;
  const records = Array.from({ length: count }, (_, index) => driver.queries.taskRecord(record.id, index));
  const state = driver.queries.job(record.id)?.state;
  if (state !== 'done') throw new CouldNotMeasure(`All tasks ended, and the job is ${state ?? 'gone'}.`);
  if (records.some((task) => task === undefined)) throw new CouldNotMeasure('A task has no record.');
  return { seconds, records: records as TaskRecord[] };
}

async function jobOf({ signer, blobs, driver }: Farm, count: number): Promise<JobRecord> {
  const { settings, plan } = compileJob(jobType('echo-sleep'), {
    frames: `1-${count}`,
    message: '',
    sleepMs: 0,
  });
  const id = createSystemRandom().name(16);
  const stored = await blobs.putBytes(encode(plan), { pin: id });
  const held = { [signer.peer]: { held: true, counter: 1 } };
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: 'bench',
      type: 'echo-sleep',
      settings,
      plan: stored.hash,
      tasks: new PlanView(plan).taskCount,
      order: driver.queries.nextOrder(),
      after: [],
      outputFolder: '/nowhere',
      wallTime: Date.now(),
    }),
    control: {},
    requests: {},
    holders: { bundle: {}, plan: held },
    acknowledged: true,
  };
}

const silent = (): void => undefined;
const logger: Logger = {
  debug: silent,
  info: silent,
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
};
