import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { findBlender } from '../../node/src/render/blender/capabilities.ts';
import { createTraceKeeper } from '../../node/src/render/scene/keeper.ts';
import { TraceProcess } from '../../node/src/render/scene/process.ts';
import { traceScene } from '../../node/src/render/scene/tracer.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { makeScenes } from '../../scripts/scenes/make.ts';

/** The Blender that is kept ready for reading scenes: who has it when, and when it goes. */

const blender = process.env['CUADRO_BLENDER'] ?? 'blender';
const clock = createSystemClock();
const outer = process.env['TMPDIR'];
let root: string;
let plain: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'cuadro-keeper-'));
  plain = (await makeScenes(['plain'], join(root, 'scenes'), { blender })).get('plain') ?? '';
});
beforeEach(async () => {
  // Each Blender has a folder there as long as it lives.
  process.env['TMPDIR'] = await mkdtemp(join(root, 'tmp-'));
});
after(async () => {
  if (outer === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = outer;
  await rm(root, { recursive: true, force: true });
});

const living = (): Promise<string[]> => readdir(tmpdir());

test('it is there from the start, answers many, and is gone after the stop', async () => {
  const { path } = await findBlender(undefined);
  assert.ok(path);
  const keeper = createTraceKeeper({ clock });
  await keeper.start();
  const first = await keeper.take(path);
  assert.equal((await living()).length, 1, 'the one that the start began');
  assert.ok(first.fresh);
  keeper.giveBack(first);
  for (let count = 0; count < 3; count++)
    assert.equal((await traceScene({ blender: first.blender, clock, keeper }, plain)).activeScene, 'Scene');
  assert.equal(await keeper.take(first.blender), first);
  assert.equal((await living()).length, 1);
  keeper.giveBack(first);
  await keeper.stop();
  await first.ended;
  assert.deepEqual(await living(), []);
});

test('of two questions at once each has a Blender, and one of them stays', async () => {
  const keeper = createTraceKeeper({ clock });
  const [one, two] = [await keeper.take(blender), await keeper.take(blender)];
  assert.notEqual(one, two);
  keeper.giveBack(one);
  keeper.giveBack(two);
  await two.ended;
  assert.equal(await keeper.take(blender), one);
  await one.end();
  await keeper.stop();
  assert.deepEqual(await living(), []);
});

test('one that ended is not given out; one that ends over a question that was not its first is replaced', async () => {
  const keeper = createTraceKeeper({ clock });
  const tools = { blender, clock, keeper };
  await traceScene(tools, plain);
  const used = await keeper.take(blender);
  assert.equal(used.fresh, false);
  keeper.giveBack(used);
  // It dies with the question already in its hands.
  const asked = traceScene(tools, plain);
  process.kill(-(used.pid as number), 'SIGKILL');
  assert.equal((await asked).activeScene, 'Scene');
  const next = await keeper.take(blender);
  assert.notEqual(next, used);
  await next.end();
  await keeper.stop();
});

test('it goes when it is idle, when it keeps too much, and when another Blender is asked for', async () => {
  const idle = createTraceKeeper({ clock }, { idleMs: 1 });
  const tired = await idle.take(blender);
  idle.giveBack(tired);
  await tired.ended;
  const greedy = createTraceKeeper({ clock }, { restingBytesMax: 1 });
  const tools = { blender, clock, keeper: greedy };
  const large = await greedy.take(blender);
  greedy.giveBack(large);
  await traceScene(tools, plain);
  await large.ended;
  const keeper = createTraceKeeper({ clock });
  const other = await TraceProcess.start({ blender: join(root, 'no-blender'), clock });
  keeper.giveBack(other);
  const wanted = await keeper.take(blender);
  assert.equal(wanted.blender, blender);
  await wanted.end();
  for (const each of [idle, greedy, keeper]) await each.stop();
  assert.deepEqual(await living(), []);
});

test('a question that is given up ends its Blender', async () => {
  const keeper = createTraceKeeper({ clock });
  const kept = await keeper.take(blender);
  keeper.giveBack(kept);
  const abort = new AbortController();
  const asked = traceScene({ blender, clock, keeper }, plain, { signal: abort.signal });
  abort.abort(new Error('given up'));
  await assert.rejects(asked, { message: 'given up' });
  await keeper.stop();
});
