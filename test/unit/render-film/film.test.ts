import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { ffmpegCapabilities } from '../../../node/src/render/film/capabilities.ts';
import { makeFilm } from '../../../node/src/render/film/film.ts';
import { FilmError, type FilmProgress } from '../../../node/src/render/film/interface.ts';
import { wholeRate } from '../../../node/src/render/film/rate.ts';
import { alive, components, ffmpeg, picture, temporaryFolder, until } from '../render-verify/pictures.ts';

const folder = temporaryFolder();
const rate = { numerator: 24, denominator: 1 };
const code = (expected: string) => (error: unknown) => error instanceof FilmError && error.code === expected;

/** A folder for one film, with a place for it that is alone in it. */
function place(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return join(path, 'film.mp4');
}

/** Numbers as a stepped range below zero has them. */
const numbers = [-7, -4, -1, 2, 5, 100];

function frames(name: string, ending: string, size: string, ...more: string[]): string[] {
  const path = join(folder, `frames ${name} 50%d`);
  mkdirSync(path);
  const files = numbers.map((number) => join(path, `shot é_${number}.${ending}`));
  picture(files[0] as string, size, ...more);
  for (const file of files.slice(1)) copyFileSync(files[0] as string, file);
  return files;
}

/** Red, green and blue of the middle of a film's picture. */
function colourOf(film: string, frame: number): number[] {
  const raw = execFileSync('ffmpeg', [
    ...['-v', 'error', '-i', film, '-vf', `select=eq(n\\,${frame}),crop=2:2`, '-frames:v', '1'],
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
  ]);
  return [...raw.subarray(0, 3)];
}

for (const [name, ending, size, more] of [
  ['odd', 'png', '67x41', []],
  ['deep', 'png', '64x36', ['-pix_fmt', 'rgba64be']],
  ['jpeg', 'jpg', '64x36', []],
  ['exr', 'exr', '64x36', ['-compression', 'zip16', '-format', 'half']],
  ['tiff', 'tif', '64x36', []],
  ['targa', 'tga', '64x36', []],
  ['webp', 'webp', '64x36', []],
] as const) {
  test(`${name} frames with gaps, steps and negative numbers all come into the film`, async () => {
    const output = place(name);
    const progress: FilmProgress[] = [];
    const film = await makeFilm(
      components,
      { frames: frames(name, ending, size, ...more), framesPerSecond: rate, output },
      { onProgress: (now) => progress.push(now) },
    );
    assert.deepEqual([film.frames, film.durationMs, film.hasSound, film.path], [6, 250, false, output]);
    assert.deepEqual([film.width, film.height], name === 'odd' ? [68, 42] : [64, 36]);
    assert.equal(film.sizeBytes, readFileSync(output).length);
    assert.deepEqual(readdirSync(join(output, '..')), ['film.mp4']);
    assert.equal(progress.at(-1)?.fraction, 1);
    assert.ok(progress.every((now, index) => now.framesDone > (progress[index - 1]?.framesDone ?? 0)));
  });
}

test('colours arrive as they are, and transparent pixels lie on black', async () => {
  const colours = [
    { r: 255, g: 0, b: 0, alpha: 1 },
    { r: 255, g: 255, b: 255, alpha: 0 },
    { r: 200, g: 100, b: 50, alpha: 0.5 },
  ];
  const paths = await Promise.all(
    colours.map(async (background, index) => {
      const path = join(folder, `colour-${index}.png`);
      await sharp({ create: { width: 64, height: 36, channels: 4, background } })
        .png()
        .toFile(path);
      return path;
    }),
  );
  const output = place('colours');
  await makeFilm(components, { frames: paths, framesPerSecond: rate, output, quality: 'best' });
  for (const [index, expected] of [
    [0, [255, 0, 0]],
    [1, [0, 0, 0]],
    [2, [100, 50, 25]],
  ] as const) {
    const found = colourOf(output, index);
    assert.ok(
      found.every((value, channel) => Math.abs(value - (expected[channel] as number)) <= 6),
      `frame ${index}: ${found.join()} instead of ${expected.join()}`,
    );
  }
});

