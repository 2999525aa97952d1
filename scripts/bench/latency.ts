import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { multiaddr } from '@multiformats/multiaddr';
import { attemptKey, type Plan, type PlanGroup } from '@cuadro/protocol';
import { identityOfMember, jobOfPlan, reaches, type FarmMember } from './farm-member.ts';
import {
  type Bench,
  type BenchContext,
  CouldNotMeasure,
  endChild,
  type Measured,
  percentile,
  rounded,
  until,
} from './harness.ts';
import {
  ASKS,
  ECHO,
  type Line,
  monotonicMs,
  startBareHost,
  startLatencyMember,
  TAG_ASKS,
  TAG_WORKS,
  WORKS,
} from './latency-member.ts';

/** Tasks that become ready one by one, and jobs of one task. */
const READY = 400;
const SUBMITTED = 150;
const WARM_UP = 20;
/** Between two tasks that become ready: the worker has ended the one before long since, and is idle. */
const READY_EVERY_MS = 25;
const ROUND_TRIPS = 500;
/** As large as a message of one grant. */
const ROUND_TRIP_BYTES = 350;
const memberScript = fileURLToPath(new URL('latency-member.ts', import.meta.url));

/**
 * Two ways in which a task comes to be available. *Ready*: what it waits for has just ended on the coordinator's
 * machine; from there the end is made durable, the task granted, and begun by the other machine. *Submitted*: a job
 * of one task; from before its plan is stored, over its record and plan reaching the other machine, to its beginning
 * there. Both ends are read from CLOCK_MONOTONIC, one clock for both processes.
 */
