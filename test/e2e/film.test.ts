import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { JobView, SubmittedView } from '../../protocol/src/index.ts';
import { House, type NodeProcess, run } from './support/house.ts';
import { decodePicture, filesBelow, frameNames, picturePixels, probeFilm } from './support/media.ts';

/** One real film through the whole node: command line, brain, store, one warm Blender, ffmpeg, output folder. */

const FRAMES = 24;
let house: House;
let node: NodeProcess;
let blend: string;
let job: JobView;

before(async () => {
  house = await House.open();
  blend = await house.scene('sound');
  node = await house.node();
  const submitted = await house.json<SubmittedView>(['submit', blend]);
  job = submitted.job;
  assert.equal(job.counts.total, FRAMES + 1);
  assert.deepEqual(submitted.findings, []);
});

after(() => house.close());

test('watch follows the job to its end and exits 0', async () => {
  const { code, stdout, stderr } = await house.cuadro(['watch', job.id]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /25\/25, done/);
  assert.ok(stdout.includes(`Files: ${job.outputFolder}`), stdout);
});

test('one Blender process and one scene load made all frames', async () => {
  const { sessions, blender } = await node.client.call('here', {});
  assert.equal(blender.state, 'ready');
  assert.deepEqual(
    sessions.map(({ frames, loads, devices }) => ({ frames, loads, devices: devices.length > 0 })),
    [{ frames: FRAMES, loads: 1, devices: true }],
  );
});

test("the job's own folder holds the frames, whole, and the film, and nothing else", async () => {
  assert.ok(job.outputFolder.startsWith(house.output));
  assert.deepEqual(await filesBelow(job.outputFolder), [...frameNames(FRAMES), 'shot.mp4'].sort());
  for (const name of frameNames(FRAMES)) {
    assert.deepEqual(await decodePicture(join(job.outputFolder, name)), { width: 96, height: 54 }, name);
  }
});

test("the film has every frame, the scene's rate and its sound", async () => {
  const film = await probeFilm(join(job.outputFolder, 'shot.mp4'));
  assert.deepEqual(
    { ...film, duration: Math.round(film.duration * 1000) },
    { frames: FRAMES, rate: '24/1', width: 96, height: 54, audio: true, duration: 1000 },
  );
  const { stderr } = await run('ffmpeg', [
    ...['-hide_banner', '-i', join(job.outputFolder, 'shot.mp4')],
    ...['-af', 'volumedetect', '-vn', '-f', 'null', '-'],
  ]);
  const peak = Number(/max_volume: (-?[\d.]+) dB/.exec(stderr)?.[1]);
  assert.ok(peak > -20, `the tone is heard: ${peak} dB`);
});

test('every frame has the pixels that Blender renders directly', async () => {
  const direct = join(house.root, 'direct');
  await run('blender', [
    ...['-b', '--factory-startup', '-noaudio', blend],
    ...['-o', join(direct, 'shot_####'), '-F', 'PNG', '-a'],
  ]);
  const hashes = new Set<string>();
  for (const name of frameNames(FRAMES)) {
    const ours = await picturePixels(join(job.outputFolder, name));
    assert.equal(ours, await picturePixels(join(direct, name)), name);
    hashes.add(ours);
  }
  assert.equal(hashes.size, FRAMES, 'the frames differ among themselves');
});

test('show says that it is done, that each result is in one copy, and where it lies', async () => {
  const { code, stdout } = await house.cuadro(['show', job.id]);
  assert.equal(code, 0);
  assert.match(stdout, /state +done/);
  assert.match(stdout, /25 results in one copy/);
  assert.ok(stdout.includes(job.outputFolder));
  assert.match(stdout, /collected +25 files/);
  const task = await house.cuadro(['show', job.id, 'frame 7']);
  assert.match(task.stdout, /shot_0007\.png/);
  const log = await house.cuadro(['logs', job.id, '7']);
  assert.equal(log.code, 0);
  assert.match(log.stdout, /Fra:7 /);
});
