import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, type OutputFile, type TaskRecord } from '@cuadro/protocol';
import { lose, resultOf } from './away.ts';
import {
  BELEN,
  capabilities,
  CARMEN,
  deleted,
  Farm,
  framesPlan,
  grantsTo,
  jobIdOf,
  jobRecord,
  nodeDesired,
  SELF,
  withDesired,
  withRequest,
} from './farm.ts';
import { farmOf, following, leading } from './members.ts';

const FILM = { film: true } as const;
const JOB = jobIdOf(1);

/** A result with more in it. */
function resultWith(index: number, changes: object, ...holders: string[]): TaskRecord {
  const record = resultOf(JOB, index, ...holders);
  const [[key, result] = []] = Object.entries(record.results);
  assert.ok(key !== undefined && result !== undefined);
  return { ...record, results: { [key]: { ...result, ...changes } } };
}

const file = (name: string, role: OutputFile['role']): OutputFile => ({
  name,
  blob: name.padEnd(64, '0'),
  sizeBytes: 1,
  role,
});

/** This machine leads Belén and Carmen, who take no work; a job is there. */
function resting(plan = framesPlan('1-4')): Farm {
  const farm = leading(BELEN, CARMEN);
  for (const peer of [BELEN, CARMEN]) farm.claim(peer, { wants: 0, sequence: 2 });
  farm.submit(plan);
  return farm;
}

describe('how long a job takes still', () => {
  const remaining = (farm: Farm): number | undefined => farm.core.job(JOB)?.live.remainingMs;

  it('follows from the median of its times, what is open, what runs of it, and the places that can take it', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(CARMEN, { wants: 0, sequence: 2 });
    farm.submit(framesPlan('1-9'));
    assert.equal(remaining(farm), undefined, 'nothing is known before the first has ended');
    for (let task = 0; task < 3; task++) {
      const grant = grantsTo(BELEN, farm.effects)[task];
      assert.ok(grant);
      farm.records(resultWith(task, { renderMs: [900, 400, 500][task], attempt: grant.attempt }, BELEN));
      farm.ended(BELEN, grant, 'stopped');
    }
    assert.equal(remaining(farm), 6 * 500);
    const running = grantsTo(BELEN, farm.effects).filter(({ task }) => task >= 3);
    farm.beacon(BELEN, running.slice(0, 1));
    assert.equal(remaining(farm), 5.5 * 500, 'of one the half is done');
    farm.claim(CARMEN, { wants: 4, slots: 2, sequence: 3 });
    assert.equal(remaining(farm), Math.round((5.5 * 500) / 3));
    farm.claim(CARMEN, { wants: 0, slots: 2, sequence: 4 });
    assert.equal(remaining(farm), 5.5 * 500, 'who takes no work counts as no place');
    farm.claim(BELEN, { wants: 0, sequence: 3 });
    assert.equal(remaining(farm), undefined, 'nobody can run it');
  });

  it('leaves out the film, of which there is but one, and is nothing where only that is left', () => {
    const farm = leading(BELEN);
    farm.submit(framesPlan('1-3', FILM));
    assert.equal(remaining(farm), undefined, 'of the frames nothing is known yet');
    farm.records(resultWith(0, { renderMs: 700 }, SELF), resultWith(1, { renderMs: 700 }, SELF));
    assert.equal(remaining(farm), 700);
    farm.records(resultWith(2, { renderMs: 700 }, SELF));
    assert.equal(remaining(farm), 0);
    farm.records(resultWith(3, { renderMs: 700 }, SELF));
    assert.equal(remaining(farm), undefined, 'a job that is done is not under way');
  });

  it('is the sum of its kinds of tasks, each by its own times', () => {
    const farm = leading(BELEN);
    const plan = framesPlan('1-3');
    const [group] = plan.groups;
    assert.ok(group);
    farm.submit({ ...plan, groups: [group, { ...group, name: 'proxy' }] });
    farm.records(resultWith(0, { renderMs: 700 }, SELF));
    assert.equal(remaining(farm), 2 * 700, 'a later kind of which nothing is known is left out');
    farm.records(resultWith(3, { renderMs: 10 }, SELF));
    assert.equal(remaining(farm), 2 * 700 + 2 * 10);
  });

  it('is told of a job that is under way only', () => {
    const farm = resting();
    farm.work();
    const record = farm.core.jobRecord(JOB);
    assert.ok(record?.kind === 'job');
    farm.records(resultWith(0, {}, BELEN));
    assert.equal(remaining(farm), 3 * 500);
    farm.records(withDesired(record, 'paused'));
    assert.equal(remaining(farm), undefined);
  });
});

