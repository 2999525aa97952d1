import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { SubmittedView } from '../../protocol/src/index.ts';
import { connectNode } from '../../node/src/cli/client.ts';
import { startNode } from '../../node/src/daemon.ts';
import { House, jobIn, type NodeProcess, run, taskOf } from './support/house.ts';
import { blendersOf, kill, processesWith } from './support/processes.ts';
import { assertPlain, assertRefused } from './support/refusal.ts';
import { until } from './support/wait.ts';

/** The machine is in the way: no Blender, a dying or hanging one, ports, disks. Each is told, and absorbed. */

let house: House;
let blend: string;
let slow: string;

before(async () => {
  house = await House.open();
  [blend, slow] = await Promise.all([house.scene(), house.scene('slow')]);
});

after(() => house.close());

const ONE_FRAME = ['--frames', '1'];

async function submitTo(node: NodeProcess, args: string[]): Promise<string> {
  const { job } = await house.json<SubmittedView>(['submit', ...args], { data: node.dataFolder });
  return job.id;
}

test('without Blender a scene is refused, and an accepted job waits and says why', async () => {
  const name = 'no-blender';
  const first = await house.node({ name });
  const job = await submitTo(first, [blend, ...ONE_FRAME, '--paused']);
  await first.stop();
  const node = await house.node({ name, config: { blender: join(house.root, 'nowhere', 'blender') } });
  const args = ['submit', blend, ...ONE_FRAME];
  await assertRefused(house, node, {
    args,
    exit: 7,
    says: /No Blender was found.*cuadro config set blender/,
  });
  await house.json(['resume', job], { data: node.dataFolder });
  const waiting = await until('the reason', async () => {
    const { why } = await taskOf(node.client, job, '1');
    return /Blender/.test(why) && why;
  });
  assert.match(waiting, /^No machine can run it now\. test: .*Blender/);
  const { stdout } = await house.cuadro(['nodes'], { data: node.dataFolder });
  assert.match(stdout, /Blender/);
  // Other kinds of work go on.
  const echo = await submitTo(node, ['--type', 'echo-sleep']);
  await jobIn(node.client, echo, ['done']);
  await node.stop();
  const again = await house.node({ name });
  await jobIn(again.client, job, ['done']);
  await again.stop();
});

/** How many of a job's attempts have told this in their logs so far. */
async function logsThatTell(folder: string, what: RegExp): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8').catch(() => '')));
  return texts.filter((text) => what.test(text)).length;
}

test('a Blender that is killed costs an attempt; killed on every attempt it fails the frame', async () => {
  const node = await house.node({ name: 'killed' });
  const job = await submitTo(node, [slow, ...ONE_FRAME]);
  const killed = new Set<number>();
  const view = await until('the job to end', async () => {
    for (const pid of await blendersOf(node.dataFolder)) {
      // Not before it has told of the frame: a Blender that dies while starting says nothing about it.
      const { sessions } = await node.client.call('here', {});
      if (killed.has(pid) || sessions[0]?.state !== 'rendering') continue;
      if ((await logsThatTell(join(node.dataFolder, 'logs', job), /Fra:1 /)) <= killed.size) continue;
      killed.add(pid);
      kill(pid);
    }
    const now = await node.client.call('job', { params: { job } });
    return now.state === 'failed' && now;
  });
  assert.equal(killed.size, 3);
  assert.match(view.reason ?? '', /1 of 1 tasks failed/);
  const { attempts } = await taskOf(node.client, job, '1');
  assert.deepEqual(
    attempts.map(({ state, code }) => [state, code]),
    Array.from({ length: 3 }, () => ['failed', 'crashed']),
  );
  assert.match(attempts[0]?.message ?? '', /Blender was ended by SIGKILL while rendering/);
  const watched = await house.cuadro(['watch', job], { data: node.dataFolder });
  assert.equal(watched.code, 5);
  const shown = await house.cuadro(['show', job], { data: node.dataFolder });
  assert.match(shown.stdout, /frame 1 failed: .*SIGKILL/);
  const logs = await house.cuadro(['logs', job], { data: node.dataFolder });
  assert.match(logs.stdout, /Fra:1 /);
  await node.stop();
});

