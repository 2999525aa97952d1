import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView, SubmittedView } from '../../protocol/src/index.ts';
import { collected, House, jobIn, type NodeProcess, taskOf, tasksOf } from './support/house.ts';
import { decodePicture, filesBelow, probeFilm } from './support/media.ts';
import { blendersOf } from './support/processes.ts';
import { until } from './support/wait.ts';

/** What people do to jobs while they run, through the command line, on real engines. */

let house: House;
let node: NodeProcess;
let blend: string;
let slow: string;

before(async () => {
  house = await House.open();
  const config = { programs: ['cp', 'sh'] };
  [blend, slow, node] = await Promise.all([
    house.scene('frames=3'),
    house.scene('slow'),
    house.node({ config }),
  ]);
});

after(() => house.close());

async function submit(...args: string[]): Promise<JobView> {
  // Before the operands, where a program's own arguments begin with `--`.
  return (await house.json<SubmittedView>(['submit', '--json', ...args])).job;
}

const echo = (...args: string[]): Promise<JobView> => submit('--type', 'echo-sleep', ...args);

test('a cancel ends the Blender within a second, and skips the rest with its reason', async () => {
  const job = await submit(slow, '--frames', '1-3');
  await until('the frame to render', async () => {
    return (await node.client.call('here', {})).sessions[0]?.state === 'rendering';
  });
  const asked = performance.now();
  await node.client.call('setJob', { params: { job: job.id }, body: { desired: 'canceled' } });
  await until('the Blender to be gone', async () => (await blendersOf(node.dataFolder)).length === 0);
  assert.ok(performance.now() - asked < 1_000, `${performance.now() - asked} ms`);
  const view = await jobIn(node.client, job.id, ['canceled']);
  assert.deepEqual([view.counts.skipped, view.counts.failed, view.live.running], [4, 0, 0]);
  const { state, why, attempts } = await taskOf(node.client, job.id, '1');
  assert.equal(state, 'skipped');
  assert.match(why, /cancel/);
  assert.deepEqual(
    attempts.filter((attempt) => attempt.state === 'failed'),
    [],
  );
  assert.equal((await house.cuadro(['watch', job.id])).code, 5);
  assert.equal((await house.cuadro(['cancel', job.id])).code, 4, 'it has ended already');
  assert.deepEqual(await filesBelow(job.outputFolder), []);
});

test('a paused job begins nothing until it is resumed', async () => {
  const job = await echo('--frames', '1-20', '--set', 'sleepMs=50');
  await until('a task to be done', async () => {
    return (await node.client.call('job', { params: { job: job.id } })).counts.rendered > 0;
  });
  await house.json(['pause', job.id]);
  const still = await until('what runs to end', async () => {
    const view = await node.client.call('job', { params: { job: job.id } });
    return view.live.running === 0 && view;
  });
  assert.equal(still.state, 'paused');
  // Another job takes the machine meanwhile: it is free.
  await jobIn(node.client, (await echo('--frames', '1-3')).id, ['done']);
  const later = await node.client.call('job', { params: { job: job.id } });
  assert.deepEqual(later.counts, still.counts);
  assert.ok(later.counts.open > 0);
  assert.match((await taskOf(node.client, job.id, '20')).why, /paused/);
  await house.json(['resume', job.id]);
  await jobIn(node.client, job.id, ['done']);
});

test('a paused machine renders nothing and says so; its owner resumes it', async () => {
  await house.json(['pause', '--here']);
  const job = await echo('--frames', '1-2');
  const { why } = await taskOf(node.client, job.id, '1');
  assert.match(why, /No machine can run it now\. test: .*pause/i);
  const { stdout } = await house.cuadro(['nodes']);
  assert.match(stdout, /paused/);
  await house.json(['resume', '--here']);
  await jobIn(node.client, job.id, ['done']);
});

test('a requeued frame replaces the collected file where it is unchanged, keeps a changed one, and the film is redone', async () => {
  const job = await submit(blend);
  await jobIn(node.client, job.id, ['done']);
  await collected(node.client, job.id);
  const changed = join(job.outputFolder, 'shot_0002.png');
  await writeFile(changed, 'a retouched picture');
  const lost = join(job.outputFolder, 'shot_0001.png');
  await rm(lost);
  // Two renders of one small frame may take the same time to the millisecond; their attempts are never the same.
  const attemptsOf = async (): Promise<(string | undefined)[]> =>
    Promise.all(
      ['#0', '#1', '#3'].map(
        async (task) => (await taskOf(node.client, job.id, task)).attempts.at(0)?.attempt,
      ),
    );
  const before = await attemptsOf();
  await house.json(['requeue', job.id, '1-2']);
  await until('frames and film to be redone', async () => {
    const tasks = await tasksOf(node.client, job.id);
    if (!tasks.every(({ state }) => state === 'rendered')) return false;
    return (await attemptsOf()).every((attempt, i) => attempt !== undefined && attempt !== before[i]);
  });
  await until('the changed file to be told', async () => {
    return (await node.client.call('job', { params: { job: job.id } })).live.keptForeign === 1;
  });
  assert.equal(await readFile(changed, 'utf8'), 'a retouched picture');
  assert.match((await house.cuadro(['show', job.id])).stdout, /1 file of others kept/);
  // A redo brings back what was lost, although its pixels are the same.
  await decodePicture(lost);
  assert.equal((await probeFilm(join(job.outputFolder, 'shot.mp4'))).frames, 3);
  assert.equal((await node.client.call('job', { params: { job: job.id } })).filmStale, false);
});

