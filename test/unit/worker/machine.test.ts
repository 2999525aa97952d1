import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseHours } from '@cuadro/protocol';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { bareMachine, withoutBlender } from './bare-machine.ts';

it('lives on where Blender could not be tried, and tries again (DESIGN.md section 10, disk full)', async () => {
  let tries = 0;
  const claims: string[] = [];
  const clock = new ManualClock();
  const machine = await bareMachine(clock, {
    sessions: {
      ...withoutBlender,
      // What `mkdir` of a session's folder says on a full disk; it is no RenderError, so the pool passes it on.
      capabilities: () => {
        tries++;
        return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
      },
    },
    onWorker: ({ capabilities }) => claims.push(Object.keys(capabilities.engines).join()),
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
  const told: { accepting: boolean; idleReason?: string }[] = [];
  const clock = new ManualClock();
  const machine = await bareMachine(clock, {
    onWorker: ({ accepting, idleReason }) =>
      told.push({ accepting, ...(idleReason !== undefined && { idleReason }) }),
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
  const told: (string | undefined)[] = [];
  const clock = new ManualClock({ wallTimeMs: new Date('2026-11-23T18:59:50').getTime() });
  let slots = 1;
  let hours = parseHours('Mon-Fri 19:00-07:00');
  const machine = await bareMachine(clock, {
    slots: () => slots,
    hours: () => hours,
    onWorker: ({ accepting, idleReason }) => told.push(accepting ? 'works' : idleReason),
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