test('a Blender that hangs is ended, and the frame goes to a fresh one', async () => {
  const dataFolder = house.dataFolder('hung');
  await house.configure(dataFolder);
  const node = await startNode({
    dataFolder,
    port: 0,
    renderLimits: { silenceMs: 6_000, watchEveryMs: 100 },
  });
  try {
    const client = connectNode(dataFolder);
    const { job } = await client.call('submit', { body: { path: slow, settings: { frames: '1' } } });
    // The first of its samples may take half a minute, and far longer on a busy machine: it tells of the frame before.
    const logs = join(dataFolder, 'logs', job.id);
    await until('the frame to render', async () => (await logsThatTell(logs, /Fra:1 /)) > 0);
    const [hung] = await blendersOf(dataFolder);
    kill(hung as number, 'SIGSTOP');
    const failed = await until('the attempt to fail', async () => {
      return (await taskOf(client, job.id, '1')).attempts.find(({ state }) => state === 'failed');
    });
    assert.equal(failed.code, 'hung');
    assert.match(failed.message ?? '', /no sign of life for .* while rendering and was ended/);
    await until('a fresh Blender', async () => (await blendersOf(dataFolder)).some((pid) => pid !== hung));
    assert.ok(!(await processesWith(dataFolder)).some(({ pid }) => pid === hung));
    await client.call('setJob', { params: { job: job.id }, body: { desired: 'canceled' } });
  } finally {
    await node.stop();
  }
  assert.deepEqual(await blendersOf(dataFolder), []);
});

test('a Blender that takes too much memory is ended before the machine suffers', async () => {
  const dataFolder = house.dataFolder('greedy');
  await house.configure(dataFolder, { allowScripts: true });
  const greedy = await house.scene('bloat');
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const memoryShare = (700 * 2 ** 20) / Math.min(constrained, totalmem());
  const node = await startNode({ dataFolder, port: 0, renderLimits: { memoryShare, watchEveryMs: 50 } });
  try {
    const client = connectNode(dataFolder);
    const settings = { frames: '1', allowScripts: true };
    const { job } = await client.call('submit', { body: { path: greedy, settings } });
    // Each attempt starts a Blender anew, which on a busy machine takes half a minute.
    for (let tries = 1; tries <= 3; tries++)
      await until(`attempt ${tries} to fail`, async () => {
        const { attempts } = await taskOf(client, job.id, '1');
        return attempts.filter(({ state }) => state === 'failed').length >= tries;
      });
    const ended = await jobIn(client, job.id, ['failed']);
    assert.match(ended.reason ?? '', /1 of 1 tasks failed/);
    const { attempts } = await taskOf(client, job.id, '1');
    assert.deepEqual(
      attempts.map(({ code }) => code),
      Array.from({ length: 3 }, () => 'out-of-memory'),
    );
    assert.match(attempts[0]?.message ?? '', /memory/);
  } finally {
    await node.stop();
  }
});

test('a taken port moves to the next and is told; none free is refused', async () => {
  const { servers, first } = await occupy(20);
  const refused = await house.cuadro(['up', '--offline', '--port', String(first)], {
    data: house.dataFolder('portless'),
  });
  assert.equal(refused.code, 7, refused.stderr);
  assert.match(
    refused.stderr,
    new RegExp(`No free port was found from ${first} to ${first + 19}\\. .*--port`),
  );
  assertPlain(refused.stderr);
  (servers.pop() as Server).close();
  const node = await house.node({ name: 'portless', port: first });
  assert.equal(new URL(node.address).port, String(first + 19));
  assert.match(node.errors(), new RegExp(`The port ${first} is taken; using ${first + 19}`));
  await node.stop();
  for (const server of servers) server.close();
});

/** Listens on as many ports in a row. */
async function occupy(count: number): Promise<{ servers: Server[]; first: number }> {
  for (let first = 42_000 + (process.pid % 10_000); ; first += count) {
    const servers: Server[] = [];
    for (let port = first; port < first + count; port++) {
      const server = createServer();
      const free = await new Promise<boolean>((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(port, '127.0.0.1', () => resolve(true));
      });
      if (!free) break;
      servers.push(server);
    }
    if (servers.length === count) return { servers, first };
    for (const server of servers) server.close();
  }
}

test('a second node on the same data folder is refused, and the first does not notice', async () => {
  const node = await house.node({ name: 'twice', config: house.noEngines });
  const second = await house.cuadro(['up', '--offline', '--port', '0'], { data: node.dataFolder });
  assert.equal(second.code, 7);
  assert.match(
    second.stderr,
    new RegExp(`Another node \\(process ${node.pid}\\) already uses the data folder`),
  );
  assertPlain(second.stderr);
  const job = await submitTo(node, ['--type', 'echo-sleep']);
  await jobIn(node.client, job, ['done']);
  await node.kill();
  // A killed node keeps nobody out.
  await (await house.node({ name: 'twice', config: house.noEngines })).stop();
});

