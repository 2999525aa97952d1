import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Level } from 'level';
import { encode, type KnownRecord, recordKey } from '@cuadro/protocol';
import type { Mesh } from '../../node/src/mesh/interface.ts';
import { FARM, FRESH, HOLDER, peerOf, startMember, stopMember } from './catch-up-member.ts';
import {
  type Bench,
  type BenchContext,
  CouldNotMeasure,
  endChild,
  type Measured,
  median,
  rounded,
} from './harness.ts';

const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 10_000);
const ROUNDS = 3;
const memberScript = fileURLToPath(new URL('catch-up-member.ts', import.meta.url));

export const bench: Bench = {
  name: 'catch-up',
  measures:
    `seconds from the moment when a fresh node may reach a member to all records of its job of ${TASKS.toLocaleString('en-US')} done ` +
    'frames being merged and durable here, connecting included, p50: real brain, driver, fsynced store, mesh over libp2p ' +
    'on loopback; the member is a process of its own. The baseline writes the same bytes into a bare LevelDB in one ' +
    'fsynced batch. The ratio is baseline ÷ catch-up.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const seconds: number[] = [];
  const cpu: number[] = [];
  const bare: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const folder = await context.folder('catch-up');
    const caught = await catchUp(context, folder);
    seconds.push(caught.seconds);
    cpu.push(caught.cpuSeconds);
    bytes = caught.bytes;
    bare.push(await bareLevel(join(folder, 'bare'), caught.records));
    context.say(
      `${caught.records.length} records in ${caught.seconds.toFixed(2)} s, reached after ${caught.reachedSeconds.toFixed(2)} s; ` +
        `${caught.cpuSeconds.toFixed(2)} s of the fresh node's CPU, ${(bytes / 1e6).toFixed(1)} MB; bare LevelDB ${bare.at(-1)?.toFixed(2)} s.`,
    );
  }
  return {
    value: rounded(median(seconds), 2),
    unit: 's',
    baseline: rounded(median(bare), 3),
    ratio: rounded(median(bare) / median(seconds), 3),
    cpuSeconds: rounded(median(cpu), 2),
    exchangedMB: rounded(bytes / 1e6, 1),
    tasks: TASKS,
  };
}

interface Caught {
  seconds: number;
  reachedSeconds: number;
  cpuSeconds: number;
  bytes: number;
  records: KnownRecord[];
}

async function catchUp(context: BenchContext, folder: string): Promise<Caught> {
  const child = context.spawn(process.execPath, [memberScript, join(folder, 'member'), String(TASKS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([
    once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
    once(child, 'close').then(() => {
      throw new CouldNotMeasure('The member ended before it held its records.');
    }),
  ])) as [Buffer];
  const member = JSON.parse(line.toString()) as { addresses: string[]; root: string; records: number };
  const fresh = await startMember(join(folder, 'fresh'), FRESH);
  const holder = peerOf(HOLDER);
  try {
    await fresh.mesh.start();
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    fresh.mesh.setMembership({ farm: FARM, members: new Set([holder, peerOf(FRESH)]) });
    fresh.mesh.addAddresses(holder, member.addresses);
    await reached(fresh.mesh, holder);
    const reachedSeconds = (performance.now() - startedAt) / 1_000;
    const outcome = await fresh.sync.syncWith(holder);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    if (fresh.sync.root() !== member.root) {
      throw new CouldNotMeasure(
        `The fresh node holds ${fresh.held.size} of ${member.records} records: ${JSON.stringify(outcome)}.`,
      );
    }
    const { sent, received } = fresh.sync.status().bytes;
    return {
      seconds,
      reachedSeconds,
      cpuSeconds: (user + system) / 1e6,
      bytes: sent + received,
      records: [...fresh.held.values()],
    };
  } finally {
    await stopMember(fresh);
    await endChild(child);
  }
}

async function reached(mesh: Mesh, peer: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = mesh.subscribe({
    peer: (other, state) => {
      if (other === peer && state === 'reachable') resolve();
    },
  });
  if (mesh.reachable().includes(peer)) resolve();
  await promise;
  unsubscribe();
}

/** Seconds that a bare LevelDB needs for the same records in one fsynced batch. */
async function bareLevel(folder: string, records: readonly KnownRecord[]): Promise<number> {
  const operations = records.map((record) => ({
    type: 'put' as const,
    key: recordKey(record),
    value: encode(record),
  }));
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  await database.open();
  const startedAt = performance.now();
  await database.batch(operations, { sync: true });
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  return seconds;
}
