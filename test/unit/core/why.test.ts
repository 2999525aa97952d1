import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, emptyTask, mergeHolders, type Grant, type TaskRecord } from '@cuadro/protocol';
import { lose, pass, resultOf } from './away.ts';
import {
  BELEN,
  capabilities,
  CARMEN,
  chainedPlan,
  DOLORES,
  type Farm,
  framesPlan,
  grantsTo,
  jobRecord,
  nodeDesired,
  SELF,
  withControl,
  withDesired,
  withRequest,
} from './farm.ts';
import { following, grantOf, leading, learn, meeting, pulseOf, rowOf } from './members.ts';

const FILM = { film: true } as const;

const why = (farm: Farm, job: string, index: number): string | undefined => farm.core.task(job, index)?.why;
const idle = (farm: Farm, peer: string): string | undefined =>
  farm.core.nodes().find((node) => node.peer === peer)?.live.idleReason;

/** This machine leads two others; nobody takes work. */
function resting(...others: string[]): Farm {
  const farm = leading(...others);
  for (const peer of others) farm.claim(peer, { wants: 0, sequence: 2 });
  return farm;
}

function failed(job: string, index: number, message: string): TaskRecord {
  const attempt = { epoch: { term: 1, peer: BELEN }, sequence: 50 + index };
  return {
    ...emptyTask(job, index),
    failed: { attempt, peer: BELEN, code: 'broken', message, wallTime: 1 },
  };
}

