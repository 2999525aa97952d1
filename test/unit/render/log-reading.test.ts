import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { driverFailure, endingFailure, scriptsBlockedIn } from '../../../node/src/render/blender/failures.ts';
import {
  ProgressMeter,
  parseDuration,
  parseProgressLine,
} from '../../../node/src/render/blender/progress.ts';
import { isInside, parseDriverResult } from '../../../node/src/render/blender/results.ts';
import { tellingLines } from '../../../node/src/render/blender/telling-lines.ts';
import { Watch } from '../../../node/src/render/blender/watch.ts';

// Logs of Blender 3.4.1, shortened where they only repeat themselves.
const FRAME = 'Fra:1 Mem:9.56M (Peak 9.56M) | Time:00:00.05';
const DENOISE = `Blender 3.4.1
Read blend: /scenes/a/scene.blend
${FRAME} | Mem:0.76M, Peak:0.76M | Scene, ViewLayer | Sample 0/4
Build without OpenImageDenoiser
No device available to denoise on
Error: Build without OpenImageDenoiser
`;
const TRUNCATED = `Read blend: /scenes/a/scene.blend
Error: Loading '/scenes/a/scene.blend' failed: Failed to read blend file '/scenes/a/scene.blend': Missing DNA block
`;
const TRACEBACK = `Blender 3.4.1
Read blend: /scenes/a/scene.blend
Traceback (most recent call last):
  File "/scenes/a/scene.blend/startup.py", line 4, in bloat
    value = table[key]
KeyError: 'missing key'
${FRAME} | Mem:0.76M, Peak:0.76M | Scene, ViewLayer | Sample 4/4
Saved: '/sessions/slot-0/out/shot_0001.png'
 Time: 00:00.20 (Saving: 00:00.12)
`;

describe('telling lines', () => {
  it('finds the reason in real logs', () => {
    assert.ok(tellingLines(DENOISE).includes('Error: Build without OpenImageDenoiser'));
    assert.match(tellingLines(TRUNCATED).join(), /Missing DNA block/);
    const traceback = tellingLines(TRACEBACK);
    assert.ok(traceback.includes("KeyError: 'missing key'"));
    assert.ok(traceback.some((line) => line.includes('line 4, in bloat')));
    assert.ok(!traceback.some((line) => line.startsWith('Fra:') || line.startsWith('Saved:')));
  });

  it('gives the last words when nothing sounds like trouble, and nothing for an empty log', () => {
    assert.deepEqual(tellingLines(`one\ntwo\n${FRAME} | x\n`), ['one', 'two']);
    assert.deepEqual(tellingLines(''), []);
  });

  it('is short, without repetition, for any log', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constant('Error: x'), fc.string({ minLength: 500 }))),
        (log) => {
          const lines = tellingLines(log);
          assert.ok(lines.length <= 8);
          assert.ok(lines.every((line) => line.length <= 400));
        },
      ),
    );
  });
});

describe('progress lines', () => {
  it('reads Cycles and EEVEE', () => {
    assert.deepEqual(
      parseProgressLine(
        `${FRAME} | Remaining:01:02.50 | Mem:1.25M, Peak:1.25M | Scene, ViewLayer | Sample 1/4`,
      ),
      { sample: 1, samples: 4, remainingMs: 62_500, text: 'Sample 1/4' },
    );
    assert.deepEqual(
      parseProgressLine('Fra:-5 Mem:9M (Peak 9M) | Time:00:04.10 | Rendering 26 / 64 samples'),
      {
        sample: 26,
        samples: 64,
        text: 'Rendering 26 / 64 samples',
      },
    );
    assert.equal(parseProgressLine("Saved: 'Fra:1 Mem:'"), undefined);
  });

  it('reads durations', () => {
    assert.equal(parseDuration('00:00.01'), 10);
    assert.equal(parseDuration('1:01:02.50'), 3_662_500);
    for (const text of ['', '5', 'a:b', '1:2:3:4']) assert.equal(parseDuration(text), undefined);
  });

  it('never falls when the next view layer begins', () => {
    const meter = new ProgressMeter();
    const fractions = ['Sample 2/4', 'Sample 4/4', 'Sample 1/4'].map(
      (text) => meter.read(`${FRAME} | Scene | ${text}`)?.fraction,
    );
    assert.deepEqual(fractions, [0.5, 1, 1]);
  });

  it('is whole only with the last view layer, and with the last tile of a large picture', () => {
    const fractionsOf = (parts: number, texts: string[]) => {
      const meter = new ProgressMeter();
      meter.parts(parts);
      return texts.map((text) => meter.read(`${FRAME} | Scene, ViewLayer | ${text}`)?.fraction);
    };
    const layers = ['Sample 2/4', 'Sample 4/4', 'Sample 1/4', 'Sample 4/4'];
    assert.deepEqual(fractionsOf(2, layers), [0.25, 0.5, 0.625, 1]);
    const tiles = [0, 1].flatMap((done) =>
      [2, 4].map((sample) => `Rendered ${done}/2 Tiles, Sample ${sample}/4`),
    );
    assert.deepEqual(fractionsOf(1, tiles), [0.25, 0.5, 0.75, 1]);
    const both = [...tiles, ...tiles];
    assert.deepEqual(fractionsOf(2, both), [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]);
  });
});