test('a data folder that cannot be written or made', async (t) => {
  const file = join(house.root, 'file');
  await writeFile(file, '');
  const readOnly = await house.mount('size=1m,ro');
  for (const data of [join(file, 'data'), '/proc/cuadro-data', ...(readOnly ? [readOnly] : [])]) {
    await t.test(data.replace(house.root, '…'), async () => {
      const { code, stderr } = await house.cuadro(['up', '--offline', '--port', '0'], { data });
      assert.equal(code, 7, stderr);
      assert.match(stderr, /The data folder .* can't be written: /);
      assertPlain(stderr);
    });
  }
});

test('a damaged configuration is not guessed at', async () => {
  const data = house.dataFolder('misconfigured');
  await house.configure(data);
  await writeFile(join(data, 'config.json'), '{"slots": "many"}');
  const { code, stderr } = await house.cuadro(['up', '--offline', '--port', '0'], { data });
  assert.equal(code, 7, stderr);
  assert.match(stderr, /config\.json: slots must be a number\. Mend that file/);
  assertPlain(stderr);
});

test('a full disk: the start, a submission, and a render each say so, and room lets the work go on', async (t) => {
  const tiny = await house.mount('size=64k');
  if (tiny === undefined) return t.skip('needs the right to mount');
  await writeFile(join(tiny, 'filler'), Buffer.alloc(64 * 1024));
  const refused = await house.cuadro(['up', '--offline', '--port', '0'], { data: tiny });
  assert.equal(refused.code, 7, refused.stderr);
  assert.match(refused.stderr, /The disk of .* has too little room: /);
  assertPlain(refused.stderr);

  const disk = (await house.mount('size=32m')) as string;
  const dataFolder = join(disk, 'data');
  // 8 MiB of reserve, so that records can still be written when frames no longer can.
  await house.configure(dataFolder, { reserveGiB: 8 / 1024 });
  const node = await house.node({ dataFolder });
  const job = await submitTo(node, [blend, '--frames', '1-3', '--paused']);
  const { stdout } = await run('df', ['--output=avail', '-B1', disk]);
  const filler = join(disk, 'filler');
  await writeFile(filler, Buffer.alloc(Number(stdout.split('\n')[1]) - 2 * 2 ** 20));
  const args = ['submit', await house.scene('two-textures'), ...ONE_FRAME];
  await assertRefused(house, node, {
    args,
    exit: 7,
    says: /The disk of .* has too little room: .*Free some space/,
  });
  await house.json(['resume', job], { data: dataFolder });
  const idle = await until('the node to stop claiming', async () => {
    const [machine] = await node.client.call('nodes', {});
    return /disk|room|free/i.test(machine?.live.idleReason ?? '') && machine?.live.idleReason;
  });
  assert.match(idle, /The disk has only .* free; .* are kept in reserve/);
  assert.equal((await node.client.call('job', { params: { job } })).counts.failed, 0);
  await rm(filler);
  await jobIn(node.client, job, ['done']);
  await node.stop();
});

test('a disk that fills to the last byte ends the node with a sentence, and nothing accepted is lost', async (t) => {
  const disk = await house.mount('size=16m');
  if (disk === undefined) return t.skip('needs the right to mount');
  const dataFolder = join(disk, 'data');
  await house.configure(dataFolder, house.noEngines);
  const node = await house.node({ dataFolder });
  // Without a message nothing but records is written: a log that can't be written only makes the machine wait.
  const settings = ['--type', 'echo-sleep', '--frames', '1-200', '--set', 'sleepMs=20', '--set', 'message='];
  const job = await submitTo(node, settings);
  await until('some tasks to be done', async () => {
    return (await node.client.call('job', { params: { job } })).counts.rendered > 5;
  });
  const filler = join(disk, 'filler');
  await run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096']).catch(() => undefined);
  const { code } = await node.ended;
  assert.equal(code, 7);
  assert.match(node.errors(), /The records can no longer be written/);
  await rm(filler);
  const again = await house.node({ dataFolder });
  assert.equal((await jobIn(again.client, job, ['done'])).counts.rendered, 200);
  assert.doesNotMatch(await readFile(join(dataFolder, 'node.log'), 'utf8'), /damaged/);
  await again.stop();
});
