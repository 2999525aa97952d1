import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type BenchContext, CouldNotMeasure, endChild } from '../harness.ts';
import type { Wire } from './wire.ts';

const script = fileURLToPath(new URL('wire.ts', import.meta.url));

/** Where the two ends run; `inside` stands before their commands. */
export interface WireInit {
  readonly wire: Wire;
  readonly bytes: number;
  readonly from?: { readonly address: string; readonly inside: readonly string[] };
  readonly to?: { readonly inside: readonly string[] };
}

/** Seconds for so many bytes over a bare wire between two processes. */
export async function overWire(context: BenchContext, { wire, bytes, from, to }: WireInit): Promise<number> {
  const start = (inside: readonly string[], args: readonly string[]): ReturnType<BenchContext['spawn']> => {
    const [program, ...words] = [...inside, process.execPath];
    return context.spawn(program, [...words, script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  const server = start(from?.inside ?? [], ['serve', wire, from?.address ?? '127.0.0.1']);
  try {
    const { address } = await lineOf<{ address: string }>(server);
    const taker = start(to?.inside ?? [], ['take', wire, address, String(bytes)]);
    return (await lineOf<{ seconds: number }>(taker)).seconds;
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
