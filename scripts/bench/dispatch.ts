import { join } from 'node:path';
import type { JobId, KnownRecord } from '@cuadro/protocol';
import { createMemoryNetwork, type MemoryNetwork } from '../../node/src/mesh/memory-mesh.ts';
import type { Mesh } from '../../node/src/mesh/interface.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { bareTwice } from './bare-level.ts';
import {
  type FarmMember,
  farmOf,
  identityOfMember,
  jobOfPlan,
  planOfNothing,
  reaches,
  startFarmMember,
} from './farm-member.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded, until } from './harness.ts';
import { createLightWorker, type LightWorker } from './light-worker.ts';

/**
 * The budget's dispatch: how much a coordinator gets through. The first two members are whole nodes: one coordinates,
 * the other submitted the job and is the second holder of every result. The workers are light (`light-worker.ts` says
 * which part of one is real), so that the core is not spent on sixteen replicas; `dispatch-whole` has them whole.
 */

const WORKERS = 16;
const WHOLE = 2;
const MEMBERS = WHOLE + WORKERS;
/** More slots than one hide nothing but disk waits, as tasks end at once. */
const SLOTS = Number(process.env['CUADRO_BENCH_SLOTS'] ?? 4);
const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 10_000);
/** Too few to be judged; the code is compiled by then. */
const WARM_UP_TASKS = 2_000;
const LOOK_MS = 10;

export const bench: Bench = {
  name: 'dispatch',
  measures:
    `tasks/s of ${TASKS.toLocaleString('en-US')} tasks that do nothing, from the job's record to the moment when every task's done ` +
    'record is durable on two nodes. Both are whole: brain, driver, copies, gossip and exchange of records, fsynced LevelDB; one ' +
    `coordinates, the other submitted the job and holds every result as well. ${WORKERS} workers on the same in-memory mesh are light: ` +
    'they say all that a worker says (claim, beacons, a result for each task, the request to hold it, gossip of their records), and ' +
    'keep nothing of others and nothing on disk. All of it shares one thread. The baseline writes the same records twice into bare ' +
    'LevelDBs, in fsynced batches of 64, in records/s. The ratio is dispatch ÷ baseline.',
  run,
};

interface Farm {
  coordinator: FarmMember;
  submitter: FarmMember;
  workers: LightWorker[];
  fault: PromiseWithResolvers<never>;
}

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('dispatch');
  const started: { stop(): Promise<void> }[] = [];
  try {
    const farm = await assemble(folder, started);
    await dispatch(farm, WARM_UP_TASKS);
    const gossipBefore = gossiped(farm);
    const cpuBefore = process.cpuUsage();
    const threadBefore = process.threadCpuUsage();
    const { seconds, job } = await dispatch(farm, TASKS);
    const threadS = secondsOf(process.threadCpuUsage(threadBefore));
    const cpuS = secondsOf(process.cpuUsage(cpuBefore));
    const gossipPerSecond = (gossiped(farm) - gossipBefore) / seconds;
    const rate = TASKS / seconds;
    context.say(
      `${TASKS} tasks in ${seconds.toFixed(2)} s, of which the thread ran ${threadS.toFixed(2)} s and the process ` +
        `${cpuS.toFixed(2)} s; ${rounded(gossipPerSecond)} gossiped messages/s in the whole farm.`,
    );
    const { queries } = farm.coordinator.driver;
    const records = Array.from(
      { length: TASKS },
      (_, index) => queries.taskRecord(job, index) as KnownRecord,
    );
    const baseline = TASKS / (await bareTwice(folder, records));
    return {
      value: rounded(rate),
      unit: 'tasks/s',
      baseline: rounded(baseline),
      ratio: rounded(rate / baseline, 3),
      tasks: TASKS,
      workers: WORKERS,
      slots: SLOTS,
      /** What the thread would do if it waited for nothing, neither disk nor other processes. */
      perThreadSecond: rounded(TASKS / threadS),
      threadMicrosecondsPerTask: rounded((threadS / TASKS) * 1e6),
      gossipPerSecond: rounded(gossipPerSecond),
    };
  } finally {
    for (const one of started.reverse()) await one.stop();
  }
}

