import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { JobView } from '@cuadro/protocol';
import { signinAddress } from '../node/src/system/node-file.ts';
import { LocalFarm, type LocalNode, until } from './farm/local-farm.ts';
import { verifyCollected } from './farm/verify.ts';
import { makeScene } from './scenes/make.ts';

/**
 * `npm run demo`: a farm of several nodes on this machine renders a film; half-way its coordinator is killed, then a
 * worker. It ends with every frame verified, the film, and for how long nobody led. `--nodes N`, `--frames 1-48`,
 * and `--keep` to go on playing with it.
 */

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '3' },
    frames: { type: 'string', default: '1-48' },
    keep: { type: 'boolean', default: false },
  },
});
const count = Number(values.nodes);
if (!Number.isInteger(count) || count < 2 || count > 8) {
  console.error('--nodes takes a whole number from 2 to 8.');
  process.exit(2);
}

const begin = performance.now();
const say = (line: string): void =>
  console.log(`${((performance.now() - begin) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

const progress = (job: JobView): number => job.counts.rendered + job.counts.done;

/** Follows the job on a living node until so many tasks have their result. */
async function reach(farm: LocalFarm, id: string, tasks: number): Promise<void> {
  await until(
    `${tasks} tasks to have their result`,
    async () => {
      const job = await farm.living[0]?.client.call('job', { params: { job: id } }).catch(() => undefined);
      if (job?.state === 'failed') throw new Error(`The job failed: ${job.reason ?? ''}`);
      return job !== undefined && progress(job) >= tasks;
    },
    600_000,
  );
}

async function killCoordinator(farm: LocalFarm): Promise<LocalNode> {
  const victim = await until('one coordinator', () => farm.coordinator());
  say(`${victim.name} leads. It is killed now (SIGKILL).`);
  await farm.kill(victim.index);
  const next = await until('another coordinator', async () => {
    const found = await farm.coordinator();
    return found?.index === victim.index ? undefined : found;
  });
  const view = await next.client.call('farm', {});
  const reign = view.coordinators.at(-1);
  say(
    `${next.name} leads. The farm was without a coordinator for ${reign?.leaderlessMs ?? '?'} ms; work went on.`,
  );
  return victim;
}

async function killWorker(farm: LocalFarm, submitter: LocalNode): Promise<LocalNode> {
  const leader = await until('one coordinator', () => farm.coordinator());
  const victim =
    farm.living.find(({ index }) => index !== leader.index && index !== submitter.index) ?? leader;
  say(`${victim.name} renders. It is killed now (SIGKILL).`);
  await farm.kill(victim.index);
  return victim;
}

async function show(farm: LocalFarm): Promise<void> {
  for (const { name, client } of farm.living) say(`${name}: ${signinAddress(client.file)}`);
}

const folder = await mkdtemp(join(tmpdir(), 'cuadro-demo-'));
const root = fileURLToPath(new URL('..', import.meta.url));
let farm: LocalFarm | undefined;
const abort = (): void => {
  void farm?.close().finally(() => process.exit(130));
};
process.once('SIGINT', abort);
process.once('SIGTERM', abort);

try {
  const scenes = join(root, '.cache', 'sample');
  await mkdir(scenes, { recursive: true });
  say('Making the sample scene…');
  const scene = await makeScene('sample', scenes, { blender: process.env['CUADRO_BLENDER'] ?? 'blender' });
  say(`Starting ${count} nodes…`);
  farm = await LocalFarm.open({ folder, nodes: count });
  say(`${count} nodes are one farm.`);
  await show(farm);
  const [submitter] = farm.nodes as [LocalNode];
  const { job } = await submitter.client.call('submit', {
    body: { path: scene, settings: { frames: values.frames }, name: 'Demo' },
  });
  say(`${submitter.name} submitted ${job.counts.total} tasks.`);
  await reach(farm, job.id, Math.floor(job.counts.total / 2));
  const leader = await killCoordinator(farm);
  await reach(farm, job.id, Math.floor(job.counts.total * 0.6));
  say(`${leader.name} is started again.`);
  await farm.start(leader.index);
  await farm.whole();
  await reach(farm, job.id, Math.floor(job.counts.total * 0.75));
  const worker = await killWorker(farm, farm.node(submitter.index));
  await reach(farm, job.id, job.counts.total);
  say(`${worker.name} is started again.`);
  await farm.start(worker.index);
  await farm.whole();
  const verified = await verifyCollected(farm.node(submitter.index), job.id);
  say(`${verified.frames} frames and the film (${verified.filmFrames} frames) are collected and verified.`);
  console.log(`\nFrames: ${verified.folder}`);
  console.log(`Film:   ${join(verified.folder, verified.film)}`);
  if (values.keep) {
    await show(farm);
    console.log('The farm goes on until you press Ctrl-C.');
    await new Promise(() => undefined);
  }
} finally {
  await farm?.close();
  // What was rendered stays; the nodes' own folders go.
  for (const name of await readdir(folder)) {
    if (name !== 'output') await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}
