import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { createMesh } from '../../node/src/mesh/mesh.ts';
import { createLobbyLibp2p } from '../../node/src/mesh/host.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { identityOfMember, startFarmMember, type FarmMember } from './farm-member.ts';

/**
 * The idle worker of the bench `latency`, a process of its own (`latency-member.ts FOLDER`). It says where it is, and
 * each task at the moment when it begins, as lines of JSON; it ends with its standard input.
 */

export const MEMBERS = 2;
export const ASKS = 1;
export const WORKS = 2;
/** Tags part the tasks that make others ready from those that are measured. */
export const TAG_ASKS = 'asks';
export const TAG_WORKS = 'works';
export const ECHO = '/bench/1/echo';

/**
 * Milliseconds of CLOCK_MONOTONIC, which is one clock for all processes of a machine: `process.hrtime` reads it, while
 * `performance.timeOrigin` is taken from the wall clock by each process for itself.
 */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export type Line =
  | { kind: 'here'; mesh: readonly string[]; bare: readonly string[] }
  | { kind: 'began'; job: string; task: number; atMs: number };

/** A member over libp2p, whose mesh others are told of by hand. */
export function startLatencyMember(
  folder: string,
  init: Pick<Parameters<typeof startFarmMember>[0], 'number' | 'tags' | 'onRun' | 'onEnded'>,
): Promise<FarmMember> {
  const random = createSystemRandom();
  return startFarmMember({
    ...init,
    folder,
    members: MEMBERS,
    slots: 1,
    mesh: (components, meshInit) => createMesh({ ...components, random }, meshInit),
  });
}

/** A bare libp2p host with the same transport, noise and multiplexer, that sends back what it gets. */
export async function startBareHost(number: number) {
  const host = await createLobbyLibp2p({
    // A key of its own, so that the two hosts of one process are two machines to the other.
    privateKey: new Uint8Array(32).fill(100 + number),
    listen: ['127.0.0.1'],
    port: 0,
    upgradeMs: 5_000,
  });
  await host.handle(ECHO, (stream) => {
    stream.addEventListener('message', (event) => {
      stream.send(event.data);
    });
  });
  await host.start();
  return host;
}

async function main(folder: string): Promise<void> {
  const say = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const member = await startLatencyMember(join(folder, 'works'), {
    number: WORKS,
    tags: [TAG_WORKS],
    onRun: ({ job, task }) => {
      const atMs = monotonicMs();
      say({ kind: 'began', job, task, atMs });
    },
  });
  const bare = await startBareHost(WORKS);
  say({
    kind: 'here',
    mesh: member.mesh.status().meshAddresses,
    bare: bare.getMultiaddrs().map((address) => address.toString()),
  });
  const input = createInterface({ input: process.stdin });
  input.once('line', (line) => {
    const { mesh } = JSON.parse(line) as { mesh: string[] };
    member.mesh.addAddresses(identityOfMember(ASKS).peer, mesh);
  });
  input.once('close', () => {
    void Promise.all([member.stop(), bare.stop()]).then(() => process.exit(0));
  });
}

if (import.meta.main) await main(process.argv[2] as string);
