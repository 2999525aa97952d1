import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameError } from '../../../node/src/render/verify/errors.ts';
import { PICTURE_NICENESS } from '../../../node/src/render/verify/limits.ts';
import { alive, picture, pictureProcess, temporaryFolder, until } from './pictures.ts';

const folder = temporaryFolder();
const good = join(folder, 'good.png');
const bytes = picture(good, '67x41');
const size = { width: 67, height: 41 };
const code = (expected: string) => (error: unknown) => error instanceof FrameError && error.code === expected;

test('any cut, zeroing or flip of a PNG is refused, unless its pixels are the same', async () => {
  const pictures = pictureProcess();
  const { pixelHash } = await pictures.verify({ path: good, ...size });
  const place = fc.nat({ max: bytes.length - 1 });
  const damage = fc.oneof(
    place.map((at) => ({ kind: 'cut' as const, at, length: 0 })),
    fc
      .tuple(place, fc.integer({ min: 1, max: 2000 }))
      .map(([at, length]) => ({ kind: 'zero' as const, at, length })),
    place.map((at) => ({ kind: 'flip' as const, at, length: 1 })),
  );
  let index = 0;
  await fc.assert(
    fc.asyncProperty(damage, async ({ kind, at, length }) => {
      const path = join(folder, `damaged-${index++}.png`);
      const damaged = Buffer.from(kind === 'cut' ? bytes.subarray(0, at) : bytes);
      if (kind === 'zero') damaged.fill(0, at, Math.min(at + length, damaged.length));
      if (kind === 'flip') damaged[at] = (damaged[at] as number) ^ 0x10;
      writeFileSync(path, damaged);
      const outcome = await pictures.verify({ path, ...size }).catch((error: unknown) => error);
      if (outcome instanceof FrameError) return;
      assert.equal((outcome as { pixelHash: string }).pixelHash, pixelHash);
      assert.ok(damaged.equals(bytes), `${kind} at ${at} was accepted`);
    }),
    { numRuns: 150 },
  );
});

test('an EXR, TIFF, SGI or JPEG cut anywhere is refused', async () => {
  const pictures = pictureProcess();
  for (const name of ['cut.exr', 'cut.tif', 'cut.sgi', 'cut.jpg', 'cut.webp']) {
    const path = join(folder, name);
    const whole = picture(path, '67x41', ...(name.endsWith('exr') ? ['-compression', 'zip16'] : []));
    await pictures.verify({ path, ...size });
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), async (length) => {
        writeFileSync(path, whole.subarray(0, length));
        await assert.rejects(pictures.verify({ path, ...size }), FrameError);
      }),
      { numRuns: 40 },
    );
  }
});

test('it starts at the first request, ends when idle, and starts again', async () => {
  const pictures = pictureProcess({ limits: { idleMs: 50 } });
  await pictures.start();
  assert.equal(pictures.pid(), undefined);
  await pictures.verify({ path: good, ...size });
  const first = pictures.pid();
  assert.ok(first);
  await until(() => pictures.pid() === undefined);
  await until(() => !alive(first));
  await pictures.verify({ path: good, ...size });
  assert.notEqual(pictures.pid(), first);
});

test('all its threads are more modest than Blender', {
  skip: process.platform !== 'linux' && 'no /proc',
}, async () => {
  const pictures = pictureProcess();
  await pictures.verify({ path: good, ...size });
  const tasks = `/proc/${pictures.pid()}/task`;
  const niceness = readdirSync(tasks).map((thread) => {
    const stat = readFileSync(join(tasks, thread, 'stat'), 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
  assert.ok(niceness.length > 1);
  assert.deepEqual(new Set(niceness), new Set([Math.max(getPriority(), PICTURE_NICENESS)]));
});

test('a killed child is replaced, and what it was doing is done by the next', async () => {
  const pictures = pictureProcess();
  const waiting = Array.from({ length: 20 }, () => pictures.verify({ path: good, ...size }));
  await waiting[0];
  process.kill(pictures.pid() as number, 'SIGKILL');
  const hashes = new Set((await Promise.all(waiting)).map(({ pixelHash }) => pixelHash));
  assert.equal(hashes.size, 1);
});

/** Stands in for a decoder that never ends. */
function endlessDecoder(): string {
  const path = join(folder, 'endless-ffmpeg');
  writeFileSync(path, '#!/bin/sh\necho $$ > "$0.pid"\nexec sleep 600\n');
  chmodSync(path, 0o755);
  return path;
}

test('a picture that hangs its decoder fails alone and in time, and its decoder is gone', async () => {
  const path = join(folder, 'hangs.bmp');
  picture(path, '67x41');
  const ffmpeg = endlessDecoder();
  const pictures = pictureProcess({ ffmpeg, limits: { requestMs: 500 } });
  const hung = pictures.verify({ path, ...size });
  const behind = pictures.verify({ path: good, ...size });
  await assert.rejects(
    hung,
    (error: unknown) => code('frame-undecodable')(error) && /twice/.test(String(error)),
  );
  assert.equal((await behind).format, 'png');
  const pid = Number(readFileSync(`${ffmpeg}.pid`, 'utf8'));
  await until(() => !alive(pid));
});

test('aborting gives up one request only; a full queue and a stopped process say so', async () => {
  const pictures = pictureProcess({ limits: { waiting: 2 } });
  const controller = new AbortController();
  const running = pictures.verify({ path: good, ...size });
  const waiting = pictures.verify({ path: good, ...size }, { signal: controller.signal });
  await assert.rejects(pictures.verify({ path: good, ...size }), code('pictures-busy'));
  controller.abort(new Error('canceled'));
  await assert.rejects(waiting, /canceled/);
  await running;
  const pid = pictures.pid() as number;
  const late = pictures.verify({ path: good, ...size });
  const refused = assert.rejects(late, code('pictures-stopped'));
  await pictures.stop();
  await pictures.stop();
  await refused;
  assert.equal(alive(pid), false);
  await assert.rejects(pictures.verify({ path: good, ...size }), code('pictures-stopped'));
});

test('the child ends with a node that is killed, and does not keep one alive that has ended', async () => {
  const program = join(folder, 'node.ts');
  writeFileSync(
    program,
    `import { createPictureProcess } from ${JSON.stringify(import.meta.resolve('../../../node/src/render/verify/pictures.ts'))};
     import { components } from ${JSON.stringify(import.meta.resolve('./pictures.ts'))};
     const pictures = createPictureProcess(components);
     await pictures.verify(${JSON.stringify({ path: good, ...size })});
     process.stdout.write(String(pictures.pid()) + '\\n');
     if (process.argv[2] === 'stay') setInterval(() => {}, 1000);`,
  );
  for (const mode of ['stay', 'leave']) {
    const node = spawn(process.execPath, [program, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(node, 'exit');
    const [data] = (await once(node.stdout, 'data')) as [Buffer];
    const pid = Number(data.toString('utf8'));
    assert.ok(pid > 1);
    if (mode === 'stay') node.kill('SIGKILL');
    await exited;
    await until(() => !alive(pid));
  }
});

test('looking leaves nothing behind', () => {
  assert.equal(existsSync(good), true);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});
