import { type Delays, RestingLoop, saidOf } from './content/delays.ts';
import type { Fetched, Looked } from './content/member.ts';
import { startMembers } from './content/members.ts';
import type { Counted } from './content/counted.ts';
import { overWire } from './content/over-wire.ts';
import { type Wire, WIRES } from './content/wire.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, median, rounded } from './harness.ts';

const MEGABYTES = Number(process.env['CUADRO_BENCH_MEGABYTES'] ?? 512);
/** Odd, so that a median is one of them; the wires and the transfer take turns. */
const ROUNDS = Number(process.env['CUADRO_BENCH_ROUNDS'] ?? 3);
const BYTES = MEGABYTES * 1_000_000;

export const bench: Bench = {
  name: 'transfer',
  measures:
    `MB/s of a file of ${MEGABYTES} MB from one node's store into another's, until it is whole, verified and durable there, ` +
    'p50: real mesh, transfer and store in processes of their own on loopback. The baseline is a bare libp2p stream with ' +
    "the same noise between two processes, bytes thrown away; beside it raw TCP, node:tls, and libp2p's noise as it comes. " +
    'The ratio is transfer ÷ baseline. Processor time of both ends is told beside it, in ms for each MB: a busy machine ' +
    'changes it least. How often noise and yamux copy and allocate what they carry is counted in runs of their own. How late ' +
    'the loops of both nodes ran is told beside a process at rest.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const [from, to] = await startMembers(context, { count: 2, listen: () => '127.0.0.1' });
  if (from === undefined || to === undefined) throw new CouldNotMeasure('Two members are needed.');
  const speeds = new Map<Wire | 'transfer', number[]>();
  const note = (what: Wire | 'transfer', seconds: number): void => {
    speeds.set(what, [...(speeds.get(what) ?? []), MEGABYTES / seconds]);
  };
  const cpu = new Map<Wire | 'transfer', { sendingMs: number[]; receivingMs: number[] }>();
  const noteCpu = (what: Wire | 'transfer', sendingSeconds: number, receivingSeconds: number): void => {
    const { sendingMs, receivingMs } = cpu.get(what) ?? { sendingMs: [], receivingMs: [] };
    sendingMs.push((sendingSeconds * 1_000) / MEGABYTES);
    receivingMs.push((receivingSeconds * 1_000) / MEGABYTES);
    cpu.set(what, { sendingMs, receivingMs });
  };
  const delays: Delays[] = [];
  const resting = new RestingLoop();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const wire of WIRES) {
      const took = await overWire(context, { wire, bytes: BYTES });
      note(wire, took.seconds);
      noteCpu(wire, took.sendingCpuSeconds, took.receivingCpuSeconds);
    }
    const { bundle } = await from.ask<{ bundle: string }>({
      do: 'make',
      seed: round,
      files: 1,
      fileBytes: BYTES,
    });
    await from.ask({ do: 'look' });
    await resting.start();
    const fetched = await to.ask<Fetched>({ do: 'fetch', bundle, holders: [from.number] });
    const sender = await from.ask<Looked>({ do: 'look' });
    note('transfer', fetched.seconds);
    noteCpu('transfer', sender.cpuSeconds, fetched.cpuSeconds);
    const late = resting.beside([sender, fetched]);
    await resting.stop();
    delays.push(late);
    context.say(`${[...speeds].map(([what, all]) => `${what} ${all.at(-1)?.toFixed(0)}`).join(', ')} MB/s.`);
    context.say(saidOf(late));
  }
  await Promise.all([from.end(), to.end()]);
  const memoryOf = await countMemory(context);
  const of = (what: Wire | 'transfer'): number => median(speeds.get(what) ?? []);
  const cpuMsPerMB = Object.fromEntries(
    [...cpu].map(([what, { sendingMs, receivingMs }]) => [
      what,
      { sending: rounded(median(sendingMs), 2), receiving: rounded(median(receivingMs), 2) },
    ]),
  );
  for (const [what, { sending, receiving }] of Object.entries(cpuMsPerMB))
    context.say(`${what}: ${sending} ms of processor time for each MB sent, ${receiving} received.`);
  return {
    value: rounded(of('transfer'), 1),
    unit: 'MB/s',
    baseline: rounded(of('mesh-noise'), 1),
    ratio: rounded(of('transfer') / of('mesh-noise'), 3),
    tcp: rounded(of('tcp')),
    tls: rounded(of('tls')),
    noise: rounded(of('noise'), 1),
    kept: rounded(of('mesh-noise-kept'), 1),
    ratioToKept: rounded(of('transfer') / of('mesh-noise-kept'), 3),
    cpuMsPerMB,
    memory: memoryOf,
    loopDelayP99Ms: median(delays.map(({ loopDelayP99Ms }) => loopDelayP99Ms)),
    ownDelayP99Ms: median(delays.flatMap(({ ownDelayP99Ms }) => ownDelayP99Ms ?? [])),
    idleDelayP99Ms: median(delays.map(({ idleDelayP99Ms }) => idleDelayP99Ms)),
    megabytes: MEGABYTES,
  };
}

/** Long enough that what a connection costs at its begin is nothing beside it. */
const COUNTED_BYTES = 64_000_000;

/** What an end of a wire does with memory: for each byte of content, and how often for each MB. */
interface Handling {
  readonly copied: number;
  readonly allocated: number;
  readonly copiesPerMB: number;
  readonly allocationsPerMB: number;
}

/** How noise and yamux handle what they carry, with noise as it comes and with the mesh's. */
async function countMemory(
  context: BenchContext,
): Promise<Record<string, { sending: Handling; receiving: Handling }>> {
  const handled: Record<string, { sending: Handling; receiving: Handling }> = {};
  for (const wire of ['noise', 'mesh-noise'] as const) {
    const { counted } = await overWire(context, { wire, bytes: COUNTED_BYTES, isCounted: true });
    if (counted === undefined) throw new CouldNotMeasure('What the ends of a wire copy was not counted.');
    const sending = handlingOf(counted.sending);
    const receiving = handlingOf(counted.receiving);
    handled[wire] = { sending, receiving };
    const said = ({ copied, allocated, copiesPerMB, allocationsPerMB }: Handling): string =>
      `${copied} copied and ${allocated} allocated in ${copiesPerMB} and ${allocationsPerMB} calls a MB`;
    context.say(`${wire}: of each byte sent ${said(sending)}; received ${said(receiving)}.`);
  }
  return handled;
}

function handlingOf({ copiedBytes, copies, allocatedBytes, allocations }: Counted): Handling {
  const megabytes = COUNTED_BYTES / 1e6;
  return {
    copied: rounded(copiedBytes / COUNTED_BYTES, 2),
    allocated: rounded(allocatedBytes / COUNTED_BYTES, 2),
    copiesPerMB: rounded(copies / megabytes),
    allocationsPerMB: rounded(allocations / megabytes),
  };
}
