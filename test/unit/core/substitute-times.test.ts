import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { leadingIdle, lose, pass, resultOf, withResults } from './away.ts';
import {
  BELEN,
  CARMEN,
  deleted,
  DOLORES,
  type Farm,
  framesPlan,
  jobRecord,
  SELF,
  stopsTo,
  withDesired,
} from './farm.ts';
import { leading } from './members.ts';

const FILM = { film: true } as const;

const back = (farm: Farm, peer: string): void => {
  farm.step({ kind: 'peer', peer, state: 'reachable' });
};

/** Tasks of which something is told that views show. */
const tasksTold = (effects: readonly CoreEffect[]): number[] =>
  effects.flatMap((effect) =>
    effect.kind === 'changed' ? effect.changes.tasks.flatMap(({ indices }) => indices) : [],
  );

describe('R59: the times of a result out of reach', () => {
  it('are a minute to the millisecond where one machine alone held it, where it is looked at just then', () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 59_000);
    farm.advance(999);
    assert.deepEqual(farm.heldIndices(), []);
    farm.advance(1);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('are looked at every 5 s, and at once where a machine is back', () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 58_000);
    lose(farm, CARMEN);
    back(farm, CARMEN);
    pass(farm, 4_000);
    farm.advance(999);
    assert.deepEqual(farm.heldIndices(), [], 'it was looked at a moment ago');
    farm.advance(1);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('are woken for, whatever else there is to wake for', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1'));
    lose(farm, BELEN);
    pass(farm, 12_000);
    farm.advance(123);
    farm.step({ kind: 'records', from: CARMEN, records: [resultOf(job, 0, BELEN)] });
    const wakes: number[] = [];
    const heardAt = farm.now;
    while (farm.now < heardAt + 5_000 && farm.wakeAt !== undefined) {
      wakes.push(farm.wakeAt);
      farm.advance(farm.wakeAt - farm.now);
    }
    assert.ok(wakes.includes(heardAt + 5_000), wakes.map((at) => at - heardAt).join());
  });

  it('count for all holders together: since the last of them went, and only once that is a while ago', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2'));
    lose(farm, BELEN);
    pass(farm, 30_000);
    lose(farm, CARMEN);
    pass(farm, 9_000);
    farm.step({ kind: 'records', from: DOLORES, records: [resultOf(job, 0, BELEN, CARMEN)] });
    assert.deepEqual(tasksTold(farm.advance(999)), [], 'nothing is out of reach for long enough');
    assert.deepEqual(tasksTold(farm.advance(1)), [0]);
  });

  it('begin anew for the next try where a substitute failed, to the millisecond', () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 60_000);
    farm.fail(farm.held()[0]?.grant.attempt as never);
    pass(farm, 59_000);
    farm.advance(999);
    assert.deepEqual(farm.heldIndices(), []);
    farm.advance(1);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('come to nothing while the job is paused', () => {
    const farm = leadingIdle();
    const record = farm.submit(framesPlan('1-2'));
    farm.records(withDesired(record, 'paused'));
    farm.step({ kind: 'records', from: CARMEN, records: [resultOf(record.id, 0, BELEN)] });
    farm.work();
    lose(farm, BELEN);
    pass(farm, 80_000);
    assert.deepEqual(farm.heldIndices(), []);
    farm.records(withDesired(withDesired(record, 'paused'), 'active'));
    assert.deepEqual(farm.heldIndices(), [0, 1]);
  });

  it('pass for nothing while this node doubts itself', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 59_000);
    farm.now += 100;
    farm.step({ kind: 'gap', ms: 100 });
    pass(farm, 30_000);
    assert.match(farm.core.task(job, 0)?.why ?? '', /It waits for that machine/);
    farm.work({ accepting: false });
    farm.beacon(CARMEN, []);
    farm.work();
    assert.deepEqual(farm.heldIndices(), [0]);
  });
});

