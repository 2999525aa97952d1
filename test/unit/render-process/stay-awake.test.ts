import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createStayAwake, inhibitor } from '../../../node/src/render/process/stay-awake.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const lines: string[] = [];
const logger = { info: (line: string) => lines.push(line) } as unknown as Logger;
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the system is held awake while something runs, and a while after', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-awake-'));
  const mark = join(folder, 'held');
  try {
    const clock = new ManualClock();
    const script = `touch ${mark}; while test -e ${folder}; do sleep 0.01; done`;
    const find = async () => ({
      file: '/bin/sh',
      arguments: ['-c', script],
      environment: { PATH: '/usr/bin:/bin' },
      directory: '/',
    });
    const awake = createStayAwake({ clock, logger }, { find });
    await awake.start();
    awake.busy(true);
    while (!existsSync(mark)) await tick();
    awake.busy(false);
    clock.advance(59_000);
    await rm(mark);
    awake.busy(true);
    clock.advance(120_000);
    await tick();
    assert.ok(!existsSync(mark), 'one that holds already is not begun again');
    awake.busy(false);
    clock.advance(60_000);
    awake.busy(true);
    while (!existsSync(mark)) await tick();
    await awake.stop();
    assert.deepEqual(lines, []);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a hold that is ended from outside while something runs is taken again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-awake-'));
  const mark = join(folder, 'held');
  try {
    const clock = new ManualClock();
    const find = async () => ({
      ...{ file: '/bin/sh', environment: { PATH: '/usr/bin:/bin' }, directory: '/' },
      arguments: ['-c', `touch ${mark}; while test -e ${mark}; do sleep 0.01; done; exit 1`],
    });
    const awake = createStayAwake({ clock, logger }, { find });
    const told = lines.length;
    await awake.start();
    awake.busy(true);
    while (!existsSync(mark)) await tick();
    clock.advance(3_600_000);
    await rm(mark);
    while (!existsSync(mark)) await tick();
    await awake.stop();
    assert.equal(lines.length, told);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a system that refuses is asked once, and told of once', async () => {
  const clock = new ManualClock();
  let finds = 0;
  const find = async () => {
    finds++;
    return { file: '/bin/false', arguments: [], environment: {}, directory: '/' };
  };
  const awake = createStayAwake({ clock, logger }, { find });
  await awake.start();
  awake.busy(true);
  while (lines.length === 0) await tick();
  awake.busy(false);
  awake.busy(true);
  await tick();
  await awake.stop();
  assert.equal(finds, 1);
  assert.equal(lines.length, 1);
});

test('a system without such a program is left alone', async () => {
  assert.equal(await inhibitor('win32'), undefined);
});
