/** The thread in which a file's decoders are run by `suite.ts`: it names them, then answers one order after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { garbageCollector } from '../unit/collect-garbage.ts';
import type { Decoder } from './decoder.ts';
import { type Report, runDecoder } from './run.ts';

export interface Order {
  decoder: string;
  seed: number;
  inputs: number;
}

export type Word =
  | { kind: 'names'; names: string[] }
  | { kind: 'report'; report: Report }
  | { kind: 'broken'; why: string };

/** What a file of decoders exports beside its list are functions and types. */
async function decodersOf(file: string): Promise<readonly Decoder[]> {
  const exported = (await import(`./decoders/${file}.ts`)) as Record<string, unknown>;
  return Object.values(exported).filter(Array.isArray).flat() as Decoder[];
}

// What a decoder keeps is measured only where garbage can be collected.
globalThis.gc ??= garbageCollector();
const decoders = await decodersOf(workerData as string);
const say = (word: Word): void => parentPort?.postMessage(word);

async function serve({ decoder: name, ...init }: Order): Promise<Word> {
  const decoder = decoders.find((known) => known.name === name);
  if (decoder === undefined) return { kind: 'broken', why: `There is no decoder ${name} here.` };
  return { kind: 'report', report: await runDecoder(decoder, init) };
}

parentPort?.on('message', (order: Order) => {
  void serve(order)
    .catch(
      (error: unknown): Word => ({
        kind: 'broken',
        why: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    )
    .then(say);
});
say({ kind: 'names', names: decoders.map(({ name }) => name) });
