import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobRecord } from '@cuadro/protocol';
import { BlobUnreachableError, StoreFullError } from '../../../node/src/blobs/errors.ts';
import { JobMending } from '../../../node/src/replicas/job-mending.ts';
import { jobNeedsMending } from '../../../node/src/replicas/needs.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { silent } from '../transfer/machines.ts';

const PLAN = 'a'.repeat(64);
const MINUTE_MS = 60_000;
const held = { held: true, counter: 1 };
const gone = { held: false, counter: 2 };

/** A job without a scene, whose plan these hold or once held. */
const jobOf = (id: string, plan: JobRecord['holders']['plan'] = { here: gone }): JobRecord =>
  ({ id, spec: { plan: PLAN }, holders: { plan, bundle: {} } }) as unknown as JobRecord;

/** A machine named `here`, which gets of nobody what it lacks until `answer` says otherwise. */
function house() {
  const clock = new ManualClock();
  const jobs = new Map<string, JobRecord>();
  const removed = new Set<string>();
  const told: string[] = [];
  const state = {
    asked: [] as string[],
    answer: (): Promise<void> => Promise.reject(new BlobUnreachableError(PLAN, [], 'none answers')),
    isReady: true,
    isLeaving: false,
    reachable: [] as string[],
    spent: 0,
    isThere: (peer: string) => peer !== 'away',
  };
  const mending = new JobMending(
    {
      mesh: { self: 'here', reachable: () => state.reachable },
      blobs: { has: async () => undefined, read: () => Promise.reject(new Error('none')) },
      files: {
        fetch: (job) => {
          state.asked.push(job);
          return state.answer();
        },
        fetchTree: () => Promise.resolve(),
        isJobHere: () => Promise.resolve(true),
      },
      queries: { jobRecord: (id) => jobs.get(id), removed: () => removed },
      merge: async (_from, [record]) => {
        jobs.set((record as JobRecord).id, record as JobRecord);
        mending.lookAt(record as JobRecord);
      },
      onLacking: (job) => told.push(job),
      clock,
      logger: silent,
    },
    {
      peers: {
        get isLeaving() {
          return state.isLeaving;
        },
        isThere: (peer) => state.isThere(peer),
      },
      repairs: {
        get isReady() {
          return state.isReady;
        },
        spend: (bytes) => (state.spent += bytes),
      },
    },
  );
  const lacks = (...records: JobRecord[]): void => {
    for (const record of records) {
      jobs.set(record.id, record);
      mending.lookAt(record);
    }
  };
  /** The seconds at which it was asked for again from here on. */
  const secondsAsked = async (seconds: number): Promise<number[]> => {
    const at: number[] = [];
    for (let second = 1; second <= seconds; second++) {
      const before = state.asked.length;
      await clock.advanceSettled(1_000);
      if (state.asked.length > before) at.push(second);
    }
    return at;
  };
  return { clock, jobs, removed, told, state, mending, lacks, secondsAsked };
}

describe('R185: what nobody has', () => {
  it('is looked for at once, and then after pauses that double up to ten minutes', async () => {
    const { state, mending, lacks, secondsAsked } = house();
    lacks(jobOf('job'));
    assert.deepEqual([state.asked, mending.untried], [['job'], 1]);
    assert.deepEqual(await secondsAsked(70), [2, 6, 14, 30, 62]);
    assert.equal(mending.untried, 0);
    const later = await secondsAsked(3 * 3_600);
    const pauses = later.slice(1).map((at, i) => at - (later[i] as number));
    assert.deepEqual(pauses.slice(0, 5), [128, 256, 512, 600, 600]);
    assert.equal(Math.max(...pauses), 600);
    assert.equal(state.asked.length, 1 + 5 + later.length);
    await mending.stop();
  });

  it('is looked for sooner when somebody comes within reach, two seconds after the last time at the earliest', async () => {
    const { state, mending, lacks, secondsAsked } = house();
    lacks(jobOf('job'));
    await secondsAsked(100);
    const { length } = state.asked;
    for (let time = 0; time < 5; time++) mending.reachChanged();
    await secondsAsked(1);
    assert.equal(state.asked.length, length + 1);
    for (let time = 0; time < 5; time++) mending.reachChanged();
    assert.equal(mending.untried, 1, 'who came may have it');
    assert.deepEqual(await secondsAsked(1), [1]);
    assert.deepEqual(await secondsAsked(3), [2]);
    assert.equal(mending.untried, 0);
    await mending.stop();
  });

  it('is said once, and no more when it was found', async () => {
    const { jobs, told, state, mending, lacks, secondsAsked } = house();
    lacks(jobOf('job'));
    await secondsAsked(30);
    assert.deepEqual(told, ['job']);
    assert.match(
      mending.lacking('job') ?? '',
      /^Its plan is damaged or gone here, and no machine within reach has it\. /,
    );
    state.answer = () => Promise.resolve();
    await secondsAsked(60);
    assert.deepEqual(jobs.get('job')?.holders.plan, { here: { held: true, counter: 3 } });
    assert.deepEqual([mending.lacking('job'), told], [undefined, ['job', 'job']]);
    const { length } = state.asked;
    await secondsAsked(60);
    assert.equal(state.asked.length, length);
    await mending.stop();
  });

  it('is said otherwise where there is no room for it', async () => {
    const { state, mending, lacks, secondsAsked } = house();
    state.answer = () => Promise.reject(new StoreFullError(1, 0, 'The disk is full.'));
    lacks(jobOf('job'));
    await secondsAsked(1);
    assert.match(
      mending.lacking('job') ?? '',
      /^A part of it is damaged or gone here, and can't be had again: .*The disk is full/,
    );
    await mending.stop();
  });
});

