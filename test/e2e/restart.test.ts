import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView, SubmittedView } from '../../protocol/src/index.ts';
import { collected, House, jobIn, type NodeProcess, tasksOf } from './support/house.ts';
import { filesBelow, frameNames, probeFilm } from './support/media.ts';
import { kill, processesWith } from './support/processes.ts';
import { pause, until } from './support/wait.ts';

/** Ends that people choose: once, twice, by the command, by closing the terminal. None loses anything. */

let house: House;
let slow: string;

before(async () => {
  house = await House.open();
  slow = await house.scene('slow');
});

after(() => house.close());

const FRAMES = 8;

async function begun(node: NodeProcess): Promise<JobView> {
  const args = ['submit', await house.scene('sound', `frames=${FRAMES}`), '--samples', '300'];
  const { job } = await house.json<SubmittedView>(args, { data: node.dataFolder });
  await until('the first frame', async () => {
    return (await node.client.call('job', { params: { job: job.id } })).counts.rendered > 0;
  });
  return job;
}

async function finishes(node: NodeProcess, job: JobView): Promise<void> {
  await jobIn(node.client, job.id, ['done']);
  await collected(node.client, job.id);
  assert.deepEqual(await filesBelow(job.outputFolder), [...frameNames(FRAMES), 'shot.mp4'].sort());
  assert.equal((await probeFilm(join(job.outputFolder, 'shot.mp4'))).frames, FRAMES);
  const tasks = await tasksOf(node.client, job.id);
  assert.deepEqual(
    tasks.map(({ failures }) => failures),
    tasks.map(() => 0),
    'a chosen end is nobody’s failure',
  );
}

test('Ctrl-C once ends in order, with exit code 0, and a new start goes on where it was', async () => {
  const node = await house.node({ name: 'ordered' });
  const job = await begun(node);
  const { code, signal } = await node.stop();
  assert.deepEqual([code, signal], [0, null], node.errors());
  assert.deepEqual(await processesWith(node.dataFolder), []);
  assert.equal((await house.cuadro(['jobs'], { data: node.dataFolder })).code, 6);
  const again = await house.node({ name: 'ordered' });
  await finishes(again, job);
  await again.stop();
});

test('Ctrl-C twice ends at once, and a new start goes on', async () => {
  const node = await house.node({ name: 'forced' });
  const job = await begun(node);
  kill(node.pid, 'SIGINT');
  // A second thought of a person: the same key passed on by npm arrives sooner and counts as one.
  await pause(300);
  kill(node.pid, 'SIGINT');
  const { code, signal } = await node.ended;
  // As a shell tells it: the second may come when nothing but the process itself is left to end, which has no handler then.
  const told = signal === null ? code : 128 + constants.signals[signal];
  assert.ok(told === 130 || told === 0, `exit code ${told}`);
  await until('Blender to be gone', async () => (await processesWith(node.dataFolder)).length === 0, 5_000);
  const again = await house.node({ name: 'forced' });
  await finishes(again, job);
  await again.stop();
});

test('down ends it and waits until it has ended', async () => {
  const node = await house.node({ name: 'down' });
  const { code, stdout } = await house.cuadro(['down'], { data: node.dataFolder });
  assert.equal(code, 0);
  assert.match(stdout, /has ended/);
  assert.equal((await node.ended).code, 0);
});

test('a closed terminal changes nothing: neither the hang-up nor the lost output ends the node', async () => {
  const node = await house.node({ name: 'terminal' });
  const job = await begun(node);
  node.child.stdout?.destroy();
  node.child.stderr?.destroy();
  kill(node.pid, 'SIGHUP');
  await finishes(node, job);
  // Something to write to the lost standard error: the stop's own line.
  assert.equal((await node.stop()).code, 0);
});

test('an end in mid-frame leaves the frame open, without a failure', async () => {
  const node = await house.node({ name: 'midframe' });
  const data = node.dataFolder;
  const { job } = await house.json<SubmittedView>(['submit', slow, '--frames', '1'], { data });
  await until('the frame to render', async () => {
    return (await node.client.call('here', {})).sessions[0]?.state === 'rendering';
  });
  await node.stop();
  const again = await house.node({ name: 'midframe' });
  const { tasks } = await again.client.call('tasks', { params: { job: job.id } });
  assert.deepEqual(
    tasks.map(({ state, failures }) => [state, failures]),
    [['open', 0]],
  );
  await again.stop();
});