test('files of others in a chosen folder are kept and told, unless they are to be overwritten', async () => {
  const folder = join(house.root, 'chosen');
  const first = await submit(blend, '--output', folder, '--no-film', '--frames', '1');
  await jobIn(node.client, first.id, ['done']);
  await collected(node.client, first.id);
  const place = join(folder, 'shot_0001.png');
  await writeFile(place, 'foreign');
  const second = await submit(blend, '--output', folder, '--no-film', '--frames', '1');
  await jobIn(node.client, second.id, ['done']);
  assert.equal((await collected(node.client, second.id)).live.keptForeign, 1);
  assert.equal(await readFile(place, 'utf8'), 'foreign');
  const third = await submit(blend, '--output', folder, '--no-film', '--frames', '1', '--overwrite');
  await jobIn(node.client, third.id, ['done']);
  await collected(node.client, third.id);
  assert.equal((await readFile(place)).subarray(1, 4).toString(), 'PNG');
});

test('tasks that fail: three attempts, telling lines, a log, and a retry of the failed ones', async () => {
  const settings = ['--frames', '1-8', '--set', 'failFrames=[7]'];
  const job = await echo(...settings);
  const after = await echo('--after', job.id);
  assert.equal((await house.cuadro(['watch', job.id])).code, 5);
  const view = await jobIn(node.client, job.id, ['failed']);
  assert.deepEqual([view.counts.rendered, view.counts.failed], [7, 1]);
  const { attempts, why } = await taskOf(node.client, job.id, '7');
  assert.equal(attempts.length, 3);
  assert.ok(attempts.every(({ code, lines }) => code === 'failed-on-purpose' && lines.length > 0));
  assert.match(why, /It failed: /);
  const logs = await house.cuadro(['logs', job.id]);
  assert.match(logs.stdout, /Hello from frame 7/);
  const skipped = await jobIn(node.client, after.id, ['skipped']);
  assert.equal(skipped.reason, `It waits for job #${view.order} ${view.name}, which is failed.`);
  await house.json(['requeue', job.id, '--failed']);
  await jobIn(node.client, job.id, ['active']);
  assert.deepEqual((await taskOf(node.client, job.id, '7')).state, 'open');
  await house.json(['cancel', job.id]);
});

test('a film is skipped where a frame failed, and says which', async () => {
  const job = await submit('--type', 'blender-animation', slow, '--frames', '1-2');
  for (let round = 0; round < 3; round++) {
    const seen = round;
    await until('an attempt to render', async () => {
      const { attempts } = await taskOf(node.client, job.id, '1');
      const failed = attempts.filter(({ state }) => state === 'failed').length;
      if (failed > seen) return true;
      const [session] = (await node.client.call('here', {})).sessions;
      if (session?.state === 'rendering')
        for (const pid of await blendersOf(node.dataFolder)) process.kill(pid, 'SIGKILL');
      return false;
    });
  }
  await until('frame 1 to fail', async () => (await taskOf(node.client, job.id, '1')).state === 'failed');
  const film = await taskOf(node.client, job.id, 'film');
  assert.equal(film.state, 'skipped');
  assert.match(film.why, /It needs frame 1, which failed\./);
  await house.json(['cancel', job.id]);
});

test('a job waits for another, higher priority goes first, and a deleted job is gone while its files stay', async () => {
  await house.json(['pause', '--here']);
  const first = await echo('--frames', '1-2', '--priority', '10');
  const urgent = await echo('--frames', '1-2', '--priority', '90');
  const last = await echo('--after', first.id, '--priority', '100');
  assert.equal((await node.client.call('job', { params: { job: last.id } })).state, 'waiting');
  const order = (await node.client.call('jobs', {})).map(({ id }) => id);
  assert.ok(order.indexOf(urgent.id) < order.indexOf(first.id));
  await house.json(['resume', '--here']);
  await jobIn(node.client, last.id, ['done']);
  const finished = async (job: string): Promise<number> =>
    (await node.client.call('job', { params: { job } })).changedAt ?? 0;
  const times = [await finished(urgent.id), await finished(first.id), await finished(last.id)];
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  await house.json(['delete', urgent.id]);
  assert.equal((await house.cuadro(['show', urgent.id])).code, 3);
  assert.ok(!(await node.client.call('jobs', {})).some(({ id }) => id === urgent.id));
});

test('a program runs where the owner allowed it, and its files are collected; another is refused', async () => {
  const source = join(house.root, 'letter.txt');
  await writeFile(source, 'a letter');
  const job = await submit(
    '--type',
    'command',
    '--frames',
    '1-2',
    '--',
    'cp',
    source,
    '{output}/copy-{frame}.txt',
  );
  await jobIn(node.client, job.id, ['done']);
  await collected(node.client, job.id);
  assert.deepEqual(await filesBelow(job.outputFolder), ['copy-1.txt', 'copy-2.txt']);
  const refused = await house.cuadro(['submit', '--type', 'command', '--', 'rm', '-rf', source]);
  if (refused.code === 0) {
    const [latest] = (await node.client.call('jobs', {})).filter(({ state }) => state === 'queued');
    assert.match((await taskOf(node.client, String(latest?.id), '1')).why, /program|allow/);
  } else {
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /No machine allows the program "rm".*cuadro config set programs/);
  }
  assert.equal(await readFile(source, 'utf8'), 'a letter');
});

test('fetch writes the finished files anywhere', async () => {
  const [job] = (await node.client.call('jobs', {})).filter(
    ({ type, state }) => type === 'command' && state === 'done',
  );
  const to = join(house.root, 'fetched', 'here');
  const { code, stdout } = await house.cuadro(['fetch', String(job?.id), '--to', to]);
  assert.equal(code, 0, stdout);
  assert.deepEqual(await filesBelow(to), ['copy-1.txt', 'copy-2.txt']);
});