describe('R185: jobs that no machine holds whole', () => {
  it('are had again one after the other, each as soon as there is something to spend', async () => {
    const { clock, state, mending, lacks } = house();
    const ends: (() => void)[] = [];
    state.answer = () => new Promise((resolve) => ends.push(resolve));
    lacks(jobOf('one'), jobOf('two'), jobOf('three'));
    await clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(state.asked, ['one']);
    state.isReady = false;
    // The plan's own fetch, and that of the whole.
    for (let time = 0; time < 2; time++) {
      ends.shift()?.();
      await clock.advanceSettled(0);
    }
    await clock.advanceSettled(MINUTE_MS);
    assert.deepEqual(new Set(state.asked), new Set(['one']));
    state.isReady = true;
    await clock.advanceSettled(2_000);
    assert.deepEqual(new Set(state.asked), new Set(['one', 'two']));
    assert.equal(mending.untried, 2);
    state.answer = () => Promise.resolve();
    const stopped = mending.stop();
    for (const end of ends) end();
    await stopped;
  });

  it('wait for nothing on a machine that leaves', async () => {
    const { state, mending, lacks } = house();
    state.isReady = false;
    state.isLeaving = true;
    lacks(jobOf('job'));
    assert.deepEqual(state.asked, ['job']);
    await mending.stop();
  });

  it('are left alone by a removed machine, and once they are deleted', async () => {
    const { removed, state, mending, lacks, secondsAsked } = house();
    removed.add('here');
    lacks(jobOf('job'));
    assert.deepEqual(state.asked, []);
    removed.clear();
    lacks(jobOf('job'));
    await secondsAsked(1);
    mending.forget('job');
    await secondsAsked(60);
    assert.deepEqual(state.asked, ['job']);
    await mending.stop();
  });

  const bundled = (
    plan: JobRecord['holders']['plan'],
    bundle: JobRecord['holders']['bundle'],
    more = {},
  ): JobRecord =>
    ({ id: 'job', spec: { plan: PLAN, bundle: 'b' }, holders: { plan, bundle }, ...more }) as never;
  const cases: [what: string, job: JobRecord, isNeeded: boolean][] = [
    ['it has the plan and another the scene', bundled({ here: held }, { here: gone, other: held }), true],
    ['it withdrew both entries, and nobody has others', bundled({ here: gone }, { here: gone }), true],
    ['it holds all', bundled({ here: held }, { here: held }), false],
    ['another holds all', bundled({ here: gone, other: held }, { other: held }), false],
    ['who holds all counts no more', bundled({ here: gone, away: held }, { away: held }), true],
    ['it never held anything', bundled({ other: gone }, { other: held }), false],
    ['it was deleted', bundled({ here: gone }, { here: held }, { deleted: {} }), false],
    ['only a removed one ever held it', bundled({ out: gone }, { out: gone }), true],
    [
      'a removed one held it, and another the scene',
      bundled({ out: gone }, { out: gone, other: gone }),
      false,
    ],
    ['nobody ever said that he holds it', bundled({}, {}), false],
    ['only a removed one held what was deleted', bundled({ out: gone }, {}, { deleted: {} }), false],
  ];
  const rule = { isLive: (peer: string) => peer !== 'away' && peer !== 'out', removed: new Set(['out']) };
  for (const [what, job, isNeeded] of cases) {
    it(`are had again by a machine: ${isNeeded ? 'yes' : 'no'}, where ${what}`, () => {
      assert.equal(jobNeedsMending(job, 'here', rule), isNeeded);
    });
  }
});

describe('R188: a job that only removed machines held', () => {
  const left = jobOf('job', { out: gone });

  it('is had by one member after the other in the order of their ids, until one has it', async () => {
    const { removed, state, mending, lacks, secondsAsked } = house();
    removed.add('out');
    state.reachable = ['anna', 'bert', 'zoe'];
    lacks(left);
    // Whoever comes is no reason to begin before the others.
    mending.reachChanged();
    assert.deepEqual(state.asked, []);
    assert.deepEqual(await secondsAsked(8), [4, 6]);
    await mending.stop();
  });

  it('is left to who was first', async () => {
    const { removed, state, mending, lacks, secondsAsked } = house();
    removed.add('out');
    state.reachable = ['anna'];
    lacks(left);
    await secondsAsked(1);
    lacks(jobOf('job', { out: gone, anna: held }));
    assert.deepEqual(await secondsAsked(60), []);
    await mending.stop();
  });

  it('is waited for by nobody that leaves, and said to be elsewhere, not damaged', async () => {
    const { removed, jobs, state, mending, lacks, secondsAsked } = house();
    removed.add('out');
    Object.assign(state, { reachable: ['anna'], isLeaving: true });
    lacks(left);
    assert.deepEqual(state.asked, ['job']);
    await secondsAsked(1);
    assert.match(
      mending.lacking('job') ?? '',
      /^Its plan is not here, and no machine within reach has it\. /,
    );
    state.answer = () => Promise.resolve();
    await secondsAsked(5);
    assert.deepEqual(jobs.get('job')?.holders.plan, { out: gone, here: { held: true, counter: 1 } });
    await mending.stop();
  });
});
