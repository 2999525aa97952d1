import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, emptyTask, type AttemptId, type Plan, type TaskRecord } from '@cuadro/protocol';
import { Job } from '../../../node/src/core/job.ts';
import type { Lease } from '../../../node/src/core/machine.ts';
import { BELEN, CARMEN, DOLORES, framesPlan, jobIdOf, jobRecord, withRequest } from './farm.ts';

const at = (sequence: number, term = 1): AttemptId => ({ epoch: { term, peer: BELEN }, sequence });

/** Frames in Blender, as many proxies by another program, and a film of the frames. */
function plan(frames = '1-6'): Plan {
  const base = framesPlan(frames);
  const [group] = base.groups;
  assert.ok(group);
  return {
    ...base,
    groups: [
      { ...group, name: 'frame', requires: { engine: 'blender' } },
      { ...group, name: 'still', requires: { engine: 'ffmpeg' } },
      {
        ...group,
        name: 'film',
        numbers: [{ start: 1, end: 1, step: 1 }],
        after: [{ group: 0, match: 'all' }],
        requires: { engine: 'ffmpeg' },
      },
    ],
  };
}

interface Made {
  readonly sequence?: number;
  readonly peer?: string;
  readonly wallTime?: number;
  readonly renderMs?: number;
  readonly thumbnail?: string;
  readonly engineVersion?: string;
  /** Who failed at it, and when. */
  readonly failed?: readonly (readonly [peer: string, wallTime: number])[];
}

/** A task with a result, unless it only failed. */
function task(index: number, made: Made, hasResult = true): TaskRecord {
  const { sequence = index + 1, peer = BELEN, wallTime = 1, renderMs = 1, failed = [], ...more } = made;
  const attempt = at(sequence);
  const result = {
    attempt,
    peer,
    state: 'rendered' as const,
    files: [],
    holders: { [peer]: { held: true, counter: 1 } },
    renderMs,
    wallTime,
    ...more,
  };
  const failures = failed.map(([who, when], place) => {
    const id = at(100 + 10 * index + place);
    const failure = {
      attempt: id,
      peer: who,
      cause: 'failed' as const,
      code: 'x',
      message: 'x',
      lines: [],
      wallTime: when,
    };
    return [attemptKey(id), failure] as const;
  });
  return {
    ...emptyTask(jobIdOf(1), index),
    results: hasResult ? { [attemptKey(attempt)]: result } : {},
    failures: Object.fromEntries(failures),
  };
}

const lease = (job: Job, index: number, peer = BELEN): Lease => ({
  attempt: at(500 + index),
  key: attemptKey(at(500 + index)),
  job: job.id,
  index,
  group: job.table.groupOf(index),
  redo: 0,
  retry: 0,
  peer,
  seen: false,
  missed: 0,
  stopping: undefined,
  fraction: 0,
});

/** A job, and how often it said that tasks may be free. */
function made(frames = '1-6'): { job: Job; offers: () => number } {
  const spread = plan(frames);
  let offers = 0;
  const job = new Job(jobRecord(spread), {
    taskChanged: () => undefined,
    offered: () => (offers += 1),
    inputsGone: () => undefined,
  });
  job.setPlan(spread);
  return { job, offers: () => offers };
}

describe('the machines at work on a job', () => {
  it('R51: are counted by their leases', () => {
    const { job } = made();
    const [first, second, other] = [lease(job, 0), lease(job, 1), lease(job, 2, CARMEN)];
    for (const one of [first, second, other]) job.addLease(one);
    assert.deepEqual(
      [...job.machines],
      [
        [BELEN, 2],
        [CARMEN, 1],
      ],
    );
    job.removeLease(first);
    job.removeLease(first);
    assert.deepEqual(
      [...job.machines],
      [
        [BELEN, 1],
        [CARMEN, 1],
      ],
    );
    job.removeLease({ ...second });
    assert.equal(job.leases.get(1), second, 'another lease of the task is none of it');
    job.removeLease(second);
    assert.deepEqual([...job.machines], [[CARMEN, 1]]);
  });
});