describe('what is shown of a task', () => {
  it('is all that its records and leases tell', () => {
    const farm = resting(framesPlan('5-8'));
    const files = [file('a', 'image')];
    farm.records(resultWith(1, { files, thumbnail: 'b'.repeat(64), renderMs: 321 }, BELEN, CARMEN));
    farm.work();
    const [run] = farm.held();
    assert.ok(run);
    const { attempt } = run.grant;
    farm.step({ kind: 'progress', attempt, fraction: 0.25, remainingMs: 70 });
    const { total, tasks } = farm.core.tasks(JOB, { offset: 0, limit: 3 });
    const name = (index: number): string => farm.core.plannedTask(JOB, index)?.name ?? '';
    const [group] = framesPlan('5-8').groups;
    const common = { group: group?.name, failures: 0, stale: false };
    assert.equal(total, 4);
    assert.deepEqual(tasks, [
      {
        ...common,
        index: 0,
        name: name(0),
        number: 5,
        state: 'open',
        files: [],
        copies: 0,
        live: { running: true, fraction: 0.25, machine: 'machine a', remainingMs: 70 },
      },
      {
        ...common,
        index: 1,
        name: name(1),
        number: 6,
        state: 'done',
        files,
        thumbnail: 'b'.repeat(64),
        copies: 2,
        renderMs: 321,
        machine: 'machine b',
        live: { running: false },
      },
      {
        ...common,
        index: 2,
        name: name(2),
        number: 7,
        state: 'open',
        files: [],
        copies: 0,
        live: { running: false },
      },
    ]);
    assert.deepEqual(
      farm.core.tasks(JOB, { offset: 3, limit: 3 }).tasks.map(({ index }) => index),
      [3],
    );
    assert.deepEqual(
      farm.core.tasks(JOB, { offset: 1, limit: 1 }).tasks.map(({ index }) => index),
      [1],
    );
    assert.deepEqual(farm.core.task(JOB, 1)?.heldBy, ['machine b', 'machine c']);
    assert.equal(farm.core.task(JOB, 4), undefined);
  });

  it('is as little as there is before its plan is there', () => {
    const farm = resting();
    const record = jobRecord(framesPlan('1-3'), { id: 2 });
    farm.records(record);
    const [task] = farm.core.tasks(record.id, { offset: 2, limit: 1 }).tasks;
    assert.deepEqual([task?.name, task?.group, task?.number], ['#2', '', 2]);
    assert.equal(farm.core.plannedTask(record.id, 0), undefined);
    assert.equal(farm.core.findTask(record.id, '#0'), undefined);
    assert.equal(farm.core.findTasks(record.id, ['#0']), undefined);
  });

  it('is each attempt in its order: failed, lost, rendered and running', () => {
    const farm = resting();
    farm.work();
    const [run] = farm.held();
    assert.ok(run);
    const failure = (sequence: number, cause: 'failed' | 'lost', log?: string) => ({
      attempt: { epoch: { term: 0, peer: CARMEN }, sequence },
      peer: CARMEN,
      cause,
      code: 'broken',
      message: 'It broke.',
      lines: ['a line'],
      wallTime: sequence,
      ...(log !== undefined && { log }),
    });
    const failures = [failure(2, 'lost'), failure(1, 'failed', 'c'.repeat(64))];
    farm.records({
      ...resultOf(JOB, 0),
      results: {},
      failures: Object.fromEntries(failures.map((one) => [attemptKey(one.attempt), one])),
    });
    const attempts = farm.core.task(JOB, 0)?.attempts ?? [];
    assert.deepEqual(
      attempts.map(({ state, machine, hasLog, at, lines }) => [state, machine, hasLog, at, lines.length]),
      [
        ['failed', 'machine c', true, 1, 1],
        ['lost', 'machine c', false, 2, 1],
        ['running', 'machine a', false, undefined, 0],
      ],
    );
    assert.equal(farm.core.task(JOB, 0)?.failures, 2);
    assert.equal(attempts[2]?.attempt, attemptKey(run.grant.attempt));
    farm.records(resultWith(1, { log: 'd'.repeat(64), wallTime: 77 }, BELEN));
    assert.deepEqual(
      farm.core
        .task(JOB, 1)
        ?.attempts.map(({ state, hasLog, renderMs, at }) => [state, hasLog, renderMs, at]),
      [['rendered', true, 500, 77]],
    );
    assert.deepEqual(farm.core.task(JOB, 2)?.attempts, [], 'what is only kept ahead is no attempt yet');
  });

  it('R39: is whether what a film was made of was made again since', () => {
    const farm = resting(framesPlan('1-2', FILM));
    const record = farm.core.jobRecord(JOB);
    assert.ok(record?.kind === 'job');
    farm.records(
      resultOf(JOB, 0, SELF),
      resultOf(JOB, 1, SELF),
      resultWith(2, { inputRedo: 0, files: [file('f', 'film')] }, SELF),
    );
    const shown = () => [
      farm.core.job(JOB)?.filmStale,
      farm.core.job(JOB)?.filmTask,
      farm.core.task(JOB, 2)?.stale,
    ];
    assert.deepEqual(shown(), [false, 2, false]);
    assert.equal(farm.core.job(JOB)?.film?.name, 'f');
    farm.records(withRequest(record, 'redo', [0], 1));
    assert.deepEqual(shown(), [true, 2, true]);
  });
});