const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

const meshesOf = ({ coordinator, submitter, workers }: Farm): Mesh[] =>
  [coordinator, submitter, ...workers].map(({ mesh }) => mesh);

const gossiped = (farm: Farm): number =>
  meshesOf(farm).reduce((sum, mesh) => sum + mesh.status().gossip.sent, 0);

async function assemble(folder: string, started: { stop(): Promise<void> }[]): Promise<Farm> {
  const network = createMemoryNetwork();
  const fault = Promise.withResolvers<never>();
  fault.promise.catch(() => undefined);
  const whole = async (number: number): Promise<FarmMember> => {
    const member = await startWhole(folder, network, number);
    started.push(member);
    return member;
  };
  const farm: Farm = {
    coordinator: await whole(1),
    submitter: await whole(2),
    workers: [],
    fault,
  };
  for (let number = WHOLE + 1; number <= MEMBERS; number++) {
    const worker = lightWorker(network, number, fault);
    started.push(worker);
    await worker.start();
    farm.workers.push(worker);
  }
  await meet(farm);
  return farm;
}

/** The two only coordinate, submit and hold, as the budget counts: sixteen others work. */
const startWhole = (folder: string, network: MemoryNetwork, number: number): Promise<FarmMember> =>
  startFarmMember({
    folder: join(folder, `member-${number}`),
    number,
    members: MEMBERS,
    slots: 0,
    mesh: (_components, init) => network.mesh(init),
  });

function lightWorker(
  network: MemoryNetwork,
  number: number,
  fault: PromiseWithResolvers<never>,
): LightWorker {
  const mesh = network.mesh({
    privateKey: identityOfMember(number).privateKey(),
    listen: ['127.0.0.1'],
    meshPort: 0,
    lobbyPort: 0,
    serviceName: undefined,
  });
  return createLightWorker(
    { mesh, clock: createSystemClock() },
    {
      farm: farmOf(MEMBERS),
      slots: SLOTS,
      submitter: identityOfMember(2).peer,
      onFault: (error) => fault.reject(error),
    },
  );
}

async function meet(farm: Farm): Promise<void> {
  const meshes = meshesOf(farm);
  for (const [index, mesh] of meshes.entries()) {
    for (const other of meshes.slice(0, index)) mesh.addAddresses(other.self, other.status().meshAddresses);
  }
  const { coordinator, submitter } = farm;
  for (const member of [coordinator, submitter]) await reaches(member, MEMBERS - 1);
  const leader = coordinator.signer.peer;
  await until('the first to be followed', () => {
    const { queries } = coordinator.driver;
    const follows = submitter.driver.queries.epoch?.peer === leader;
    const claims = queries.nodes().filter(({ slots }) => slots === SLOTS).length;
    return (follows && claims === WORKERS) || undefined;
  });
}

/** Submits a job, and waits until all its tasks are done by the durable records of both whole nodes. */
async function dispatch(farm: Farm, count: number): Promise<{ seconds: number; job: JobId }> {
  const { coordinator, submitter, fault } = farm;
  const drivers = [coordinator.driver, submitter.driver];
  const record = await jobOfPlan(submitter, planOfNothing(count));
  const startedAt = performance.now();
  await submitter.driver.merge([record]);
  // Looked at now and then: the view of a job costs more than a task.
  const done = until(
    'all tasks to be done',
    () => drivers.every(({ queries }) => queries.job(record.id)?.counts.done === count) || undefined,
    { everyMs: LOOK_MS },
  );
  await Promise.race([done, fault.promise]);
  // The brain is ahead of the disk by one group commit.
  for (const driver of drivers) await driver.flushed();
  const seconds = (performance.now() - startedAt) / 1_000;
  const state = coordinator.driver.queries.job(record.id)?.state;
  if (state !== 'done') throw new CouldNotMeasure(`All tasks are done, and the job is ${state ?? 'gone'}.`);
  return { seconds, job: record.id };
}