export const bench: Bench = {
  name: 'latency',
  measures:
    `ms from a task being available to its beginning on an idle worker in another process, over libp2p on loopback: ` +
    `${READY} tasks that become ready (value, p50), and ${SUBMITTED} jobs of one task each. Real brain, driver, fsynced ` +
    'store, mesh, worker. The baseline is the p50 of a round trip on a bare libp2p stream with the same noise between ' +
    'the same two processes. The ratio is latency ÷ baseline.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const folder = await context.folder('latency');
  const child = context.spawn(process.execPath, [memberScript, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const worker = watchWorker(child.stdout as Readable);
  const gone = once(child, 'close').then(() => {
    throw new CouldNotMeasure('The worker ended too early.');
  });
  gone.catch(() => undefined);
  const here = await Promise.race([worker.here, gone]);
  const ended = new Map<string, number>();
  const notes = endsOf(ended);
  const member = await startLatencyMember(join(folder, 'asks'), {
    number: ASKS,
    tags: [TAG_ASKS],
    ...notes,
  });
  const bare = await startBareHost(ASKS);
  try {
    (child.stdin as Writable).write(`${JSON.stringify({ mesh: member.mesh.status().meshAddresses })}\n`);
    member.mesh.addAddresses(identityOfMember(WORKS).peer, here.mesh);
    await reaches(member, 1);
    await until('one coordinator', () => member.driver.queries.isCoordinator || undefined);
    const ready = await readyTasks(member, worker.began, ended);
    const submitted = await submittedJobs(member, worker.began);
    const trips = await roundTrips(bare, here.bare[0] ?? '');
    const baseline = percentile(trips, 0.5);
    const figures = (values: readonly number[], share: number): number =>
      rounded(percentile(values, share), 2);
    context.say(
      `Ready: p50 ${figures(ready, 0.5)} ms, p99 ${figures(ready, 0.99)} ms of ${ready.length}; submitted: p50 ` +
        `${figures(submitted, 0.5)} ms, p99 ${figures(submitted, 0.99)} ms of ${submitted.length}; a bare round trip: ` +
        `p50 ${figures(trips, 0.5)} ms, p99 ${figures(trips, 0.99)} ms.`,
    );
    return {
      value: figures(ready, 0.5),
      unit: 'ms',
      baseline: rounded(baseline, 2),
      ratio: rounded(percentile(ready, 0.5) / baseline, 1),
      p99Ms: figures(ready, 0.99),
      submittedP50Ms: figures(submitted, 0.5),
      submittedP99Ms: figures(submitted, 0.99),
      roundTripP99Ms: figures(trips, 0.99),
      samples: ready.length + submitted.length,
    };
  } finally {
    await member.stop();
    await bare.stop();
    (child.stdin as Writable).end();
    await endChild(child);
  }
}

type Began = Extract<Line, { kind: 'began' }>;

/** What the worker says; `began` resolves with the beginning of a task, also one that was told before. */
function watchWorker(output: Readable) {
  const here = Promise.withResolvers<Extract<Line, { kind: 'here' }>>();
  const beginnings = new Map<string, PromiseWithResolvers<Began>>();
  const beginning = (job: string, task: number): PromiseWithResolvers<Began> => {
    const key = `${job}/${task}`;
    const known = beginnings.get(key) ?? Promise.withResolvers<Began>();
    beginnings.set(key, known);
    return known;
  };
  createInterface({ input: output }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    if (line.kind === 'here') here.resolve(line);
    else beginning(line.job, line.task).resolve(line);
  });
  const began = async (job: string, task: number): Promise<number> =>
    (await beginning(job, task).promise).atMs;
  return { here: here.promise, began };
}

/** Notes when the attempts of this machine ended, by job and task. */
function endsOf(ended: Map<string, number>) {
  const running = new Map<string, string>();
  const init: Pick<Parameters<typeof startLatencyMember>[1], 'onRun' | 'onEnded'> = {
    onRun: ({ attempt, job, task }) => running.set(attemptKey(attempt), `${job}/${task}`),
    onEnded: (attempt) => ended.set(running.get(attemptKey(attempt)) ?? '', monotonicMs()),
  };
  return init as Required<typeof init>;
}

const group = (name: string, tag: string, count: number, sleepMs: number): PlanGroup => ({
  name,
  work: { kind: 'echo-sleep', message: '', sleepMs },
  numbers: [{ start: 1, end: count, step: 1 }],
  after: [],
  requires: { engine: 'node', tags: [tag] },
});

async function readyTasks(
  member: FarmMember,
  began: (job: string, task: number) => Promise<number>,
  ended: ReadonlyMap<string, number>,
): Promise<number[]> {
  const count = WARM_UP + READY;
  const plan: Plan = {
    version: 1,
    order: 'sequential',
    groups: [
      group('ask', TAG_ASKS, count, READY_EVERY_MS),
      { ...group('work', TAG_WORKS, count, 0), after: [{ group: 0, match: 'same' }] },
    ],
  };
  const record = await jobOfPlan(member, plan);
  await member.driver.merge([record]);
  const latencies: number[] = [];
  for (let number = 0; number < count; number++) {
    const beganMs = await began(record.id, count + number);
    const availableMs = ended.get(`${record.id}/${number}`);
    if (availableMs === undefined) throw new CouldNotMeasure('A task began before what it waits for ended.');
    latencies.push(beganMs - availableMs);
  }
  return latencies.slice(WARM_UP);
}

async function submittedJobs(
  member: FarmMember,
  began: (job: string, task: number) => Promise<number>,
): Promise<number[]> {
  const latencies: number[] = [];
  for (let round = 0; round < WARM_UP + SUBMITTED; round++) {
    // A plan of its own each time: one that the worker holds already would spare it the way here.
    const plan: Plan = { version: 1, order: 'sequential', groups: [group(`job ${round}`, TAG_WORKS, 1, 0)] };
    const submittedMs = monotonicMs();
    const record = await jobOfPlan(member, plan);
    await member.driver.merge([record]);
    latencies.push((await began(record.id, 0)) - submittedMs);
    await until(
      'the task to end',
      () => member.driver.queries.job(record.id)?.state === 'done' || undefined,
      {
        everyMs: 5,
      },
    );
  }
  return latencies.slice(WARM_UP);
}

/** Round trips one after the other on one kept-open stream, in ms. */
async function roundTrips(
  bare: Awaited<ReturnType<typeof startBareHost>>,
  address: string,
): Promise<number[]> {
  const connection = await bare.dial(multiaddr(address));
  const stream = await connection.newStream(ECHO);
  const message = new Uint8Array(ROUND_TRIP_BYTES);
  let left = 0;
  let answered = Promise.withResolvers<void>();
  stream.addEventListener('message', ({ data }) => {
    left -= data.byteLength;
    if (left <= 0) answered.resolve();
  });
  const trips: number[] = [];
  for (let trip = 0; trip < WARM_UP + ROUND_TRIPS; trip++) {
    left = ROUND_TRIP_BYTES;
    answered = Promise.withResolvers<void>();
    const sentMs = monotonicMs();
    stream.send(message);
    await answered.promise;
    trips.push(monotonicMs() - sentMs);
  }
  return trips.slice(WARM_UP);
}
