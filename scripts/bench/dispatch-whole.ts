import { join } from 'node:path';
import type { JobId, KnownRecord } from '@cuadro/protocol';
import { createMemoryNetwork, type MemoryNetwork } from '../../node/src/mesh/memory-mesh.ts';
import { bareTwice } from './bare-level.ts';
import {
  type FarmMember,
  identityOfMember,
  jobOfPlan,
  planOfNothing,
  reaches,
  startFarmMember,
} from './farm-member.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded, until } from './harness.ts';

const WORKERS = 16;
const MEMBERS = WORKERS + 1;
/** Tasks that do nothing are measured beside each other in a slot; more slots than one hide nothing but disk waits. */
const SLOTS = Number(process.env['CUADRO_BENCH_SLOTS'] ?? 4);
const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 10_000);
/** Too few to be judged; the code is compiled by then. */
const WARM_UP_TASKS = 1_000;

export const bench: Bench = {
  name: 'dispatch-whole',
  measures:
    `tasks/s of ${TASKS.toLocaleString('en-US')} tasks that do nothing, from the job's record to the moment when every task is done, ` +
    `its record durable on two nodes: a coordinator and ${WORKERS} workers over an in-memory mesh, each with its own brain, driver, ` +
    "worker, copies, records' gossip and fsynced LevelDB, all in one process, so one core does the work of 17 machines. The baseline " +
    'writes the same records twice into bare LevelDBs, in fsynced batches of 64, in records/s. The ratio is dispatch ÷ baseline. ' +
    'No bar stands for it: sharesPerSecond is what one core does of one node in such a farm.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('dispatch-whole');
  const network = createMemoryNetwork();
  const onChanges = { look: (): void => undefined };
  const members: FarmMember[] = [];
  try {
    for (let number = 1; number <= MEMBERS; number++)
      members.push(await startOne(folder, network, number, () => number === 1 && onChanges.look()));
    const [coordinator] = members as [FarmMember, ...FarmMember[]];
    await meet(members);
    await dispatch(coordinator, onChanges, WARM_UP_TASKS);
    const gossipBefore = gossiped(members);
    const { seconds, job } = await dispatch(coordinator, onChanges, TASKS);
    const gossipPerSecond = (gossiped(members) - gossipBefore) / seconds;
    const rate = TASKS / seconds;
    context.say(
      `${TASKS} tasks in ${seconds.toFixed(2)} s; ${rounded(gossipPerSecond)} gossiped messages/s in the whole farm.`,
    );
    const records = Array.from(
      { length: TASKS },
      (_, index) => coordinator.driver.queries.taskRecord(job, index) as KnownRecord,
    );
    const bareS = await bareTwice(folder, records);
    const baseline = TASKS / bareS;
    return {
      value: rounded(rate),
      unit: 'tasks/s',
      baseline: rounded(baseline),
      ratio: rounded(rate / baseline, 3),
      tasks: TASKS,
      workers: WORKERS,
      slots: SLOTS,
      /** What one core does of one node's share: every node keeps every record, so each task is work for all of them. */
      sharesPerSecond: rounded(rate * MEMBERS),
      gossipPerSecond: rounded(gossipPerSecond),
    };
  } finally {
    for (const member of members.reverse()) await member.stop();
  }
}

const gossiped = (members: readonly FarmMember[]): number =>
  members.reduce((sum, { mesh }) => sum + mesh.status().gossip.sent, 0);

/** The first only coordinates, as the budget counts: sixteen others work. */
function startOne(
  folder: string,
  network: MemoryNetwork,
  number: number,
  onChanges: () => void,
): Promise<FarmMember> {
  return startFarmMember({
    folder: join(folder, `member-${number}`),
    number,
    members: MEMBERS,
    slots: number === 1 ? 0 : SLOTS,
    mesh: (_components, init) => network.mesh(init),
    onChanges,
  });
}

async function meet(members: readonly FarmMember[]): Promise<void> {
  for (const [index, member] of members.entries()) {
    for (const other of members.slice(0, index))
      member.mesh.addAddresses(other.signer.peer, other.mesh.status().meshAddresses);
  }
  for (const member of members) await reaches(member, MEMBERS - 1);
  const leader = identityOfMember(1).peer;
  await until(
    'all to follow the first',
    () => members.every(({ driver }) => driver.queries.epoch?.peer === leader || undefined) || undefined,
  );
}

/** Submits a job, and waits until all its tasks are done: held durably by two. */
async function dispatch(
  coordinator: FarmMember,
  onChanges: { look(): void },
  count: number,
): Promise<{ seconds: number; job: JobId }> {
  const { driver } = coordinator;
  const record = await jobOfPlan(coordinator, planOfNothing(count));
  const finished = Promise.withResolvers<void>();
  onChanges.look = () => {
    if (driver.queries.job(record.id)?.counts.done === count) finished.resolve();
  };
  const startedAt = performance.now();
  await driver.merge([record]);
  await finished.promise;
  const seconds = (performance.now() - startedAt) / 1_000;
  onChanges.look = () => undefined;
  const state = driver.queries.job(record.id)?.state;
  if (state !== 'done') throw new CouldNotMeasure(`All tasks are done, and the job is ${state ?? 'gone'}.`);
  return { seconds, job: record.id };
}
