/** Lines in both directions between the node and a driver: bounded, and never thrown at the caller. */

import type { Duplex, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { DriverFailure } from './failures.ts';

/** Calls back once per line without its end; what is longer than `maxBytes` is cut, the rest of it dropped. */
export function readLines(
  stream: Readable,
  maxBytes: number,
  onLine: (line: string, cut: boolean) => void,
): void {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  let dropping = false;
  const take = (text: string) => {
    const parts = text.split('\n');
    for (const [index, part] of parts.entries()) {
      const whole = index < parts.length - 1;
      if (!dropping) pending += part;
      if (!dropping && pending.length > maxBytes) {
        onLine(pending.slice(0, maxBytes), true);
        dropping = true;
      }
      if (!whole) continue;
      if (!dropping) onLine(pending.endsWith('\r') ? pending.slice(0, -1) : pending, false);
      pending = '';
      dropping = false;
    }
  };
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on('end', () => {
    if (!dropping && pending !== '') onLine(pending, false);
  });
}

export type DriverMessage =
  | { readonly kind: 'ready'; readonly version: string }
  | { readonly kind: 'beat'; readonly memoryBytes: number }
  | { readonly kind: 'stage'; readonly id: number; readonly stage: string; readonly parts?: number }
  | { readonly kind: 'done'; readonly id: number; readonly memoryBytes: number; readonly result: unknown }
  | ({ readonly kind: 'failed'; readonly id: number; readonly memoryBytes: number } & DriverFailure);

/** Undefined for anything that no driver of ours sends: a scene's script could write to the descriptor too. */
export function parseDriverMessage(line: string): DriverMessage | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const id = typeof value['id'] === 'number' ? value['id'] : -1;
  const memoryBytes = typeof value['memoryBytes'] === 'number' ? value['memoryBytes'] : 0;
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : '');
  switch (value['kind']) {
    case 'ready':
      return { kind: 'ready', version: text('version') };
    case 'beat':
      return { kind: 'beat', memoryBytes };
    case 'stage':
      return { kind: 'stage', id, stage: text('stage'), ...partsOf(value['parts']) };
    case 'done':
      return { kind: 'done', id, memoryBytes, result: value['result'] };
    case 'failed':
      return { kind: 'failed', id, memoryBytes, code: text('code'), message: text('message') };
    default:
      return undefined;
  }
}

/** View layers of one frame: hundreds at most. */
const PARTS_MAX = 100_000;

function partsOf(parts: unknown): { parts?: number } {
  const counted = typeof parts === 'number' && Number.isInteger(parts) && parts >= 1 && parts <= PARTS_MAX;
  return counted ? { parts } : {};
}

export function sendOrder(channel: Duplex, order: unknown): void {
  channel.write(`${JSON.stringify(order)}\n`);
}
