import type { StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { allocatorEnvironment, SEMI_SPACE_MAX_MB } from '../../../node/src/cli/start-again.ts';
import { type BenchContext, CouldNotMeasure, endChild } from '../harness.ts';
import type { Counted } from './counted.ts';
import type { Spent, Taken, Wire } from './wire.ts';

const script = fileURLToPath(new URL('wire.ts', import.meta.url));
const counter = new URL('counted.ts', import.meta.url).href;

/** Where the two ends run; `inside` stands before their commands. */
export interface WireInit {
  readonly wire: Wire;
  readonly bytes: number;
  readonly from?: { readonly address: string; readonly inside: readonly string[] };
  readonly to?: { readonly inside: readonly string[] };
  /** Whether it is counted what both ends copy and allocate: then the times say nothing. */
  readonly isCounted?: boolean;
}

/** What so many bytes over a bare wire between two processes took, in seconds. */
export interface OverWire {
  readonly seconds: number;
  /** Processor time of the two processes. */
  readonly sendingCpuSeconds: number;
  readonly receivingCpuSeconds: number;
  readonly counted?: { readonly sending: Counted; readonly receiving: Counted };
}

export async function overWire(
  context: Pick<BenchContext, 'spawn'>,
  { wire, bytes, from, to, isCounted = false }: WireInit,
): Promise<OverWire> {
  const start = (inside: readonly string[], args: readonly string[]): ReturnType<BenchContext['spawn']> => {
    const [program, ...words] = [...inside, process.execPath];
    // Memory as a node has it, so that what differs is what the two do.
    const options = [
      `--max-semi-space-size=${SEMI_SPACE_MAX_MB}`,
      ...(isCounted ? ['--import', counter] : []),
    ];
    const env = allocatorEnvironment(process.env) ?? process.env;
    const stdio: StdioOptions = ['pipe', 'pipe', 'inherit'];
    return context.spawn(program, [...words, ...options, script, ...args], { stdio, env });
  };
  const server = start(from?.inside ?? [], ['serve', wire, from?.address ?? '127.0.0.1', String(bytes)]);
  try {
    const { address } = await lineOf<{ address: string }>(server);
    const sent = lineOf<Spent>(server);
    sent.catch(() => undefined);
    const taker = start(to?.inside ?? [], ['take', wire, address, String(bytes)]);
    const received = await lineOf<Taken>(taker);
    const sending = await sent;
    return {
      seconds: received.seconds,
      sendingCpuSeconds: sending.cpuSeconds,
      receivingCpuSeconds: received.cpuSeconds,
      ...(sending.counted &&
        received.counted && { counted: { sending: sending.counted, receiving: received.counted } }),
    };
  } finally {
    await endChild(server);
  }
}

async function lineOf<T>(child: ReturnType<BenchContext['spawn']>): Promise<T> {
  const gone = once(child, 'close').then(() => {
    throw new CouldNotMeasure('A bare wire ended before it said anything.');
  });
  gone.catch(() => undefined);
  const [line] = (await Promise.race([
    once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
    gone,
  ])) as [Buffer];
  return JSON.parse(line.toString()) as T;
}
