import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TaskView } from '@cuadro/protocol';
import { formatMachineTime } from '../../../ui/src/data/format.ts';
import { jobTimes } from '../../../ui/src/data/render-times.ts';
import { taskView } from '../api/views.ts';

const made = (index: number, machine: string, renderMs: number): TaskView =>
  taskView(index, { state: 'done', machine, renderMs });

describe('how long the frames of a job take', () => {
  test('nothing is said before the first one', () => {
    const times = jobTimes([taskView(0), taskView(1, { state: 'failed' })]);
    assert.deepEqual(times, {
      frames: undefined,
      machines: [],
      open: 1,
      leftMs: undefined,
      filmMs: undefined,
    });
  });

  test('in all: the film, what failed and what is open are no frames that took time', () => {
    const film = taskView(5, {
      group: 'film',
      name: 'film',
      state: 'done',
      machine: 'attic',
      renderMs: 90_000,
    });
    const slow = made(2, 'studio', 7_000);
    const fast = made(1, 'studio', 1_000);
    const { frames, filmMs } = jobTimes([
      made(0, 'attic', 2_000),
      fast,
      slow,
      taskView(3, { state: 'failed' }),
      taskView(4),
      film,
    ]);
    assert.deepEqual(frames, {
      count: 3,
      minMs: 1_000,
      medianMs: 2_000,
      maxMs: 7_000,
      totalMs: 10_000,
      fastest: fast,
      slowest: slow,
    });
    assert.equal(filmMs, 90_000);
  });

  test('the median of an even number lies between the two in the middle', () => {
    const times = [4_000, 1_000, 3_000, 2_000].map((ms, index) => made(index, 'studio', ms));
    assert.equal(jobTimes(times).frames?.medianMs, 2_500);
    assert.equal(jobTimes(times.slice(0, 1)).frames?.medianMs, 4_000);
    assert.equal(jobTimes(times.slice(0, 2)).frames?.medianMs, 2_500);
  });

  test('by machine: who rendered most comes first', () => {
    const { machines } = jobTimes([
      made(0, 'attic', 9_000),
      made(1, 'studio', 1_000),
      made(2, 'studio', 3_000),
      made(3, 'forge', 5_000),
    ]);
    assert.deepEqual(
      machines.map(({ machine, count, medianMs, totalMs }) => [machine, count, medianMs, totalMs]),
      [
        ['studio', 2, 2_000, 4_000],
        ['attic', 1, 9_000, 9_000],
        ['forge', 1, 5_000, 5_000],
      ],
    );
  });

  test('what is left takes as long as the others did, less what is rendered of it', () => {
    const running = taskView(2, { live: { running: true, fraction: 0.25 } });
    const { open, leftMs } = jobTimes([
      made(0, 'attic', 2_000),
      made(1, 'attic', 6_000),
      running,
      taskView(3),
      taskView(4, { state: 'skipped' }),
    ]);
    assert.equal(open, 2);
    assert.equal(leftMs, 1.75 * 4_000);
    assert.equal(jobTimes([made(0, 'attic', 2_000)]).leftMs, undefined);
  });
});

test('the time of machines is counted in hours, however many', () => {
  assert.equal(formatMachineTime(90_000), '1 min 30 s');
  assert.equal(formatMachineTime(5_400_000), '1.5 h');
  assert.equal(formatMachineTime(3_600_000 * 1_234), '1\u202f234 h');
});