describe('a job', () => {
  it('R50: is dry once nothing of it is free, whatever waits for all of another group', () => {
    const { job } = made('1');
    assert.equal(job.isDry(), false);
    job.addLease(lease(job, 0));
    assert.equal(job.isDry(), false, 'the still is free');
    job.addLease(lease(job, 1));
    assert.equal(job.isDry(), true, 'the film waits');
    job.put(task(0, {}));
    assert.equal(job.isDry(), false, 'and is free now');
  });

  it('R50: says that a task may be free where it is, and only there', () => {
    const { job, offers } = made();
    job.put(task(0, {}));
    job.addLease(lease(job, 1));
    const before = offers();
    job.offer(0);
    job.offer(1);
    assert.equal(offers(), before, 'one has a result, and one runs');
    job.offer(2);
    assert.equal(offers(), before + 1);
  });

  it('R54: tries a task that failed elsewhere, of which it knows no pause, at once', () => {
    const { job } = made('1');
    job.put(task(0, { failed: [[BELEN, 5]] }, false));
    assert.equal(
      job.queue(0)?.pick(BELEN, () => true, 1_000),
      0,
    );
  });

  it('R54: counts what failed where and was rendered elsewhere, until that is made again', () => {
    const { job } = made();
    job.put(task(0, { peer: CARMEN, failed: [[BELEN, 1]] }));
    job.put(
      task(1, {
        peer: CARMEN,
        failed: [
          [BELEN, 1],
          [DOLORES, 1],
          [CARMEN, 1],
        ],
      }),
    );
    job.put(task(2, { peer: CARMEN, failed: [[BELEN, 1]] }, false));
    assert.deepEqual(
      [job.spoiled.get(BELEN), job.spoiled.get(DOLORES), job.spoiled.get(CARMEN)],
      [2, 1, undefined],
    );
    job.setRecord(withRequest(job.record, 'redo', [1], 1));
    assert.deepEqual([job.spoiled.get(BELEN), job.spoiled.get(DOLORES)], [1, 0]);
    job.put(task(0, { peer: BELEN, sequence: 0, failed: [[BELEN, 1]] }));
    assert.equal(job.spoiled.get(BELEN), 0, 'it rendered the result that counts itself');
  });
});

describe('what runs of a job', () => {
  it('R39: is of no use any more where all of a group that it needs was there and is gone, and nothing else is', () => {
    const spread = plan();
    const gone: number[] = [];
    const record = jobRecord(spread);
    const job = new Job(record, {
      taskChanged: () => undefined,
      offered: () => undefined,
      inputsGone: (_job, leases) => void gone.push(...leases.map(({ index }) => index)),
    });
    job.setPlan(spread);
    for (let index = 0; index < 6; index++) job.put(task(index, {}));
    const [still, film] = [lease(job, 6), lease(job, 12)];
    assert.equal(film.group, 2);
    for (const one of [still, film]) job.addLease(one);
    job.setRecord(withRequest(record, 'redo', [0], 1));
    assert.deepEqual(gone, [12]);
  });
});

describe('the figures of a job', () => {
  it('are the median of its newest render times, by group', () => {
    const { job } = made('1-40');
    assert.equal(job.medianMs(0), undefined);
    const { job: rising } = made('1-99');
    for (let index = 0; index < 64; index++) rising.put(task(index, { renderMs: index + 1 }));
    assert.equal(rising.medianMs(0), 33, 'of the newest 63');
    const times = [100, 9, 40, 25, 3];
    const medians = times.map((renderMs, index) => {
      job.put(task(index, { renderMs }));
      return job.medianMs(0);
    });
    assert.deepEqual(medians, [100, 100, 40, 40, 25]);
    assert.equal(job.medianMs(1), undefined);
    const { job: long } = made('1-100');
    for (let index = 0; index < 63; index++) long.put(task(index, { renderMs: 1_000 }));
    for (let index = 63; index < 94; index++) long.put(task(index, { renderMs: 5 }));
    assert.equal(long.medianMs(0), 1_000, '32 of the newest 63');
    long.put(task(94, { renderMs: 5 }));
    assert.equal(long.medianMs(0), 5);
  });

  it('are the thumbnails of its four newest results, the newest first, and of one time the later task’s', () => {
    const { job } = made();
    const shown = () => job.thumbnails().map(({ task: index }) => index);
    assert.deepEqual(shown(), []);
    job.put(task(0, { wallTime: 50 }));
    assert.deepEqual(shown(), [], 'one without a thumbnail shows none');
    for (const [index, wallTime] of [
      [1, 10],
      [2, 30],
      [3, 30],
      [4, 20],
    ] as const)
      job.put(task(index, { wallTime, thumbnail: `${index}` }));
    assert.deepEqual(
      job.thumbnails(),
      [3, 2, 4, 1].map((index) => ({ task: index, blob: `${index}` })),
    );
    job.put(task(5, { wallTime: 9, thumbnail: '5' }));
    assert.deepEqual(shown(), [3, 2, 4, 1], 'an older one has no place');
    job.put(task(6, { wallTime: 10, thumbnail: '6' }));
    assert.deepEqual(shown(), [3, 2, 4, 6], 'one as old as the last has, being later');
    job.put(task(4, { wallTime: 40, thumbnail: '4b', sequence: 0 }));
    assert.deepEqual(shown(), [4, 3, 2, 6], 'and one that was made anew stands once');
    assert.equal(job.thumbnails()[0]?.blob, '4b');
    job.setRecord(withRequest(job.record, 'redo', [3], 1));
    assert.deepEqual(
      shown(),
      [4, 2, 6, 1],
      'of one that was discarded nothing is left, and the next has its place',
    );
    job.put(task(4, { wallTime: 8, thumbnail: '4c' }));
    assert.deepEqual(shown(), [2, 6, 1, 5], 'one that counts now and is older gives its place to others');
  });

  it('are when the latest of its results and failures was, as far as they count', () => {
    const { job } = made();
    assert.equal(job.changedAt, undefined);
    job.put(
      task(0, {
        wallTime: 20,
        failed: [
          [CARMEN, 30],
          [DOLORES, 25],
        ],
      }),
    );
    assert.equal(job.changedAt, 30);
    job.put(task(1, { wallTime: 10 }));
    assert.equal(job.changedAt, 30);
    job.put(task(2, { failed: [[CARMEN, 28]] }, false));
    assert.equal(job.changedAt, 30);
    job.put(task(0, { wallTime: 20 }));
    assert.equal(job.changedAt, 28, 'its failures are void');
    job.put(task(2, {}, false));
    assert.equal(job.changedAt, 20);
    job.put(task(1, { wallTime: 40 }));
    assert.equal(job.changedAt, 40);
    job.setRecord(withRequest(job.record, 'redo', [1], 1));
    assert.equal(job.changedAt, 20, 'a redo discards it');
    job.setRecord(withRequest(job.record, 'redo', [0], 2));
    assert.equal(job.changedAt, undefined);
  });
});