test('linear EXR frames are shown as sRGB', async () => {
  const path = join(folder, 'middle.exr');
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'color=c=0x808080:s=64x36,format=gbrpf32le',
    '-frames:v',
    '1',
    '-update',
    '1',
    path,
  );
  const output = place('linear');
  await makeFilm(components, { frames: [path], framesPerSecond: rate, output });
  // Linear 0.502 is 188 in sRGB.
  assert.ok(colourOf(output, 0).every((value) => Math.abs(value - 188) <= 4));
});

for (const [name, seconds] of [
  ['shorter', 0.1],
  ['longer', 3],
] as const) {
  test(`a sound ${name} than the film leaves the film's length alone`, async () => {
    const sound = join(folder, `${name}.wav`);
    ffmpeg('-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`, sound);
    const output = place(`sound-${name}`);
    const paths = frames(`sound-${name}`, 'png', '64x36');
    const framesPerSecond = { numerator: 24, denominator: 1.0010000467300415 };
    const film = await makeFilm(components, { frames: paths, framesPerSecond, sound, output });
    assert.equal(film.hasSound, true);
    assert.ok(Math.abs(film.durationMs - (6 * 1001) / 24) < 0.001);
    const length = execFileSync('ffprobe', [
      ...['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', output],
    ]);
    assert.ok(Math.abs(Number(length) * 1000 - film.durationMs) < 30, `the file lasts ${String(length)}`);
  });
}

test('rates are whole numbers for ffmpeg', () => {
  for (const [numerator, denominator, expected] of [
    [24, 1, '24/1'],
    [24, 1.0010000467300415, '24000/1001'],
    [30, 1.001, '30000/1001'],
    [50, 2, '25/1'],
    [24, 2.5, '48/5'],
    [1, 3, '1/3'],
    [25.123456789, 1, '25123/1000'],
  ] as const) {
    const whole = wholeRate({ numerator, denominator });
    assert.equal(`${whole.numerator}/${whole.denominator}`, expected);
  }
  for (const [numerator, denominator] of [
    [0, 1],
    [24, 0],
    [Number.NaN, 1],
    [1e9, 1],
    [-24, 1],
  ] as const) {
    assert.throws(() => wholeRate({ numerator, denominator }), code('film-bad-request'));
  }
});

test('what can’t become a film is refused with a sentence, and leaves nothing', async () => {
  const paths = frames('refused', 'png', '64x36');
  const other = join(folder, 'other.png');
  picture(other, '66x36');
  const jpeg = join(folder, 'other.jpg');
  picture(jpeg, '64x36');
  const broken = join(folder, 'broken.png');
  const whole = readFileSync(paths[0] as string);
  writeFileSync(broken, Buffer.from(whole).fill(0, whole.length >> 1, (whole.length >> 1) + 500));
  const stub = join(folder, 'stub.png');
  writeFileSync(stub, '');
  const output = place('refused');
  const silent = join(folder, 'silent.mp4');
  ffmpeg('-f', 'lavfi', '-i', 'color=s=64x36:d=0.1', silent);
  const insert = (path: string) => [...paths.slice(0, 3), path, ...paths.slice(3)];
  for (const [request, expected] of [
    [{ frames: insert(join(folder, 'none.png')) }, 'film-frame-missing'],
    [{ frames: insert(stub) }, 'film-frame-missing'],
    [{ frames: insert(other) }, 'film-frames-differ'],
    [{ frames: insert(jpeg) }, 'film-frames-differ'],
    [{ frames: insert(broken) }, 'film-failed'],
    [{ frames: [] }, 'film-bad-request'],
    [{ sound: join(folder, 'none.wav') }, 'film-bad-request'],
    [{ sound: silent }, 'film-failed'],
    [{ framesPerSecond: { numerator: 0, denominator: 1 } }, 'film-bad-request'],
    [{ output: join(folder, 'no-folder', 'film.mp4') }, 'film-failed'],
  ] as const) {
    const whole = { frames: paths, framesPerSecond: rate, output, ...request };
    await assert.rejects(makeFilm(components, whole), (error: unknown) => {
      assert.ok(code(expected)(error), `${expected}, not ${String(error)}`);
      assert.match(String(error), /[.\w]$/);
      return true;
    });
  }
  assert.deepEqual(readdirSync(join(output, '..')), []);
});

test('an aborted film ends ffmpeg and keeps the film that stood there', async () => {
  const output = place('aborted');
  writeFileSync(output, 'the older film');
  const slow = join(folder, 'slow');
  mkdirSync(slow);
  writeFileSync(join(slow, 'ffmpeg'), `#!/bin/sh\nsleep 600 &\necho $$ $! > ${slow}/pid\nwait\n`);
  chmodSync(join(slow, 'ffmpeg'), 0o755);
  const real = await ffmpegCapabilities(components);
  assert.equal(real.state, 'ready');
  const controller = new AbortController();
  const film = makeFilm(
    { ...components, ffmpeg: { ...real, path: join(slow, 'ffmpeg') } },
    { frames: frames('aborted', 'png', '64x36'), framesPerSecond: rate, output },
    { signal: controller.signal },
  );
  const aborted = assert.rejects(film, /canceled/);
  const pidFile = join(slow, 'pid');
  await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
  controller.abort(new Error('canceled'));
  await aborted;
  const pids = readFileSync(pidFile, 'utf8').split(' ').map(Number);
  await until(() => !pids.some(alive));
  assert.equal(readFileSync(output, 'utf8'), 'the older film');
  assert.deepEqual(readdirSync(join(output, '..')), ['film.mp4']);
});

test('a film that lost frames on the way is refused', async () => {
  const real = await ffmpegCapabilities(components);
  assert.equal(real.state, 'ready');
  const wrapper = join(folder, 'forgetful-ffmpeg');
  // Leaves out the last pictures, as ffmpeg does at a gap in numbered files.
  writeFileSync(wrapper, '#!/bin/bash\nlast="${@: -1}"\nexec ffmpeg "${@:1:$#-1}" -frames:v 4 "$last"\n');
  chmodSync(wrapper, 0o755);
  const output = place('forgetful');
  const request = { frames: frames('forgetful', 'png', '64x36'), framesPerSecond: rate, output };
  const lame = { ...components, ffmpeg: { ...real, path: wrapper } };
  await assert.rejects(makeFilm(lame, request), code('film-wrong-length'));
  assert.deepEqual(readdirSync(join(output, '..')), []);
});

test('an ffmpeg that lacks an encoder or a decoder is told apart from one that goes by another name', async () => {
  const said = [
    ' DEV.LS h264                 H.264 (decoders: h264 h264_qsv ) (encoders: h264_qsv libx264rgb )',
    ' D.AIL. aac                  AAC (Advanced Audio Coding) (decoders: aac aac_fixed )',
    ' .EVILS exr                  OpenEXR image',
    ' DEVI.S dpx                  DPX (Digital Picture Exchange) image',
    ' DEVILS jpeg2000             JPEG 2000 (decoders: libopenjpeg ) (encoders: jpeg2000 )',
  ];
  const speaker = async (version: string, code: number) => {
    const path = join(folder, 'lacking-ffmpeg');
    const banner = `echo 'ffmpeg version ${version} Copyright (c)' >&2`;
    writeFileSync(path, `#!/bin/sh\n${banner}\ncat <<'END'\n${said.join('\n')}\nEND\nexit ${code}\n`);
    chmodSync(path, 0o755);
    return ffmpegCapabilities(components, { ffmpeg: path });
  };
  const found = await speaker('7.1-x', 0);
  assert.ok(found.state === 'ready' && found.version === '7.1-x');
  assert.deepEqual(found.encoders, { h264: false, aac: false });
  assert.deepEqual(found.decoders, { exr: false, dpx: true, jpeg2000: false });
  const broken = await speaker('7.1-x', 1);
  assert.match(broken.state === 'no-ffmpeg' ? broken.sentence : '', /does not run/);
});

test('the installed ffmpeg is described, and a missing one has a sentence', async () => {
  const found = await ffmpegCapabilities(components);
  assert.equal(found.state, 'ready');
  assert.ok(found.path.startsWith('/') && found.probePath.startsWith('/') && /^\S*\d/.test(found.version));
  assert.deepEqual(found.encoders, { h264: true, aac: true });
  assert.deepEqual(found.decoders, { exr: true, dpx: true, jpeg2000: true });
  const none = await ffmpegCapabilities(components, { ffmpeg: join(folder, 'nowhere', 'ffmpeg') });
  assert.ok(none.state === 'no-ffmpeg' && none.sentence.endsWith('Install ffmpeg.'));
  const request = { frames: ['/a.png'], framesPerSecond: rate, output: place('without') };
  await assert.rejects(makeFilm({ ...components, ffmpeg: none }, request), code('no-ffmpeg'));
});