describe('failures', () => {
  it('takes codes from what Blender says', () => {
    const code = (message: string) => driverFailure({ code: 'render-failed', message }, []).code;
    assert.equal(code('Error: Cannot render, no camera'), 'no-camera');
    assert.equal(code('Error: Build without OpenImageDenoiser'), 'denoiser-missing');
    assert.equal(code('Error: CUDA error: Out of memory in cuMemAlloc'), 'out-of-memory');
    assert.equal(code('Error: something else'), 'render-failed');
    assert.equal(driverFailure({ code: 'invented', message: 'x' }, []).code, 'render-failed');
  });

  it('tells crashes from want of memory', () => {
    const code = (log: string[], oomKills: number, signal = 'SIGKILL') =>
      endingFailure({ kind: 'signaled', signal }, log, { doing: 'rendering', oomKills }).code;
    assert.equal(code([], 0), 'crashed');
    assert.equal(code([], 1), 'out-of-memory');
    assert.equal(code([], 1, 'SIGSEGV'), 'crashed');
    assert.equal(
      code(["terminate called after throwing an instance of 'std::bad_alloc'"], 0, 'SIGABRT'),
      'out-of-memory',
    );
  });

  it('finds blocked scripts', () => {
    const text = `scripts disabled for "/scenes/a/scene.blend", skipping 'startup.py'`;
    const driver =
      "\tBPY_driver_exec: restricted access disallows name '__import__', enable auto-execution to support";
    const expression = 'Error in PyDriver: expression failed: __import__';
    assert.deepEqual(scriptsBlockedIn([text, text, 'Saved: x']), [text]);
    assert.deepEqual(scriptsBlockedIn([driver, expression]), [driver.trim(), expression]);
    assert.deepEqual(scriptsBlockedIn([expression]), []);
  });
});

describe('results of a driver', () => {
  it('keeps names inside their folder', () => {
    for (const name of ['a.png', 'passes/a.png', '..a.png', 'ä ö.png']) assert.ok(isInside(name), name);
    for (const name of ['', '.', '..', '../a', '/a', 'a/../../b', 'a//b', './a', 'a\0b'])
      assert.ok(!isInside(name), name);
  });

  it('refuses whatever is no result', () => {
    for (const value of [
      undefined,
      null,
      5,
      {},
      { files: [] },
      { files: [5] },
      { files: [{ name: '../x' }] },
    ])
      assert.throws(() => parseDriverResult(value), { code: 'python-exception' });
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          parseDriverResult(value);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'python-exception');
        }
      }),
    );
  });
});

describe('the watch', () => {
  const limits = { startMs: 1000, silenceMs: 300, progressSilenceMs: 600, watchEveryMs: 100 };
  const tickUntil = (state: 'starting' | 'busy' | 'idle', each: (watch: Watch) => void) => {
    const watch = new Watch(0, limits);
    for (let now = 100; now <= 5000; now += 100) {
      each(watch);
      const verdict = watch.tick(now, state);
      if (verdict !== 'alive') return `${verdict} at ${now}`;
    }
    return 'alive';
  };

  it('tells silence from a lack of progress', () => {
    assert.equal(
      tickUntil('busy', () => {}),
      'silent at 400',
    );
    assert.equal(
      tickUntil('busy', (watch) => watch.beat()),
      'no-progress at 700',
    );
    assert.equal(
      tickUntil('busy', (watch) => watch.progress()),
      'alive',
    );
    assert.equal(
      tickUntil('idle', (watch) => watch.beat()),
      'alive',
    );
    assert.equal(
      tickUntil('starting', () => {}),
      'slow-start at 1100',
    );
  });

  it('does not hold a stall of our own against Blender', () => {
    const watch = new Watch(0, limits);
    assert.equal(watch.tick(1_000_000, 'busy'), 'alive');
  });
});