describe('R59: what needs a result out of reach', () => {
  /** The first of two frames is held by two that are away; the film needs both. */
  function filmWaits(second: 'made' | 'open'): { farm: Farm; job: string } {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2', FILM));
    farm.step({
      kind: 'records',
      from: BELEN,
      records: [
        resultOf(job, 0, BELEN, CARMEN),
        ...(second === 'made' ? [resultOf(job, 1, SELF, CARMEN)] : []),
      ],
    });
    return { farm, job };
  }

  it('has a substitute 10 min after it came to need it, however often others are looked at', () => {
    const { farm, job } = filmWaits('open');
    const other = farm.submit(framesPlan('1'), { id: 2 });
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(other.id, 0, BELEN)] });
    lose(farm, BELEN, CARMEN);
    pass(farm, 100_000);
    pass(farm, 2_000);
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(job, 1, SELF, CARMEN)] });
    farm.advance(0);
    pass(farm, 590_000);
    farm.work();
    farm.finishAll();
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 15_000);
    assert.deepEqual(
      farm.held().map(({ grant }) => [grant.job, grant.task]),
      [[job, 0]],
    );
  });

  it('waits to the millisecond where it could run all that time', () => {
    const { farm } = filmWaits('made');
    lose(farm, BELEN, CARMEN);
    pass(farm, 10_000);
    farm.work();
    pass(farm, 599_000);
    farm.advance(999);
    assert.deepEqual(farm.heldIndices(), []);
    farm.advance(1);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('is looked at at once where it comes to be out of reach between two looks', () => {
    const farm = leadingIdle();
    const first = farm.submit(framesPlan('1'));
    const { id: job } = farm.submit(framesPlan('1-2', FILM), { id: 2 });
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(first.id, 0, BELEN)] });
    lose(farm, BELEN, CARMEN);
    pass(farm, 12_000);
    farm.step({
      kind: 'records',
      from: SELF,
      records: [resultOf(job, 0, BELEN, CARMEN), resultOf(job, 1, SELF, CARMEN)],
    });
    pass(farm, 599_000);
    farm.advance(999);
    farm.work();
    assert.deepEqual(
      farm.held().map(({ grant }) => grant.job),
      [first.id],
      'of which the only copy is out of reach for a minute',
    );
    farm.finishAll();
    farm.advance(1);
    assert.deepEqual(
      farm.held().map(({ grant }) => [grant.job, grant.task]),
      [[job, 0]],
    );
  });

  it('needs it only while everything else is there', () => {
    const { farm, job } = filmWaits('open');
    lose(farm, BELEN, CARMEN);
    pass(farm, 700_000);
    farm.work();
    assert.deepEqual(farm.heldIndices(), [1], 'the film waits for this, too');
    assert.equal(farm.core.taskState(job, 1), 'open');
    farm.finishAll();
    pass(farm, 595_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 10_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('needs nothing once it is made', () => {
    const { farm, job } = filmWaits('made');
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(job, 2, SELF)] });
    assert.equal(farm.core.job(job)?.state, 'done');
    lose(farm, BELEN, CARMEN);
    pass(farm, 700_000);
    farm.work();
    assert.deepEqual(farm.heldIndices(), []);
  });

  it('is nothing where no task is made from it, though others of its job are still to be made', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2'));
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(job, 0, BELEN, CARMEN)] });
    lose(farm, BELEN, CARMEN);
    pass(farm, 700_000);
    farm.work();
    assert.deepEqual(farm.heldIndices(), [1]);
  });

  it('is taken back where it has not begun, and goes on where it has', () => {
    for (const hasBegun of [false, true]) {
      const { farm } = filmWaits('made');
      farm.work();
      assert.deepEqual(farm.heldIndices(), [2]);
      const [film] = farm.held();
      assert.ok(film);
      const { attempt } = film.grant;
      if (hasBegun) farm.step({ kind: 'progress', attempt, fraction: 0.2 });
      lose(farm, BELEN, CARMEN);
      pass(farm, 9_000);
      assert.deepEqual(stopsTo(SELF, farm.advance(1_000)), hasBegun ? [] : [attempt]);
    }
  });
});

