/**
 * A mesh alone in a process, led by lines of JSON on its standard input and telling what it hears by lines of JSON on
 * its standard output. Run by `remote-mesh.ts` on hosts of a test.
 */
import { createInterface } from 'node:readline';
import { createMesh } from '../../../node/src/mesh/mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import type { Command, Event, ProcessInit, Pulse } from './remote-mesh.ts';
import { Standstill, unarrivedBytes } from './process-load.ts';

const init = JSON.parse(process.argv[2] ?? '') as ProcessInit;
/** How a message begins that is one of those sent at an interval. */
const PULSE = 'pulse ';
const tell = (event: Event): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
const standstill = new Standstill();
const quiet = (): void => undefined;
const warn = (message: string, fields?: Record<string, unknown>): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`);
const logger: Logger = { debug: quiet, info: quiet, warn, error: warn, child: () => logger };

const mesh = createMesh(
  { clock: createSystemClock(), random: createSystemRandom(), logger },
  {
    privateKey: Buffer.from(init.seed, 'hex'),
    listen: ['0.0.0.0'],
    meshPort: 0,
    lobbyPort: 0,
    serviceName: init.serviceName,
  },
);
mesh.subscribe({
  peer: (peer, state) => tell({ kind: 'peer', peer, state }),
  found: (node) => tell({ kind: 'found', node }),
  message: (from, bytes) => tellMessage(from, Buffer.from(bytes).toString()),
  gossip: (_topic, from, bytes) => tell({ kind: 'gossip', from, text: Buffer.from(bytes).toString() }),
});
mesh.serve('blobs', async (stream) => {
  for await (const chunk of stream.chunks) if (chunk.length === 0) return;
});
mesh.setMembership({ farm: init.farm, members: new Set(init.members) });
await mesh.start();
tell({ kind: 'status', status: mesh.status() });

/** The clock that all processes of this machine share, from whenever it began. */
const sharedMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

function tellMessage(from: string, text: string): void {
  if (!text.startsWith(PULSE)) return tell({ kind: 'message', from, text });
  const pulse = JSON.parse(text.slice(PULSE.length)) as Pulse;
  tell({ kind: 'pulse', from, pulse, atMs: sharedMs(), stoodMs: standstill.ms });
}

async function bulk({ to, streams, bytes }: Extract<Command, { do: 'bulk' }>): Promise<void> {
  const beganMs = sharedMs();
  const stoodMs = standstill.ms;
  await Promise.all(Array.from({ length: streams }, () => bulkOf(to, bytes)));
  tell({ kind: 'bulk', tookMs: sharedMs() - beganMs, stoodMs: standstill.ms - stoodMs });
}

/** Ends once the other has read all of it. */
async function bulkOf(to: string, bytes: number): Promise<void> {
  const stream = await mesh.open(to, 'blobs');
  const piece = new Uint8Array(2 ** 20);
  for (let sent = 0; sent < bytes; sent += piece.length)
    await stream.write(piece.subarray(0, Math.min(piece.length, bytes - sent)));
  await stream.end();
  for await (const chunk of stream.chunks) if (chunk.length === 0) break;
}

/** Each at its time, whenever the one before went: what keeps this process from sending is a delay, too. */
function pulses({ to, everyMs, count, bytes }: Extract<Command, { do: 'pulses' }>): void {
  standstill.watch();
  const beganMs = sharedMs();
  const next = (number: number): void => {
    const dueMs = beganMs + number * everyMs;
    setTimeout(
      () => {
        const pulse: Pulse = { dueMs, aheadBytes: unarrivedBytes(), stoodMs: standstill.ms };
        const text = `${PULSE}${JSON.stringify(pulse)}`;
        mesh.send(to, Buffer.from(text.padEnd(bytes)));
        if (number < count) next(number + 1);
      },
      Math.max(0, dueMs - sharedMs()),
    );
  };
  next(1);
}

function obey(command: Command): void {
  switch (command.do) {
    case 'send':
      return mesh.send(command.to, Buffer.from(command.text));
    case 'gossip':
      return mesh.gossip('claims', Buffer.from(command.text));
    case 'add':
      return mesh.addAddresses(command.peer, command.addresses);
    case 'search':
      return mesh.search();
    case 'status':
      return tell({ kind: 'status', status: mesh.status() });
    case 'bulk':
      void bulk(command).catch((error: unknown) =>
        tell({ kind: 'bulk', tookMs: 0, stoodMs: 0, error: String(error) }),
      );
      return;
    case 'pulses':
      return pulses(command);
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => obey(JSON.parse(line) as Command));
// The test is gone, or wants an orderly end.
lines.on('close', () => void mesh.stop().then(() => process.exit(0)));
