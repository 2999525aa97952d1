import { writeSync } from 'node:fs';
import { decoderNamed } from './decoders.ts';
import { inputText } from './inputs.ts';
import { inputAt, type Report, runDecoder } from './run.ts';

/** The process in which decoders are run: `main.ts` starts two, and ends one whose decoder stalls. */

export interface Order {
  decoder: string;
  seed: number;
  inputs: number;
  share: number;
  shares: number;
  /** Where to write what is read now, as chunk and index: eight bytes, big-endian. */
  placeFile: number;
  /** Only tell the input that stands at this place. */
  tell?: { chunk: number; index: number };
}

export type Answer =
  | { kind: 'report'; report: Report }
  | { kind: 'told'; input: string }
  | { kind: 'broken'; why: string };

const place = Buffer.alloc(8);

async function serve({ tell, placeFile, ...order }: Order): Promise<Answer> {
  const decoder = decoderNamed(order.decoder);
  if (tell !== undefined) {
    const input = await inputAt(decoder, order.seed, tell.chunk, tell.index);
    return { kind: 'told', input: input === undefined ? '' : inputText(input) };
  }
  const onInput = (chunk: number, index: number): void => {
    place.writeUInt32BE(chunk, 0);
    place.writeUInt32BE(index, 4);
    writeSync(placeFile, place, 0, 8, 0);
  };
  return { kind: 'report', report: await runDecoder(decoder, { ...order, onInput }) };
}

process.on('message', (order: Order) => {
  void serve(order)
    .catch(
      (error: unknown): Answer => ({
        kind: 'broken',
        why: error instanceof Error ? (error.stack ?? '') : String(error),
      }),
    )
    .then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));
