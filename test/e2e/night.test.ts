import assert from 'node:assert/strict';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NightKind, NightView } from '@cuadro/protocol';
import { LocalFarm, until, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { House } from './support/house.ts';
import { pause } from './support/wait.ts';

/**
 * A night in a minute, on three real nodes: one is stopped and goes on (sleep), one is killed and started again (a
 * restart), one's disk fills and is cleared, the coordinator is switched off, and an artist wants his machine back.
 */

/** Long enough to be told as sleep: a machine that stands still for 15 s (SPEC R126). */
const SLEEP_MS = 18_000;
const FRAMES = 90;
const DISK_MIB = 64;
const RESERVE_MIB = 24;

/** What happened, and whether the night tells it. */
interface Deed {
  readonly kind: NightKind;
  readonly machine?: LocalNode;
  readonly says?: RegExp;
}

async function nightOf(node: LocalNode): Promise<NightView> {
  return node.client.call('night', { query: { hours: 1 } });
}

/** As another machine knows it: who was started again since answers at a new address. */
async function peerOf(node: LocalNode, name: string): Promise<string> {
  return until(
    `${node.name} to know ${name}`,
    async () => (await node.client.call('nodes', {})).find((one) => one.name === name)?.peer,
  );
}

test('R126, R127: every job of a shortened night ends, every frame is collected, and all of it is explained', async (t) => {
  const house = await House.open();
  const folder = house.fresh('farm');
  const mounted = await mountFor(house, folder, 'dolores');
  if (!mounted) t.diagnostic('skipped: the full disk, which needs the right to mount a tmpfs');
  const farm = await LocalFarm.open({
    folder,
    nodes: 3,
    env: { TMPDIR: house.temporary },
    config: { ...house.noEngines, programs: ['/bin/sh'], reserveGiB: RESERVE_MIB / 1024 },
  });
  try {
    const deeds: Deed[] = [];
    const [belen, carmen, dolores] = [farm.node(0), farm.node(1), farm.node(2)];
    const jobs = [await submitFrames(belen, 'dance', FRAMES), await submitPoisoned(belen)];
    deeds.push({
      kind: 'task-failed',
      says: /^Frame 2 of #\d+ smoke failed on \d machines? and was given up: /,
    });
    await underWay(belen, jobs[0] ?? '');
    // At the same time, so that the test is short: one sleeps while another's disk is full.
    if (mounted) await fillDisk(dolores);
    const leader = await until('a coordinator', () => farm.coordinator());
    const sleeper = leader === carmen ? belen : carmen;
    process.kill(sleeper.pid, 'SIGSTOP');
    await pause(SLEEP_MS);
    process.kill(sleeper.pid, 'SIGCONT');
    deeds.push({ kind: 'asleep', machine: sleeper });
    if (mounted) {
      await tells(leader, { kind: 'disk-full', machine: dolores });
      await rm(join(dolores.dataFolder, 'ballast'));
      deeds.push({ kind: 'disk-full', machine: dolores });
    }
    await farm.whole();
    await restart(farm, deeds, leader === dolores ? carmen : dolores);
    await switchOffCoordinator(farm, deeds);
    await artist(farm.node(1), deeds);
    jobs.push(await submitFrames(farm.node(1), 'retake', 3));
    for (const job of jobs) await ended(farm.node(0), job);
    deeds.push({ kind: 'job-ended' }, { kind: 'submitted', machine: farm.node(1) });
    await collected(join(folder, 'output'), { dance: FRAMES, retake: 3 });
    for (const node of farm.living) for (const deed of deeds) await tells(node, deed);
    await allTellTheSame(farm);
    t.diagnostic((await nightOf(farm.node(0))).events.map(({ sentence }) => sentence).join('\n'));
  } finally {
    await farm.close();
    await house.close();
  }
});

async function mountFor(house: House, folder: string, name: string): Promise<boolean> {
  return house.mountAt(join(folder, name), `size=${DISK_MIB}m`);
}

async function submitFrames(node: LocalNode, name: string, frames: number): Promise<string> {
  const args = ['-c', 'sleep 0.8; echo frame {frame} > {output}/{frame}.txt'];
  const settings = { program: '/bin/sh', args, frames: `1-${frames}` };
  const { job } = await node.client.call('submit', { body: { type: 'command', name, settings } });
  return job.id;
}

/** The second of its frames fails wherever it is tried. */
async function submitPoisoned(node: LocalNode): Promise<string> {
  const settings = { frames: '1-4', failFrames: [2] };
  const { job } = await node.client.call('submit', {
    body: { type: 'echo-sleep', name: 'smoke', settings, priority: 90 },
  });
  return job.id;
}

async function underWay(node: LocalNode, job: string): Promise<void> {
  await until('the job to be under way', async () => {
    const { counts } = await node.client.call('job', { params: { job } });
    return counts.done + counts.rendered >= 3;
  });
}

async function ended(node: LocalNode, job: string): Promise<void> {
  await until(`the job ${job} to end`, async () => {
    const { state } = await node.client.call('job', { params: { job } });
    return state === 'done' || state === 'failed';
  });
}

/** Leaves less than the reserve, and enough for the records. */
async function fillDisk(node: LocalNode): Promise<void> {
  await writeFile(join(node.dataFolder, 'ballast'), Buffer.alloc((DISK_MIB - RESERVE_MIB / 2) * 2 ** 20));
}

async function restart(farm: LocalFarm, deeds: Deed[], victim: LocalNode): Promise<void> {
  await farm.kill(victim.index);
  deeds.push({ kind: 'rebooted', machine: await farm.start(victim.index) });
  await farm.whole();
}

async function switchOffCoordinator(farm: LocalFarm, deeds: Deed[]): Promise<void> {
  const leader = await until('a coordinator', () => farm.coordinator());
  await farm.stop(leader.index);
  await until('another coordinator', async () => {
    const next = await farm.coordinator();
    return next !== undefined && next.index !== leader.index;
  });
  deeds.push({ kind: 'switched-off', machine: await farm.start(leader.index) });
  deeds.push({ kind: 'coordinator', says: new RegExp(`because ${leader.name} was switched off`) });
  await farm.whole();
}

/** His machine takes no work while he is there: its owner comes first. */
async function artist(node: LocalNode, deeds: Deed[]): Promise<void> {
  const want = (ownerDesired: 'paused' | 'active') =>
    node.client.call('setNode', { params: { node: 'here' }, body: { ownerDesired } });
  await want('paused');
  await tells(node, { kind: 'paused', machine: node });
  const mine = (await node.client.call('nodes', {})).find(({ here }) => here);
  assert.deepEqual(mine?.live.running, []);
  await want('active');
  deeds.push({ kind: 'paused', machine: node });
}

async function tells(node: LocalNode, { kind, machine, says }: Deed): Promise<void> {
  const peer = machine === undefined ? undefined : await peerOf(node, machine.name);
  const what = `${node.name} to tell ${kind} of ${machine?.name ?? 'the farm'}`;
  await until(what, async () =>
    (await nightOf(node)).events.some(
      (event) =>
        event.kind === kind &&
        (peer === undefined || event.machines.includes(peer)) &&
        says?.test(event.sentence) !== false,
    ),
  );
}

/** Every frame of every job stands in a folder of its own, whole. */
async function collected(output: string, wanted: Record<string, number>): Promise<void> {
  for (const [name, frames] of Object.entries(wanted)) {
    await until(`all frames of ${name} to be collected`, async () => {
      const files = await filesBelow(output);
      const own = files.filter((file) => file.includes(name) && /\/\d+\.txt$/.test(file));
      const sizes = await Promise.all(own.map(async (file) => (await stat(file)).size));
      return own.length === frames && sizes.every((size) => size > 6);
    });
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The same events in the same words, whichever machine is asked. */
async function allTellTheSame(farm: LocalFarm): Promise<void> {
  await until('all machines to tell the same', async () => {
    const views = await Promise.all(farm.living.map(nightOf));
    const [first, ...others] = views.map(({ events }) =>
      events.map(({ id, sentence }) => `${id}: ${sentence}`).join('\n'),
    );
    return others.every((other) => other === first);
  });
}
