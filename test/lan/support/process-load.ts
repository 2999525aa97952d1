import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** What a process of a test knows of itself: what it has sent and is still on the way, and for how long it stood still. */

/** Of a TCP connection that stands, as the kernel's table names its state. */
const ESTABLISHED = '01';
const TICK_MS = 5;
/** A tick that comes later than this: the process, or the whole machine, had something else to do. */
const LATE_TICK_MS = 25;

const sockets = new Set<Socket>();
for (const channel of ['net.client.socket', 'net.server.socket'])
  subscribe(channel, (message) => {
    const { socket } = message as { socket: Socket };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

/** What was sent by TCP and did not arrive at the other machine: in this process, and in this host's kernel. */
export function unarrivedBytes(): number {
  const waiting = [...sockets].reduce((sum, socket) => sum + socket.writableLength, 0);
  const rows = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1);
  return rows.reduce((sum, row) => {
    // Of a row: its number, both addresses, the state, and what waits to be acknowledged and to be read.
    const [, , , state, queues = ''] = row.trim().split(/\s+/);
    return state === ESTABLISHED ? sum + Number.parseInt(queues, 16) : sum;
  }, waiting);
}

/** Adds up for how long this process did nothing, since others had its processor or it was busy with one thing. */
export class Standstill {
  #sumMs = 0;
  #tickedAtMs: number | undefined;

  watch(): void {
    if (this.#tickedAtMs !== undefined) return;
    this.#tickedAtMs = performance.now();
    setInterval(() => {
      this.#sumMs = this.ms;
      this.#tickedAtMs = performance.now();
    }, TICK_MS).unref();
  }

  /** In all so far; 0 until it is watched. */
  get ms(): number {
    const sinceMs = performance.now() - (this.#tickedAtMs ?? performance.now());
    return this.#sumMs + (sinceMs > LATE_TICK_MS ? sinceMs : 0);
  }
}