describe('why a task is not running', () => {
  it('is that it has a result, on how many machines', () => {
    const farm = resting(BELEN, CARMEN);
    const { id } = farm.submit(framesPlan('1-3'));
    farm.records(resultOf(id, 0, BELEN), resultOf(id, 1, BELEN, CARMEN));
    assert.equal(why(farm, id, 0), 'It is rendered; one machine holds it.');
    assert.equal(why(farm, id, 1), 'It is done; at least two machines hold it.');
    const [[key, result] = []] = Object.entries(resultOf(id, 1, BELEN, CARMEN).results);
    assert.ok(key !== undefined && result !== undefined);
    const holders = mergeHolders(result.holders, { [CARMEN]: { held: false, counter: 2 } });
    farm.records({ ...emptyTask(id, 1), results: { [key]: { ...result, holders } } });
    assert.equal(why(farm, id, 1), 'It is done; one machine holds it.');
  });

  it('is who holds its result and is away, and what stands in for it', () => {
    const farm = resting(BELEN, CARMEN);
    const { id } = farm.submit(framesPlan('1-3'));
    const [own] = Object.entries(resultOf(id, 8, SELF).results);
    const both = resultOf(id, 1, BELEN, CARMEN);
    assert.ok(own);
    farm.records(resultOf(id, 0, BELEN), { ...both, results: { ...both.results, [own[0]]: own[1] } });
    lose(farm, BELEN, CARMEN);
    assert.equal(
      why(farm, id, 0),
      "It is rendered; machine b, which alone holds it, can't be reached. It waits for that machine.",
    );
    assert.equal(
      why(farm, id, 1),
      "It is done; machine b and machine c, which hold it, can't be reached. What machine a rendered stands in for it.",
    );
    farm.records(resultOf(id, 2, BELEN, CARMEN));
    assert.equal(
      why(farm, id, 2),
      "It is done; machine b and machine c, which hold it, can't be reached. It waits for one of them.",
    );
    pass(farm, 61_000);
    farm.work();
    assert.equal(
      why(farm, id, 0),
      "It is rendered; machine b, which alone holds it, can't be reached. It is rendered again: it runs on machine a.",
    );
  });

  it('is that it failed, or needs what failed, or what is skipped for that', () => {
    const farm = resting(BELEN);
    const { id } = farm.submit(chainedPlan());
    farm.records(failed(id, 1, 'Blender crashed.'));
    assert.equal(why(farm, id, 1), 'It failed: Blender crashed.');
    assert.match(why(farm, id, 3) ?? '', /^It needs .*2, which failed\.$/);
    assert.match(why(farm, id, 4) ?? '', /^It needs .*2, which is skipped\.$/);
  });

  it('is none while it runs or is next', () => {
    const farm = resting(BELEN).work();
    const { id } = farm.submit(framesPlan('1-3'));
    assert.equal(why(farm, id, 0), 'It runs on machine a.');
    assert.equal(why(farm, id, 1), 'It is next on machine a.');
  });

  it('is that its job holds it', () => {
    const farm = resting(BELEN);
    const first = farm.submit(framesPlan('1-30'), { id: 1 });
    farm.records(withDesired(first, 'paused'));
    assert.equal(why(farm, first.id, 0), 'Its job is paused: what runs is finished, nothing new begins.');
    const next = farm.submit(framesPlan('1'), { id: 2, after: [first.id] });
    assert.equal(why(farm, next.id, 0), 'It waits for job #1 job 1 to be done.');
    farm.records(withDesired(withDesired(first, 'paused'), 'canceled'));
    assert.equal(why(farm, first.id, 0), 'It was not begun before its job was canceled.');
    assert.equal(
      why(farm, next.id, 0),
      `It was not begun before its job was skipped. It waits for job ${first.id}, which is canceled.`,
    );
    const third = farm.submit(framesPlan('1-30'), { id: 3 });
    farm.records(failed(third.id, 0, 'x'), failed(third.id, 1, 'x'), failed(third.id, 2, 'x'));
    assert.equal(
      why(farm, third.id, 9),
      'It was not begun before its job was given up. 3 of 30 tasks failed. Finishing it made no sense.',
    );
  });

  it('is that the plan has not come', () => {
    const farm = resting(BELEN);
    const record = jobRecord(framesPlan('1-3'));
    farm.records(record);
    assert.equal(why(farm, record.id, 0), "It waits for the job's plan, which isn't on this machine yet.");
  });

  it('is what it waits for: one task, or several and which is the first', () => {
    const farm = resting(BELEN);
    const { id } = farm.submit(chainedPlan());
    const frame = farm.core.plannedTask(id, 0)?.name;
    const proxy = farm.core.plannedTask(id, 2)?.name;
    assert.equal(why(farm, id, 2), `It waits for ${frame}.`);
    assert.equal(why(farm, id, 4), `It waits for 2 tasks, first ${proxy}.`);
    farm.records(resultOf(id, 0, BELEN), resultOf(id, 2, BELEN));
    assert.equal(why(farm, id, 4), `It waits for ${farm.core.plannedTask(id, 3)?.name}.`);
    assert.doesNotMatch(why(farm, id, 1) ?? '', /waits for/);
  });

  it('is who holds what it is made from and is away', () => {
    const farm = resting(BELEN, CARMEN);
    const { id } = farm.submit(chainedPlan());
    farm.records(resultOf(id, 0, SELF), resultOf(id, 1, BELEN, CARMEN));
    lose(farm, BELEN, CARMEN);
    assert.equal(
      why(farm, id, 3),
      `It waits for machine machine b or machine c, which holds ${farm.core.plannedTask(id, 1)?.name} and can't be reached.`,
    );
    assert.match(why(farm, id, 2) ?? '', /^No machine can run it now\./);
  });

  it('is that no machine can run it, and why not three of them', () => {
    const farm = resting(BELEN, CARMEN, DOLORES);
    const { id } = farm.submit(framesPlan('1-3'));
    const idleOnes = ['a', 'b', 'c'].map((name) => `machine ${name}: It takes no work now.`).join(' ');
    assert.equal(why(farm, id, 0), `No machine can run it now. ${idleOnes} And 1 more.`);
    const three = resting(BELEN, CARMEN);
    three.submit(framesPlan('1-3'));
    assert.equal(why(three, id, 0), `No machine can run it now. ${idleOnes}`);
  });

  it('is that all are at work, or where it failed and what it waits for', () => {
    const farm = leading(BELEN, CARMEN);
    for (const peer of [BELEN, CARMEN]) farm.claim(peer, { wants: 1, sequence: 2 });
    const { id } = farm.submit(framesPlan('1-3'));
    const [grant] = grantsTo(BELEN, farm.effects);
    assert.ok(grant);
    assert.equal(why(farm, id, 2), 'It is in the queue: all machines that can run it are at work.');
    farm.ended(BELEN, grant, 'failure');
    assert.equal(
      why(farm, id, grant.task),
      'It failed on machine b and waits for another machine: machine c.',
    );
    farm.claim(CARMEN, { wants: 0, sequence: 3 });
    assert.equal(
      why(farm, id, grant.task),
      'It failed and is tried again in 1 s; no other machine can run it.',
    );
    farm.advance(999);
    assert.match(why(farm, id, grant.task) ?? '', /again in 1 s/);
    farm.advance(1);
    assert.equal(why(farm, id, grant.task), 'It is in the queue: all machines that can run it are at work.');
  });

  it('R142: is that machines are free that were not granted it yet, by whom, or that nobody coordinates', () => {
    const dolores = { term: 5, peer: DOLORES };
    const farm = following(dolores, BELEN, CARMEN).work({ accepting: false });
    farm.claim(DOLORES, { wants: 0 });
    for (const peer of [BELEN, CARMEN]) farm.claim(peer, { wants: 2 });
    const job = learn(farm, framesPlan('1-3'), DOLORES);
    const first = grantOf(dolores, 1, job, 0);
    assert.equal(
      why(farm, job, 2),
      'It is in the queue: machine d, which coordinates the farm, has not granted it yet. Free to run it: machine b, machine c.',
    );
    farm.message(DOLORES, pulseOf(dolores, { sequence: 2, rows: [rowOf(BELEN, [first])] }));
    assert.equal(
      why(farm, job, 2),
      'It is in the queue: machine d, which coordinates the farm, has not granted it yet. Free to run it: machine c.',
    );
    const rows = [rowOf(BELEN, [first]), rowOf(CARMEN, [grantOf(dolores, 2, job, 1)])];
    farm.message(DOLORES, pulseOf(dolores, { sequence: 3, rows }));
    assert.equal(why(farm, job, 2), 'It is in the queue: all machines that can run it are at work.');
  });

  it('R142: names three of the machines that are free, and says that nobody coordinates', () => {
    const farm = meeting(BELEN, CARMEN, DOLORES);
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.claim(peer);
    const job = learn(farm, framesPlan('1-3'), DOLORES);
    assert.equal(
      why(farm, job, 2),
      'It is in the queue: no machine coordinates the farm now. Free to run it: machine a, machine b, machine c and 1 more.',
    );
  });

  it('is how long it waits after its second failure, and no longer that once it is tried anew', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { wants: 1, sequence: 2 });
    const record = farm.submit(framesPlan('1-2'));
    const { id } = record;
    const fail = (): void => {
      const grant = grantsTo(BELEN, farm.effects).findLast(({ task }) => task === 0);
      assert.ok(grant);
      farm.ended(BELEN, grant, 'failure');
    };
    fail();
    const [other] = grantsTo(BELEN, farm.effects).filter(({ task }) => task === 1);
    assert.ok(other);
    farm.ended(BELEN, other, 'result');
    farm.advance(1_000);
    fail();
    assert.equal(why(farm, id, 0), 'It failed and is tried again in 5 s; no other machine can run it.');
    farm.claim(BELEN, { wants: 0, sequence: 3 });
    farm.records(withRequest(record, 'retry', [0], 1));
    farm.submit(framesPlan('1'), { id: 2, priority: 99 });
    farm.claim(BELEN, { wants: 1, sequence: 4 });
    assert.equal(why(farm, id, 0), 'It is in the queue: all machines that can run it are at work.');
  });

  it('is also that its job is limited to other machines', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(CARMEN, { wants: 0, sequence: 2 });
    const record = farm.submit(framesPlan('1-9'));
    farm.records(withControl(record, 'machineLimit', 1));
    farm.claim(CARMEN, { wants: 2, sequence: 3 });
    farm.claim(BELEN, { wants: 0, sequence: 2 });
    assert.match(
      why(farm, record.id, 8) ?? '',
      /^No machine can run it now\. .* machine c: The job is limited to 1 machine, and that many are at work on it\.$/,
    );
  });

  it('says first that a result was there and is gone', () => {
    const farm = resting(BELEN);
    const { id } = farm.submit(framesPlan('1'));
    const gone = resultOf(id, 0, BELEN);
    const [[key, result] = []] = Object.entries(gone.results);
    assert.ok(key !== undefined && result !== undefined);
    assert.equal(key, attemptKey(result.attempt));
    const holders = { [BELEN]: { held: false, counter: 2 } };
    farm.records({ ...gone, results: { [key]: { ...result, holders } } });
    assert.match(
      why(farm, id, 0) ?? '',
      /^It was rendered, and every copy is damaged or gone, so it is rendered again\. No machine can run it now\./,
    );
  });
});

