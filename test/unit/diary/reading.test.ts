import assert from 'node:assert/strict';
import { it } from 'node:test';
import { attemptKey, type Failure, type PlannedTask, type TaskResult } from '@cuadro/protocol';
import { collectNight, createNight } from '../../../node/src/diary/night.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { farmView, JOB_A, jobView, nodeView, SELF } from '../api/fakes.ts';

it('R127: one telling serves all who ask while nothing happens, and none of what happened since', async () => {
  let walks = 0;
  const clock = new ManualClock();
  const night = createNight({
    clock,
    queries: {
      jobs: () => {
        walks++;
        return [];
      },
      nodes: () => [nodeView()],
      farm: () => farmView,
      taskRecord: () => undefined,
      plannedTask: () => undefined,
      diaryRecords: () => [],
      memberRecords: () => [],
    },
  });
  const nothing = { jobs: [], removed: [] };
  await Promise.all([night.read(12), night.read(12)]);
  assert.equal(walks, 1);
  night.changed(nothing);
  await night.read(12);
  assert.equal(walks, 1, 'a machine that moved its load is no news');
  for (const change of [{ ...nothing, diary: true } as const, { ...nothing, jobs: ['aaaabbbbccccdddd'] }]) {
    const before: number = walks;
    night.changed(change);
    await night.read(12);
    assert.equal(walks, before + 1);
  }
  await night.read(8);
  assert.equal(walks, 4, 'another time is another telling');
  clock.advance(60_000);
  await night.read(12);
  assert.equal(walks, 5, 'time goes on');
});

it('R127: a machine that vanished with its attempt did not fail at it', async () => {
  const [from, to] = [1_700_000_000_000, 1_700_000_060_000];
  const failures = (['lost', 'failed', 'lost'] as const).map(
    (cause, sequence): Failure => ({
      attempt: { epoch: { term: 1, peer: SELF }, sequence },
      ...{ peer: SELF, cause, code: 'c', message: 'It ended.', lines: [], wallTime: from + 1_000 },
    }),
  );
  const byKey = Object.fromEntries(failures.map((one) => [attemptKey(one.attempt), one]));
  const view = await collectNight(
    {
      jobs: () => [jobView(JOB_A, 1, { submittedAt: from })],
      nodes: () => [nodeView()],
      farm: () => farmView,
      taskRecord: (job, index) =>
        index > 0 ? undefined : { kind: 'task', job, index, redo: 0, retry: 0, results: {}, failures: byKey },
      plannedTask: (_, index) => ({ index, name: 'frame 1', work: { kind: 'blender-frame' } }) as PlannedTask,
      diaryRecords: () => [],
      memberRecords: () => [],
    },
    { from, to },
  );
  assert.equal(view.machines[0]?.failures, 1);
  assert.deepEqual(view.events.map(({ kind }) => kind).sort(), [
    'attempts-lost',
    'failed-elsewhere',
    'submitted',
  ]);
});

it('R127: what a machine whose clock is ahead submitted and rendered belongs to the night', async () => {
  const [from, to] = [1_700_000_000_000, 1_700_000_060_000];
  const ahead = to + 7_200_000;
  const result: TaskResult = {
    attempt: { epoch: { term: 1, peer: SELF }, sequence: 1 },
    ...{ peer: SELF, state: 'done', files: [], renderMs: 500, wallTime: ahead, holders: {} },
  };
  const view = await collectNight(
    {
      jobs: () => [jobView(JOB_A, 1, { submittedAt: ahead })],
      nodes: () => [nodeView()],
      farm: () => farmView,
      taskRecord: (job, index) =>
        index > 0
          ? undefined
          : {
              ...{ kind: 'task', job, index, redo: 0, retry: 0, failures: {} },
              results: { [attemptKey(result.attempt)]: result },
            },
      plannedTask: (_, index) => ({ index, name: 'frame 1', work: { kind: 'blender-frame' } }) as PlannedTask,
      diaryRecords: () => [],
      memberRecords: () => [],
    },
    { from, to },
  );
  assert.equal(view.machines[0]?.results, 1);
  assert.match(view.summary, /^1 job still being rendered; 1 result rendered\./);
});