describe('what is shown of a job that has ended', () => {
  it('R80: is its open tasks as skipped', () => {
    const farm = resting();
    const record = farm.core.jobRecord(JOB);
    assert.ok(record?.kind === 'job');
    farm.records(resultOf(JOB, 0, BELEN));
    const total = (state: 'open' | 'skipped' | 'rendered') =>
      farm.core.tasks(JOB, { offset: 0, limit: 9, state });
    assert.deepEqual([total('open').total, total('skipped').total, total('rendered').total], [3, 0, 1]);
    farm.records(withDesired(record, 'canceled'));
    assert.deepEqual([total('open').total, total('skipped').total, total('rendered').total], [0, 3, 1]);
    assert.deepEqual(
      total('skipped').tasks.map(({ index, state }) => [index, state]),
      [1, 2, 3].map((index) => [index, 'skipped']),
    );
    assert.deepEqual(total('open').tasks, []);
    assert.deepEqual(
      total('rendered').tasks.map(({ index }) => index),
      [0],
    );
    assert.deepEqual([farm.core.taskState(JOB, 0), farm.core.taskState(JOB, 1)], ['rendered', 'skipped']);
    assert.deepEqual(farm.core.job(JOB)?.counts, {
      total: 4,
      open: 0,
      rendered: 1,
      done: 0,
      failed: 0,
      skipped: 3,
    });
  });
});

