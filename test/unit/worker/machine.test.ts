import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseHours } from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import type { BlenderSessions } from '../../../node/src/render/interface.ts';
import { defaultConfig } from '../../../node/src/system/config.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createMachine } from '../../../node/src/worker/machine.ts';
import { quiet } from '../jobs/node-of-one.ts';

it('lives on where Blender could not be tried, and tries again (DESIGN.md section 10, disk full)', async () => {
  const blobs = createMemoryBlobStore();
  await blobs.start();
  let tries = 0;
  const claims: string[] = [];
  const clock = new ManualClock();
  const machine = createMachine({
    leaving: () => undefined,
    slowDisk: () => undefined,
    clock,
    logger: quiet,
    blobs,
    sessions: {
      // What `mkdir` of a session's folder says on a full disk; it is no RenderError, so the pool passes it on.
      capabilities: () => {
        tries++;
        return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
      },
      snapshot: () => [],
    } as unknown as BlenderSessions,
    config: () => ({ ...defaultConfig(), ffmpeg: '/nowhere/ffmpeg' }),
    slots: () => 1,
    hours: () => undefined,
    bundles: () => [],
    onWorker: ({ capabilities }) => claims.push(Object.keys(capabilities.engines).join()),
    onLoad: () => undefined,
  });
  const unhandled: unknown[] = [];
  const hear = (error: unknown): void => void unhandled.push(error);
  process.prependListener('unhandledRejection', hear);
  await machine.start();
  // Unhandled rejections are told after the turn in which they came; nothing else of the process is awaited.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  const before = tries;
  await clock.advanceSettled(5_000);
  for (let turn = 0; turn < 50 && tries === before; turn++) await new Promise((done) => setImmediate(done));
  process.off('unhandledRejection', hear);
  await machine.stop();
  assert.ok(before > 0 && tries > before, `${before} tries, then ${tries}`);
  assert.deepEqual(unhandled.map(String), [], 'an unhandled rejection ends the process');
});

it('takes no work for a while after a fault of its own, and says why (SPEC R53)', async () => {
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const told: { accepting: boolean; idleReason?: string }[] = [];
  const clock = new ManualClock();
  const machine = createMachine({
    leaving: () => undefined,
    slowDisk: () => undefined,
    clock,
    logger: quiet,
    blobs,
    sessions: {
      capabilities: () =>
        Promise.resolve({ state: 'no-blender', sentence: 'None.', cores: 1, confinement: { sentence: '' } }),
      snapshot: () => [],
    } as unknown as BlenderSessions,
    config: () => ({ ...defaultConfig(), ffmpeg: '/nowhere/ffmpeg' }),
    slots: () => 1,
    hours: () => undefined,
    bundles: () => [],
    onWorker: ({ accepting, idleReason }) =>
      told.push({ accepting, ...(idleReason !== undefined && { idleReason }) }),
    onLoad: () => undefined,
  });
  await machine.start();
  await machine.probed;
  assert.deepEqual(told, [{ accepting: true }]);
  machine.fault('Blender does not start.');
  assert.deepEqual(told.at(-1), { accepting: false, idleReason: 'Blender does not start.' });
  await clock.advanceSettled(60_000);
  for (let turn = 0; turn < 50 && told.length < 3; turn++) await new Promise((done) => setImmediate(done));
  assert.deepEqual(told.at(-1), { accepting: true });
  await machine.stop();
});

it('R108: works in its hours only, by its own clock, and in no more slots than it is given, and says so', async () => {
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const told: (string | undefined)[] = [];
  const clock = new ManualClock({ wallTimeMs: new Date('2026-11-23T18:59:50').getTime() });
  let slots = 1;
  let hours = parseHours('Mon-Fri 19:00-07:00');
  const machine = createMachine({
    leaving: () => undefined,
    slowDisk: () => undefined,
    clock,
    logger: quiet,
    blobs,
    sessions: {
      capabilities: () =>
        Promise.resolve({ state: 'no-blender', sentence: 'None.', cores: 1, confinement: { sentence: '' } }),
      snapshot: () => [],
    } as unknown as BlenderSessions,
    config: () => ({ ...defaultConfig(), ffmpeg: '/nowhere/ffmpeg' }),
    slots: () => slots,
    hours: () => hours,
    bundles: () => [],
    onWorker: ({ accepting, idleReason }) => told.push(accepting ? 'works' : idleReason),
    onLoad: () => undefined,
  });
  await machine.start();
  await machine.probed;
  assert.deepEqual(told, ['These are not its hours: it works Mon–Fri 19:00–07:00, by its own clock.']);
  await clock.advanceSettled(15_000);
  for (let turn = 0; turn < 50 && told.length < 2; turn++) await new Promise((done) => setImmediate(done));
  assert.deepEqual(told.at(-1), 'works');
  hours = parseHours('Sat');
  machine.tell();
  assert.deepEqual(told.at(-1), 'These are not its hours: it works Sat, by its own clock.');
  hours = { spans: [] };
  machine.tell();
  assert.deepEqual(told.at(-1), 'works');
  slots = 0;
  machine.tell();
  assert.deepEqual(told.at(-1), 'It is to run no tasks for now.');
  await machine.stop();
});
