import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyTask, type DiaryRecord, type TaskRecord } from '@cuadro/protocol';
import { ACTIVITY_BARS, createActivity } from '../../../node/src/jobs/activity.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { JOB_A, SELF } from '../api/fakes.ts';
import { jobView, nodeView } from '../api/views.ts';

const BAR_MS = 900_000;
/** The last of the bars ends here. */
const END = 1_700_000_000_000 - (1_700_000_000_000 % BAR_MS) + BAR_MS;

function record(index: number, result: { endMs: number; renderMs: number }, failedAt?: number): TaskRecord {
  const attempt = { epoch: { term: 1, peer: SELF }, sequence: index + 1 };
  const common = { attempt, peer: SELF };
  return {
    ...emptyTask(JOB_A, index),
    results: {
      [`1.${index + 1}.${SELF}`]: {
        ...common,
        state: 'done',
        files: [],
        holders: {},
        renderMs: result.renderMs,
        wallTime: END - result.endMs,
      },
    },
    failures:
      failedAt === undefined
        ? {}
        : {
            f: { ...common, cause: 'failed', code: 'c', message: 'm', lines: [], wallTime: END - failedAt },
          },
  };
}

function activityOf(tasks: readonly TaskRecord[], diaries: readonly DiaryRecord[] = []) {
  const clock = new ManualClock({ wallTimeMs: END - 1 });
  let walks = 0;
  const activity = createActivity({
    clock,
    queries: {
      jobs: () => {
        walks++;
        const counts = {
          total: tasks.length,
          open: 0,
          rendered: 0,
          done: tasks.length,
          failed: 0,
          skipped: 0,
        };
        return [jobView(JOB_A, 1, { counts, changedAt: END - 1 })];
      },
      nodes: () => [nodeView()],
      taskRecord: (_, index) => tasks[index],
      diaryRecords: () => [...diaries],
    },
  });
  return { activity, clock, walks: () => walks };
}

describe('what the machines did', () => {
  it('fills each bar by the share in which a machine rendered, over several bars where a frame took long', async () => {
    // It ended half a bar before the end, and took two bars.
    const { activity } = activityOf([record(0, { endMs: BAR_MS / 2, renderMs: 2 * BAR_MS }, BAR_MS)]);
    const { start, barMs, machines } = await activity.read(12);
    assert.deepEqual([start, barMs], [END - 12 * 3_600_000, BAR_MS]);
    const [row] = machines;
    assert.deepEqual(row?.busyMs.slice(-4), [0, BAR_MS / 2, BAR_MS, BAR_MS / 2]);
    assert.deepEqual([row.results, row.failures], [1, 1]);
    assert.equal(row.failed.indexOf(1), ACTIVITY_BARS - 1);
  });

  it('R138: counts the wrong pieces that a machine sent, as those say in their diaries that it sent them to', async () => {
    const misfit = (sequence: number, count: number, wallTime: number) => ({
      [String(sequence)]: {
        sequence,
        wallTime,
        event: { kind: 'misfit', machine: SELF, hash: 'a'.repeat(64), count },
      },
    });
    const page = (peer: string, entries: DiaryRecord['entries']): DiaryRecord => ({
      ...{ kind: 'diary', peer, page: 0, entries },
    });
    const old = END - 13 * 3_600_000;
    const odd = { '4': { sequence: 4, wallTime: END - 1, event: { kind: 'misfit', machine: 7 } } };
    const diaries = [
      page('12D3KooWXxxxxxxxxxxx', { ...misfit(1, 50, old), ...misfit(2, 3, END - BAR_MS), ...odd }),
      page('12D3KooWYyyyyyyyyyyy', misfit(1, 1, END - 2)),
    ];
    const { machines } = await activityOf([], diaries).activity.read(12);
    assert.deepEqual(
      machines.map(({ peer, misfits }) => [peer, misfits]),
      [[SELF, 4]],
    );
  });

  it('leaves out what is older, and cuts what began before', async () => {
    const hours = 12 * 3_600_000;
    const { activity } = activityOf([
      record(0, { endMs: hours + 1, renderMs: 5 }),
      record(1, { endMs: hours - 10, renderMs: 1_000 }),
    ]);
    const [row] = (await activity.read(12)).machines;
    assert.equal(row?.results, 1);
    assert.deepEqual(
      row.busyMs.filter((ms) => ms > 0),
      [10],
    );
  });

  it('answers everybody from one walk for a while', async () => {
    const { activity, clock, walks } = activityOf([]);
    await Promise.all([activity.read(12), activity.read(12)]);
    await clock.advanceSettled(9_000);
    await activity.read(12);
    assert.equal(walks(), 1);
    await clock.advanceSettled(2_000);
    await activity.read(12);
    assert.equal(walks(), 2);
  });
});