describe('what is shown of a job', () => {
  it('is who holds what it needs: those that have the plan, and the scene where there is one', () => {
    const farm = resting();
    const plain = farm.core.jobRecord(JOB);
    assert.ok(plain?.kind === 'job');
    const entry = { held: true, counter: 1 };
    assert.equal(farm.core.job(JOB)?.holders, 1);
    farm.records({ ...plain, holders: { bundle: {}, plan: { [SELF]: entry, [BELEN]: entry } } });
    assert.equal(farm.core.job(JOB)?.holders, 2);
    const other = jobRecord(framesPlan('1'), { id: 2 });
    const withScene = {
      ...other,
      spec: { ...other.spec, bundle: 'e'.repeat(64) },
      holders: { bundle: { [BELEN]: entry, [CARMEN]: entry }, plan: { [SELF]: entry, [BELEN]: entry } },
    };
    farm.records(withScene);
    assert.equal(farm.core.job(other.id)?.holders, 1, 'only Belén has both');
  });

  it('is how much of it runs, and how its jobs and machines stand as a whole', () => {
    const farm = resting();
    assert.deepEqual(farm.core.farm().jobs, { queued: 1 });
    assert.deepEqual(farm.core.farm().live, { running: 0, nodes: 3 });
    farm.work();
    assert.equal(farm.core.job(JOB)?.live.running, 1, 'one runs, and one is ahead');
    assert.deepEqual(farm.core.farm().live, { running: 1, nodes: 3 });
    lose(farm, CARMEN);
    assert.deepEqual(farm.core.farm().live, { running: 1, nodes: 2 });
    farm.submit(framesPlan('1'), { id: 2 });
    assert.deepEqual(farm.core.farm().jobs, { queued: 2 });
    assert.equal(farm.core.farm().members, 3);
    assert.deepEqual(
      farm.core.farm().coordinators.map(({ peer, name, term, cause }) => [peer, name, term, cause]),
      [[SELF, 'machine a', 1, 'first']],
    );
    assert.deepEqual([farm.core.farm().coordinator, farm.core.farm().epochTerm], [SELF, 1]);
    const alone = new Farm(farmOf(BELEN));
    assert.deepEqual([alone.core.farm().coordinator, alone.core.farm().epochTerm], [undefined, 0]);
    const nobodys = new Farm();
    assert.deepEqual(
      [nobodys.core.farm().id, nobodys.core.farm().name, nobodys.core.farm().members],
      ['', '', 1],
    );
  });

  it('R50: comes in the order of granting, and one that is deleted is none', () => {
    const farm = resting();
    const second = farm.submit(framesPlan('1'), { id: 2, priority: 90 });
    const third = farm.submit(framesPlan('1'), { id: 3 });
    assert.deepEqual(
      farm.core.jobs().map(({ id }) => id),
      [second.id, JOB, third.id],
    );
    assert.equal(farm.core.nextOrder(), 4);
    farm.records(deleted(third));
    assert.deepEqual(
      farm.core.jobs().map(({ id }) => id),
      [second.id, JOB],
    );
    assert.deepEqual(farm.core.jobIds(), [JOB, second.id, third.id]);
    assert.equal(farm.core.nextOrder(), 4, 'its number is not given again');
  });
});

describe('what is shown of the machines', () => {
  it('is what their claims and records tell, and nothing of one that was never heard', () => {
    const farm = following({ term: 5, peer: BELEN }, CARMEN);
    farm.claim(BELEN, { slots: 3, can: capabilities({ tags: ['big', 'gpu'] }) });
    farm.records(nodeDesired(BELEN, 'draining'));
    const [self, belen, carmen] = farm.core.nodes();
    assert.deepEqual(
      [self?.here, self?.coordinator, belen?.here, belen?.coordinator],
      [true, false, false, true],
    );
    assert.deepEqual(
      [belen?.name, belen?.slots, belen?.tags, belen?.desired],
      ['machine b', 3, ['big', 'gpu'], 'draining'],
    );
    assert.equal(belen?.live.capabilities?.cores, 4);
    assert.deepEqual([carmen?.slots, carmen?.tags, carmen?.live.load], [0, [], 0]);
    const alone = new Farm(farmOf(BELEN)).start();
    const never = alone.core.nodes().find(({ peer }) => peer === BELEN);
    assert.deepEqual(
      [never?.live.reachable, never?.live.freeDiskBytes, never?.live.idleReason],
      [false, 0, "It can't be reached."],
    );
  });

  it('is what they run, by the names of the tasks', () => {
    const farm = resting();
    farm.work();
    const [self] = farm.core.nodes();
    assert.deepEqual(self?.live.running, [
      { job: JOB, task: 0, name: farm.core.plannedTask(JOB, 0)?.name, fraction: 0 },
    ]);
  });
});
