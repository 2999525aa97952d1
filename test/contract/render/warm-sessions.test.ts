import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import type { BlenderSessions, FrameProgress, FrameResult } from '../../../node/src/render/interface.ts';
import { type Bench, createBench, processesWith, run, until } from './harness.ts';

const pixels = async (path: string) => {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  return { data, size: `${info.width}x${info.height}x${info.channels}` };
};

async function assertSamePixels(path: string, oracle: string): Promise<void> {
  const [mine, theirs] = [await pixels(path), await pixels(oracle)];
  assert.equal(mine.size, theirs.size);
  assert.ok(mine.data.equals(theirs.data), `${path} differs from ${oracle}`);
}

describe('warm sessions', () => {
  let bench: Bench;
  let sessions: BlenderSessions;

  before(async () => {
    bench = await createBench();
    sessions = await bench.sessions();
  });
  after(() => bench.close());

  /** Renders directly with Blender into a folder of its own, as a user would. */
  const renderDirectly = async (options: string[], frame: number, extra: string[] = []) => {
    const directory = join(bench.root, `direct-${options.join('+')}-${frame}`);
    const blend = join(await bench.scene(...options), 'scene.blend');
    const format = options.includes('movie') ? ['-F', 'PNG'] : [];
    await run('blender', [
      ...['-b', '--factory-startup', ...extra, '-noaudio', blend, '-o', join(directory, 'shot_'), ...format],
      ...['-f', String(frame)],
    ]);
    return directory;
  };

  it('says what Blender can do here', async () => {
    const capabilities = await sessions.capabilities();
    assert.equal(capabilities.state, 'ready');
    if (capabilities.state !== 'ready') return;
    assert.match(capabilities.version, /^\d+\.\d+/);
    assert.ok(capabilities.engines.includes('CYCLES'));
    assert.ok(capabilities.imageFormats.includes('PNG') && !capabilities.imageFormats.includes('FFMPEG'));
    assert.ok(capabilities.movieFormats.includes('FFMPEG'));
    assert.ok(capabilities.devices.some((device) => device.type === 'CPU'));
    assert.ok(capabilities.cores >= 1 && capabilities.confinement.sentence.length > 20);
  });

  it('renders six frames with one process and one load, and each as Blender itself does', async () => {
    const results: FrameResult[] = [];
    const pids = new Set<number>();
    for (const frame of [1, 2, 3, 4, -5, 300]) {
      results.push(await bench.render(sessions, await bench.request(frame)));
      pids.add(sessions.snapshot()[0]?.pid ?? 0);
    }
    assert.equal(pids.size, 1);
    const [snapshot] = sessions.snapshot();
    assert.equal(snapshot?.scenesLoaded, 1);
    assert.equal(snapshot?.framesRendered, 6);
    assert.equal(snapshot?.state, 'idle');
    assert.deepEqual(
      results.map((result) => result.loadMs > 0),
      [true, false, false, false, false, false],
    );
    assert.deepEqual(
      results.map((result) => result.files.map((file) => file.name).join()),
      ['shot_0001.png', 'shot_0002.png', 'shot_0003.png', 'shot_0004.png', 'shot_-0005.png', 'shot_0300.png'],
    );
    assert.deepEqual(results[0]?.devices, ['CPU']);
    assert.ok((results[0]?.peakMemoryBytes ?? 0) > 50 * 2 ** 20);
    for (const [index, frame] of [
      [0, 1],
      [3, 4],
    ] as const) {
      const direct = await renderDirectly([], frame);
      await assertSamePixels(results[index]?.files[0]?.path ?? '', join(direct, `shot_000${frame}.png`));
    }
  });

  it('takes another scene in the same process', async () => {
    const before = sessions.snapshot()[0]?.pid;
    const result = await bench.render(sessions, await bench.request(4, ['marker-cameras']));
    assert.equal(sessions.snapshot()[0]?.pid, before);
    assert.ok(result.loadMs > 0);
    await assertSamePixels(
      result.files[0]?.path ?? '',
      join(await renderDirectly(['marker-cameras'], 4), 'shot_0004.png'),
    );
  });

  it('loads again when the settings change, and applies them', async () => {
    const settings = { resolutionPercent: 50, camera: 'Second', format: 'JPEG', samples: 2 };
    const result = await bench.render(sessions, await bench.request(1, ['marker-cameras'], settings));
    const [file] = result.files;
    assert.ok(result.loadMs > 0);
    assert.equal(file?.name, 'shot_0001.jpg');
    assert.deepEqual([file?.width, file?.height, file?.format], [80, 45, 'JPEG']);
    const metadata = await sharp(file?.path).metadata();
    assert.deepEqual([metadata.width, metadata.height, metadata.format], [80, 45, 'jpeg']);
  });

  it("says in each frame's log what differs from the scene", async () => {
    for (const frame of [1, 2]) {
      const options = bench.options();
      const { warnings } = await sessions.render(await bench.request(frame, ['movie']), options);
      assert.equal(warnings.length, 1);
      const log = await readFile(options.logFile, 'utf8');
      assert.ok(log.includes(`Warning: ${warnings[0]}\n`), log);
    }
  });

  it("collects what the compositor of a strip's scene writes", async () => {
    const { files } = await bench.render(sessions, await bench.request(3, ['strip-outputs']));
    assert.deepEqual(
      files.map(({ name, role }) => `${role} ${name}`),
      ['image shot_0003.png', 'compositor stage/Image0003.png'],
    );
  });

  it('knows the size of a border that is cut out, as Blender rounds it', async () => {
    const result = await bench.render(sessions, await bench.request(1, ['border']));
    const [file] = result.files;
    const { width, height } = await sharp(file?.path).metadata();
    assert.deepEqual([file?.width, file?.height], [width, height]);
    assert.deepEqual([width, height], [88, 54]);
  });

  it('reports progress that never falls, by sample', async () => {
    const seen: FrameProgress[] = [];
    const request = await bench.request(7);
    await sessions.render(request, bench.options({ onProgress: (progress) => seen.push(progress) }));
    const fractions = seen.map((progress) => progress.fraction);
    assert.deepEqual(
      fractions,
      fractions.toSorted((a, b) => a - b),
    );
    assert.equal(fractions.at(-1), 1);
    assert.ok(seen.some((progress) => progress.samples === 4));
    assert.ok(seen.some((progress) => (progress.memoryBytes ?? 0) > 0));
  });

  it('keeps the log of each frame', async () => {
    const options = bench.options();
    const result = await sessions.render(await bench.request(8), options);
    assert.equal(result.logFile, options.logFile);
    assert.match(await readFile(options.logFile, 'utf8'), /Fra:8 .*Sample 4\/4[^]*Saved:/);
  });

  it('turns a movie into frames and says so', async () => {
    const result = await bench.render(sessions, await bench.request(2, ['movie']));
    assert.equal(result.files[0]?.name, 'shot_0002.png');
    assert.match(result.warnings.join(), /movie \(FFMPEG\)/);
    await assertSamePixels(
      result.files[0]?.path ?? '',
      join(await renderDirectly(['movie'], 2), 'shot_0002.png'),
    );
  });

  it('adds a JPEG to an EXR, and none to a PNG unless asked', async () => {
    const exr = await bench.render(sessions, await bench.request(1, ['exr']));
    assert.equal(exr.files[0]?.format, 'OPEN_EXR');
    const metadata = await sharp(exr.preview?.path).metadata();
    assert.deepEqual([metadata.width, metadata.height, metadata.format], [160, 90, 'jpeg']);
    const again = await bench.render(sessions, await bench.request(2, ['exr']));
    assert.equal(again.files[0]?.name, 'shot_0002.exr');
    assert.equal(again.loadMs, 0);
    assert.equal((await bench.render(sessions, await bench.request(1))).preview, undefined);
    const asked = await bench.render(sessions, { ...(await bench.request(1)), preview: 'always' });
    assert.equal((await sharp(asked.preview?.path).metadata()).format, 'jpeg');
    assert.equal((await sharp(asked.files[0]?.path).metadata()).format, 'png');
  });

  it('brings home what compositor nodes write, wherever they point', async () => {
    for (const frame of [1, 2]) {
      const request = await bench.request(frame, ['outputs']);
      const result = await bench.render(sessions, request);
      const names = result.files.map((file) => `${file.role} ${file.name}`);
      assert.deepEqual(names, [
        `image shot_000${frame}.png`,
        `compositor layer2_000${frame}.png`,
        `compositor passes-2/layer1_000${frame}.png`,
        `compositor passes/layer0_000${frame}.png`,
      ]);
      for (const file of result.files) assert.equal((await sharp(file.path).metadata()).width, 160);
      assert.deepEqual((await readdir(request.outputDirectory)).sort(), [
        `layer2_000${frame}.png`,
        'passes',
        'passes-2',
        `shot_000${frame}.png`,
      ]);
    }
  });

  it('brings both views of a stereo image', async () => {
    const result = await bench.render(sessions, await bench.request(1, ['stereo']));
    const direct = await renderDirectly(['stereo'], 1);
    assert.deepEqual(
      result.files.map((file) => `${file.role} ${file.name}`),
      ['view shot_0001_L.png', 'view shot_0001_R.png'],
    );
    for (const file of result.files) await assertSamePixels(file.path, join(direct, file.name));
  });

  it('runs scripts only where they are allowed, and says what it blocked', async () => {
    const blocked = await bench.render(sessions, await bench.request(1, ['text-script']));
    assert.match(blocked.scriptsBlocked.join(), /startup\.py/);
    const warm = await bench.render(sessions, await bench.request(2, ['text-script']));
    assert.match(warm.scriptsBlocked.join(), /startup\.py/);
    const driver = await bench.render(sessions, await bench.request(9, ['script-driver']));
    assert.match(driver.scriptsBlocked.join(), /restricted access/);
    const allowed = await bench.render(
      sessions,
      await bench.request(9, ['script-driver'], { allowScripts: true }),
    );
    assert.deepEqual(allowed.scriptsBlocked, []);
    const direct = await renderDirectly(['script-driver'], 9, ['-y']);
    await assertSamePixels(allowed.files[0]?.path ?? '', join(direct, 'shot_0009.png'));
    // What scripts leave in a process must not reach the next scene.
    const tainted = sessions.snapshot()[0]?.pid;
    await bench.render(sessions, await bench.request(1));
    assert.notEqual(sessions.snapshot()[0]?.pid, tainted);
  });

  it('uses one process per slot, prefers the warm one, and queues the rest', async () => {
    const two = await bench.sessions({ slots: [{ threads: 1 }, { threads: 1 }] });
    const requests = await Promise.all([1, 2, 3, 4, 5].map((frame) => bench.request(frame)));
    const results = await Promise.all(requests.map((request) => bench.render(two, request)));
    assert.equal(results.length, 5);
    assert.equal(two.snapshot().length, 2);
    assert.equal(
      two.snapshot().reduce((total, session) => total + session.scenesLoaded, 0),
      2,
    );
    await bench.render(two, await bench.request(1, ['exr']));
    await two.endIdle();
    assert.deepEqual(two.snapshot(), []);
  });

  it('ends an idle process and removes its folder', async () => {
    const brief = await bench.sessions({ limits: { idleMs: 50 } });
    await bench.render(brief, await bench.request(1));
    await until(() => brief.snapshot().length === 0);
    const result = await bench.render(brief, await bench.request(2));
    assert.ok(result.loadMs > 0);
  });

  it('replaces a process that has rendered enough', async () => {
    const short = await bench.sessions({ limits: { framesPerProcess: 2 } });
    const pids: number[] = [];
    for (const frame of [1, 2, 3]) {
      await bench.render(short, await bench.request(frame));
      pids.push(short.snapshot()[0]?.pid ?? 0);
    }
    assert.equal(pids[1], 0);
    assert.notEqual(pids[0], pids[2]);
  });

  it('leaves nothing behind when stopped', async () => {
    const folder = join(bench.root, 'sessions-stopped');
    const stopped = await bench.sessions({ sessionsDirectory: folder });
    await bench.render(stopped, await bench.request(1));
    await stopped.stop();
    await stopped.stop();
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual(await processesWith(folder), []);
    await assert.rejects(bench.render(stopped, await bench.request(1)), { code: 'bad-request' });
  });
});
