/**
 * A mesh alone in a process, led by lines of JSON on its standard input and telling what it hears by lines of JSON on
 * its standard output. Run by `remote-mesh.ts` on hosts of a test.
 */
import { createInterface } from 'node:readline';
import { createMesh } from '../../../node/src/mesh/mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import type { Command, Event, ProcessInit } from './remote-mesh.ts';

const init = JSON.parse(process.argv[2] ?? '') as ProcessInit;
const tell = (event: Event): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
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
  message: (from, bytes) => tell({ kind: 'message', from, text: Buffer.from(bytes).toString() }),
  gossip: (_topic, from, bytes) => tell({ kind: 'gossip', from, text: Buffer.from(bytes).toString() }),
});
mesh.serve('blobs', async (stream) => {
  for await (const chunk of stream.chunks) if (chunk.length === 0) return;
});
mesh.setMembership({ farm: init.farm, members: new Set(init.members) });
await mesh.start();
tell({ kind: 'status', status: mesh.status() });

async function bulk(to: string, bytes: number): Promise<void> {
  const stream = await mesh.open(to, 'blobs');
  const piece = new Uint8Array(2 ** 20);
  for (let sent = 0; sent < bytes; sent += piece.length) await stream.write(piece);
  await stream.end();
  for await (const chunk of stream.chunks) if (chunk.length === 0) break;
  tell({ kind: 'bulk' });
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
      void bulk(command.to, command.bytes);
      return;
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => obey(JSON.parse(line) as Command));
// The test is gone, or wants an orderly end.
lines.on('close', () => void mesh.stop().then(() => process.exit(0)));