describe('R59: results out of reach', () => {
  it('are still waited for where another of the same job is back', () => {
    const farm = leading(BELEN, CARMEN, DOLORES);
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.claim(peer, { wants: 0, sequence: 2 });
    const { id: job } = farm.submit(framesPlan('1-3'));
    farm.step({
      kind: 'records',
      from: BELEN,
      records: [resultOf(job, 0, BELEN), resultOf(job, 1, DOLORES), resultOf(job, 2, SELF, CARMEN)],
    });
    lose(farm, BELEN, DOLORES);
    pass(farm, 20_000);
    back(farm, DOLORES);
    farm.work();
    pass(farm, 45_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('hold up what is made from them, and nothing that is made from others', () => {
    const farm = leadingIdle();
    const plan = framesPlan('1-2');
    const [group] = plan.groups;
    assert.ok(group);
    const one = [{ start: 1, end: 1, step: 1 }];
    const { id: job } = farm.submit({
      ...plan,
      groups: [
        { ...group, name: 'frame' },
        { ...group, name: 'comp' },
        { ...group, name: 'of frames', numbers: one, after: [{ group: 0, match: 'all' }] },
        { ...group, name: 'of comps', numbers: one, after: [{ group: 1, match: 'all' }] },
        { ...group, name: 'proxy', after: [{ group: 0, match: 'same' }] },
      ],
    });
    const here = [1, 2, 3].map((index) => resultOf(job, index, SELF));
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(job, 0, BELEN, CARMEN), ...here] });
    lose(farm, BELEN, CARMEN);
    pass(farm, 12_000);
    farm.work();
    assert.deepEqual(farm.finishAll(), [5, 7], 'what needs the first frame waits for it');
    assert.match(farm.core.task(job, 4)?.why ?? '', /waits for machine/);
    assert.match(farm.core.task(job, 6)?.why ?? '', /waits for machine/);
    back(farm, BELEN);
    assert.deepEqual(farm.finishAll(), [4, 6]);
  });

  it('hold up the film of a job also where its plan came after them', () => {
    const farm = leadingIdle();
    const plan = framesPlan('1-2', FILM);
    const record = jobRecord(plan);
    const results = [resultOf(record.id, 0, BELEN), resultOf(record.id, 1, SELF, CARMEN)];
    farm.step({ kind: 'records', from: BELEN, records: [record, ...results] });
    lose(farm, BELEN);
    pass(farm, 20_000);
    farm.step({ kind: 'plan', job: record.id, plan });
    farm.work();
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 45_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  for (const [state, change, isLookedAt] of [
    ['active', 'made', true],
    ['paused', 'paused', true],
    ['waiting', 'after', true],
    ['canceled', 'canceled', false],
    ['deleted', 'deleted', false],
  ] as const) {
    it(`are ${isLookedAt ? 'kept in mind' : 'forgotten'} of a job that is ${state}`, () => {
      const farm = leadingIdle();
      const first = farm.submit(framesPlan('1'), { id: 1 });
      const record = farm.submit(framesPlan('1-2', FILM), {
        id: 2,
        ...(change === 'after' && { after: [first.id] }),
      });
      const job = record.id;
      farm.step({
        kind: 'records',
        from: BELEN,
        records: [resultOf(job, 0, BELEN, CARMEN), resultOf(job, 1, SELF)],
      });
      if (change === 'paused' || change === 'canceled') farm.records(withDesired(record, change));
      if (change === 'deleted') farm.records(deleted(record));
      assert.equal(farm.core.job(job)?.state, state === 'deleted' ? undefined : state);
      lose(farm, BELEN, CARMEN);
      pass(farm, 9_000);
      assert.deepEqual(tasksTold(farm.advance(999)), []);
      assert.deepEqual(tasksTold(farm.advance(1)), isLookedAt ? [0] : []);
    });
  }
});