describe('the version that a job is bound to', () => {
  const version = (job: Job, engine = 'blender'): string | undefined => job.versions.get(engine)?.version;

  it('R51: is that of the first grant, then of the oldest result', () => {
    const { job } = made();
    job.bindVersion('blender', '1', at(5), false);
    job.bindVersion('blender', '2', at(6), false);
    assert.equal(version(job), '1');
    job.bindVersion('blender', '0', at(4), false);
    assert.equal(version(job), '0', 'the oldest attempt, in any order');
    job.bindVersion('blender', '3', at(9), true);
    assert.equal(version(job), '3', 'a result rather than a grant');
    job.bindVersion('blender', '4', at(3), false);
    assert.equal(version(job), '3');
    job.bindVersion('blender', '5', at(8, 0), true);
    assert.equal(version(job), '5');
    job.bindVersion('blender', '6', at(9), true);
    assert.equal(version(job), '5');
  });

  it('R51: is free again once nothing of it is made or runs, and of each engine by itself', () => {
    const { job } = made();
    const [frame, still] = [lease(job, 0), lease(job, 6)];
    job.addLease(frame);
    job.bindVersion('blender', '3', frame.attempt, false);
    job.addLease(still);
    job.bindVersion('ffmpeg', '5', still.attempt, false);
    job.put(task(1, { engineVersion: '3' }));
    job.removeLease(still);
    assert.deepEqual([version(job), version(job, 'ffmpeg')], ['3', undefined]);
    job.removeLease(frame);
    assert.equal(version(job), '3', 'a result is there');
    job.put(task(1, {}, false));
    assert.equal(version(job), undefined);
    job.addLease(frame);
    job.bindVersion('blender', '4', frame.attempt, false);
    job.addLease(still);
    job.put(task(6, {}, false));
    assert.equal(version(job), '4', 'it runs');
  });

  it('R51: is that of the oldest result that a redo leaves, else of what runs', () => {
    const { job } = made();
    job.put(task(0, { sequence: 1, engineVersion: '3' }));
    job.put(task(1, { sequence: 2, engineVersion: '4' }));
    assert.equal(version(job), '3');
    job.setRecord(withRequest(job.record, 'redo', [0], 1));
    assert.equal(version(job), '4');
    const running = lease(job, 2);
    job.addLease(running);
    job.setRecord(withRequest(job.record, 'redo', [1], 2));
    assert.equal(version(job), '4', 'what runs was begun with it');
    job.removeLease(running);
    assert.equal(version(job), undefined);
    job.put({ ...task(3, { sequence: 7, engineVersion: '5' }), redo: 2 });
    assert.equal(version(job), '5');
    job.setRecord(withRequest(job.record, 'redo', [3], 3));
    assert.equal(version(job), undefined, 'and of nothing it is free');
  });
});
