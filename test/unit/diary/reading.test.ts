import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createNight } from '../../../node/src/diary/night.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { farmView, nodeView } from '../api/fakes.ts';

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