describe('why a machine is not rendering', () => {
  it('is none while it does', () => {
    const farm = resting(BELEN).work();
    farm.submit(framesPlan('1-3'));
    assert.equal(idle(farm, SELF), undefined);
  });

  it('is that it has no slots', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { slots: 0, wants: 1, sequence: 2 });
    assert.equal(idle(farm, BELEN), 'It has no slots.');
  });

  it('is that there is nothing to render, or nothing that it could take', () => {
    const farm = leading(BELEN);
    assert.equal(idle(farm, BELEN), 'There is nothing to render.');
    const waiting = jobRecord(framesPlan('1'), { id: 1 });
    farm.records(waiting);
    assert.equal(idle(farm, BELEN), "It waits for a job's plan, which isn't here yet.");
    farm.records(withDesired(waiting, 'paused'));
    assert.equal(idle(farm, BELEN), 'The jobs that are left are paused.');
    farm.records(withDesired(withDesired(waiting, 'paused'), 'canceled'));
    assert.equal(idle(farm, BELEN), 'There is nothing to render.');
    const { id } = farm.submit(framesPlan('1'), { id: 2 });
    const [grant] = grantsTo(BELEN, farm.effects);
    assert.equal(grant?.job, id);
    assert.equal(idle(farm, BELEN), undefined, 'it has the only task');
    farm.claim(CARMEN, { sequence: 1 });
    farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
    assert.equal(farm.core.job(id)?.counts.open, 1);
  });

  it('is that all is taken, of a job that is offered still and of one that is not', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(CARMEN, { wants: 0, sequence: 2 });
    farm.submit(framesPlan('1-2', FILM));
    const grants = grantsTo(BELEN, farm.effects);
    assert.equal(grants.length, 2);
    farm.claim(CARMEN, { wants: 2, sequence: 3 });
    assert.match(
      idle(farm, CARMEN) ?? '',
      /^(All tasks are taken or wait for others\.|Every task of the jobs is taken or waits for others\.)$/,
    );
  });

  it('is the first reason against a job, with its name, that it can take a task of', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(CARMEN, { wants: 0, sequence: 2 });
    const record = farm.submit(framesPlan('1-9'));
    const named = withControl(withControl(record, 'name', 'a film'), 'machineLimit', 1);
    farm.records(named);
    farm.claim(CARMEN, { wants: 2, sequence: 3 });
    assert.equal(
      idle(farm, CARMEN),
      'For the job a film: The job is limited to 1 machine, and that many are at work on it.',
    );
    farm.claim(CARMEN, { wants: 2, sequence: 4, can: capabilities({ engines: {} }) });
    farm.records(withControl(named, 'machineLimit', 2));
    assert.equal(idle(farm, CARMEN), 'For the job a film: It has no node.');
  });

  it('is nothing that stands against a group whose tasks wait, or have ended', () => {
    const farm = leading(BELEN, CARMEN);
    farm.claim(CARMEN, { wants: 0, sequence: 2 });
    farm.claim(BELEN, { wants: 1, sequence: 2, can: capabilities({ engines: { blender: '3.4.1' } }) });
    const plan = framesPlan('1-4', FILM);
    farm.submit(plan);
    const [grant] = grantsTo(BELEN, farm.effects) as [Grant];
    farm.claim(CARMEN, { wants: 2, sequence: 3, can: capabilities({ engines: { blender: '3.4.1' } }) });
    assert.ok(grantsTo(CARMEN, farm.effects).length > 0);
    farm.claim(DOLORES, { wants: 1 });
    assert.doesNotMatch(idle(farm, BELEN) ?? '', /ffmpeg/, 'the film waits anyway');
    assert.equal(grant.task, 0);
  });

  it('is none that concerns tasks which wait anyway', () => {
    const farm = leading(BELEN);
    const can = capabilities({ engines: { blender: '3.4.1' } });
    farm.claim(BELEN, { wants: 1, sequence: 2, can });
    farm.submit(framesPlan('1-2', FILM));
    for (const task of [0, 1]) {
      const grant = grantsTo(BELEN, farm.effects).at(-1);
      assert.equal(grant?.task, task);
      farm.ended(BELEN, grant, 'failure');
    }
    assert.equal(idle(farm, BELEN), 'All tasks are taken or wait for others.', 'and nothing of ffmpeg');
  });

  it('is none that concerns tasks which have ended', () => {
    const farm = leading(BELEN);
    const can = capabilities({ engines: { ffmpeg: '5.1' } });
    farm.claim(BELEN, { wants: 1, sequence: 2, can });
    const { id } = farm.submit(framesPlan('1-2', FILM));
    farm.records(resultOf(id, 0, SELF, BELEN), resultOf(id, 1, SELF, BELEN));
    const [film] = grantsTo(BELEN, farm.effects);
    assert.equal(film?.task, 2);
    farm.ended(BELEN, film, 'failure');
    assert.equal(idle(farm, BELEN), 'All tasks are taken or wait for others.', 'and nothing of Blender');
  });

  it('is why no job of the farm is open to one that is paused', () => {
    const farm = leading(BELEN);
    farm.records(nodeDesired(BELEN, 'paused'));
    assert.equal(idle(farm, BELEN), 'It is paused.');
  });
});
