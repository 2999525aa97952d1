import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RenderError } from '../../../node/src/render/errors.ts';
import type { BlenderSessions, FrameRequest, FrameResult } from '../../../node/src/render/interface.ts';
import { type Bench, blenderProcess, createBench, processesWith, until } from './harness.ts';

/** Starts a frame and resolves once it is well under way. */
async function renderUntilBusy(bench: Bench, sessions: BlenderSessions, request: FrameRequest) {
  const controller = new AbortController();
  let sampled = false;
  const result = sessions.render(
    request,
    bench.options({
      signal: controller.signal,
      onProgress: (progress) => {
        sampled ||= (progress.sample ?? 0) > 0;
      },
    }),
  );
  result.catch(() => {});
  await until(() => sampled);
  return { controller, result };
}

async function failureOf(result: Promise<FrameResult>): Promise<RenderError> {
  const error = await result.then(
    () => assert.fail('The frame did not fail.'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RenderError, String(error));
  assert.ok(error.lines.length <= 8);
  return error;
}

describe('failing sessions', () => {
  let bench: Bench;
  let sessions: BlenderSessions;

  before(async () => {
    bench = await createBench();
    sessions = await bench.sessions();
  });
  after(() => bench.close());

  const broken = async (name: string, bytes: Uint8Array | undefined): Promise<FrameRequest> => {
    const request = await bench.request(1);
    const directory = join(bench.root, 'scenes', name);
    await mkdir(directory, { recursive: true });
    if (bytes !== undefined) await writeFile(join(directory, 'scene.blend'), bytes);
    return { ...request, scene: { ...request.scene, directory, key: name } };
  };

  it('gives up a Blender that does not come to start, once the node stops', async () => {
    const slow = join(bench.root, 'slow-blender');
    await writeFile(slow, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
    const pool = await bench.sessions({ blender: slow });
    const found = pool.capabilities();
    found.catch(() => undefined);
    const starting = () => processesWith(`${bench.sessionsDirectory}/1/`);
    await until(async () => (await starting()).length > 0);
    await pool.stop();
    await assert.rejects(found, { code: 'bad-request' });
    assert.deepEqual(await starting(), []);
  });

  it('names what is wrong with a scene, and the process goes on', async () => {
    const good = await bench.render(sessions, await bench.request(1));
    const { pid } = sessions.snapshot()[0] ?? {};
    const whole = await readFile(join(await bench.scene(), 'scene.blend'));
    const cases: [string, FrameRequest, RegExp][] = [
      ['no-camera', await bench.request(1, ['no-camera']), /no camera/],
      ['load-failed', await broken('garbage', Buffer.from('garbage')), /scene\.blend/],
      ['load-failed', await broken('truncated', whole.subarray(0, whole.length / 2)), /scene\.blend/],
      ['load-failed', await broken('missing', undefined), /not there/],
      ['not-in-scene', await bench.request(1, [], { camera: 'Nobody' }), /'Camera'/],
      ['not-in-scene', await bench.request(1, [], { sceneName: 'Nobody' }), /'Scene'/],
      ['bad-request', await bench.request(1, [], { format: 'NONSENSE' }), /NONSENSE/],
    ];
    for (const [code, request, sentence] of cases) {
      const error = await failureOf(bench.render(sessions, request));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, sentence);
      assert.deepEqual(await readdir(request.outputDirectory), []);
    }
    // Neither a failed load nor a refused setting leaves the old scene standing as if it were the new one.
    const again = await bench.render(sessions, await bench.request(1));
    assert.ok(again.loadMs > 0 && good.files.length === again.files.length);
    assert.equal(sessions.snapshot()[0]?.pid, pid);
  });

  it('names a denoiser that this Blender lacks', async (test) => {
    const capabilities = await sessions.capabilities();
    if (capabilities.state === 'ready' && capabilities.denoisers.includes('openimagedenoise'))
      return test.skip('this Blender denoises');
    const error = await failureOf(bench.render(sessions, await bench.request(1, ['denoise'])));
    assert.equal(error.code, 'denoiser-missing');
    assert.match(error.lines.join('\n'), /OpenImageDenoiser/);
    return undefined;
  });

  it('refuses scenes outside the readable folders', async () => {
    const request = await bench.request(1);
    const outside = { ...request, scene: { ...request.scene, directory: '/etc' } };
    assert.equal((await failureOf(bench.render(sessions, outside))).code, 'bad-request');
  });

  it('cancels within a second, down to the last process, and starts afresh', async () => {
    const folder = join(bench.root, 'sessions-cancel');
    const own = await bench.sessions({ sessionsDirectory: folder });
    const { controller, result } = await renderUntilBusy(bench, own, await bench.request(1, ['heavy']));
    assert.ok((await processesWith(folder)).length > 0);
    const reason = new Error('the user canceled');
    const canceledAt = performance.now();
    controller.abort(reason);
    await assert.rejects(result, (error) => error === reason);
    assert.ok(performance.now() - canceledAt < 1000);
    assert.deepEqual(await processesWith(folder), []);
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(own.snapshot(), []);
    assert.equal((await bench.render(own, await bench.request(1))).files.length, 1);
  });

  it('cancels a frame that still waits for the slot, or for Blender to start', async () => {
    const own = await bench.sessions();
    const early = new AbortController();
    const starting = own.render(await bench.request(1), bench.options({ signal: early.signal }));
    early.abort(new Error('early'));
    await assert.rejects(starting, /early/);
    const { controller, result } = await renderUntilBusy(bench, own, await bench.request(1, ['heavy']));
    const waiting = new AbortController();
    const queued = own.render(await bench.request(2), bench.options({ signal: waiting.signal }));
    waiting.abort(new Error('no longer wanted'));
    await assert.rejects(queued, /no longer wanted/);
    assert.equal(own.snapshot()[0]?.state, 'rendering');
    const next = own.render(await bench.request(3), bench.options());
    controller.abort(new Error('canceled'));
    await assert.rejects(result, /canceled/);
    assert.equal((await next).files[0]?.name, 'shot_0003.png');
  });

  it('reports a Blender that was killed, and goes on with a fresh one', async () => {
    const folder = join(bench.root, 'sessions-crash');
    const own = await bench.sessions({ sessionsDirectory: folder });
    const { result } = await renderUntilBusy(bench, own, await bench.request(1, ['heavy']));
    process.kill(await blenderProcess(folder), 'SIGKILL');
    const error = await failureOf(result);
    // The kernel's own kills are told apart by its count, which another container can raise meanwhile.
    assert.ok(error.code === 'crashed' || error.code === 'out-of-memory', error.code);
    assert.deepEqual(await processesWith(folder), []);
    assert.equal((await bench.render(own, await bench.request(1))).files.length, 1);
    const idle = await blenderProcess(folder);
    process.kill(idle, 'SIGKILL');
    await until(() => own.snapshot().length === 0);
    assert.equal((await bench.render(own, await bench.request(2))).files.length, 1);
  });

  it('ends a Blender that gives no sign of life', async () => {
    const folder = join(bench.root, 'sessions-stopped');
    const limits = { silenceMs: 1500, watchEveryMs: 100 };
    const own = await bench.sessions({ sessionsDirectory: folder, limits });
    const { result } = await renderUntilBusy(bench, own, await bench.request(1, ['heavy']));
    process.kill(await blenderProcess(folder), 'SIGSTOP');
    const error = await failureOf(result);
    assert.equal(error.code, 'hung');
    assert.match(error.message, /no sign of life for 1\.\d s/);
    assert.deepEqual(await processesWith(folder), []);
  });

  it('ends a Blender that lives and makes no progress', async () => {
    const limits = { silenceMs: 60_000, progressSilenceMs: 2000, watchEveryMs: 100 };
    const own = await bench.sessions({ limits });
    const error = await failureOf(
      bench.render(own, await bench.request(1, ['script-stall'], { allowScripts: true })),
    );
    assert.equal(error.code, 'hung');
    assert.match(error.message, /no progress/);
  });

  it('ends a Blender that eats the memory', async () => {
    const own = await bench.sessions({ limits: { memoryShare: (700 * 2 ** 20) / totalmem() } });
    const error = await failureOf(
      bench.render(own, await bench.request(1, ['script-bloat'], { allowScripts: true })),
    );
    assert.equal(error.code, 'out-of-memory');
    assert.match(error.message, /GB/);
  });

  it('says plainly that there is no Blender, or none that works', async () => {
    const absent = await bench.sessions({ blender: join(bench.root, 'no-such-blender') });
    const capabilities = await absent.capabilities();
    assert.equal(capabilities.state, 'no-blender');
    assert.match(capabilities.state === 'no-blender' ? capabilities.sentence : '', /Install Blender/);
    assert.equal((await failureOf(bench.render(absent, await bench.request(1)))).code, 'no-blender');
    const fake = join(bench.root, 'fake-blender');
    await writeFile(fake, '#!/bin/sh\necho "error: no display of any kind" >&2\nexit 3\n');
    await chmod(fake, 0o755);
    const wrong = await (await bench.sessions({ blender: fake, confine: false })).capabilities();
    assert.match(wrong.state === 'no-blender' ? wrong.sentence : '', /exit code 3.*no display of any kind/);
  });

  for (const confined of ['confined', 'unconfined'])
    it(`ends Blender when the node is killed (${confined})`, async () => {
      const script = fileURLToPath(new URL('abandon.ts', import.meta.url));
      const parent = spawn(process.execPath, [script, confined], { stdio: ['ignore', 'pipe', 'inherit'] });
      const root = await new Promise<string>((resolve) => {
        parent.stdout.once('data', (data: Buffer) => resolve(data.toString().split('\n')[0] ?? ''));
      });
      assert.ok((await processesWith(root)).length > 0);
      parent.kill('SIGKILL');
      await until(async () => (await processesWith(root)).length === 0, 5000);
      await rm(root, { recursive: true });
    });

  it('sweeps what a killed node left behind', async () => {
    const folder = join(bench.root, 'sessions-swept');
    await mkdir(join(folder, 'slot-0-leftover', 'out'), { recursive: true });
    await bench.sessions({ sessionsDirectory: folder });
    assert.deepEqual(await readdir(folder), []);
  });
});

describe('confinement', () => {
  let bench: Bench;
  before(async () => {
    bench = await createBench();
  });
  after(() => bench.close());

  /** What a scene's script could do, as it printed it. */
  const escape = async (sessions: BlenderSessions) => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const secret = join(bench.root, 'secret.txt');
    await writeFile(secret, 'secret');
    const scene = await bench.scene('script-escape');
    const write = [join(bench.root, 'escaped'), join(scene, 'escaped'), '/usr/cuadro-escaped'];
    await writeFile(
      join(scene, 'probe.json'),
      JSON.stringify({ write, read: [secret, '/etc/passwd'], port }),
    );
    const options = bench.options();
    const request = await bench.request(1, ['script-escape'], { allowScripts: true });
    try {
      await sessions.render(request, options);
    } finally {
      server.close();
      await rm('/usr/cuadro-escaped', { force: true });
    }
    const log = await readFile(options.logFile, 'utf8');
    const written = await Promise.all(
      write.slice(0, 2).map((path) =>
        stat(path).then(
          () => true,
          () => false,
        ),
      ),
    );
    return { lines: log.split('\n').filter((line) => line.startsWith('escape ')), written };
  };

  it('keeps a script from writing, reading and connecting outside', async (test) => {
    const sessions = await bench.sessions();
    if ((await sessions.capabilities()).confinement.kind === 'none')
      return test.skip('no bubblewrap on this machine');
    const { lines, written } = await escape(sessions);
    const outcomes = lines.filter((line) => !line.includes('processes'));
    assert.equal(outcomes.length, 6);
    for (const line of outcomes) assert.match(line, /failed$/);
    assert.deepEqual(written, [false, false]);
    const processes = Number(/\d+$/.exec(lines.at(-1) ?? '')?.[0]);
    assert.ok(processes <= 3, `it saw ${processes} processes`);
    return undefined;
  });

  it('says so where it does not confine', async () => {
    const sessions = await bench.sessions({ confine: false });
    const { confinement } = await sessions.capabilities();
    assert.equal(confinement.kind, 'none');
    assert.match(confinement.sentence, /unconfined/);
    // The same script succeeds here, so the test above can fail.
    const { lines } = await escape(sessions);
    assert.ok(lines.some((line) => line.endsWith('connect worked')));
    assert.ok(lines.some((line) => line.endsWith('secret.txt worked')));
  });
});
