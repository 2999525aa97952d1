import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, type Plan, type TaskRecord } from '@cuadro/protocol';
import { leadingIdle, lose, pass, resultOf, withoutCopy, withResults } from './away.ts';
import { Cluster } from './cluster.ts';
import { BELEN, CARMEN, DOLORES, framesPlan, SELF } from './farm.ts';
import { following, grantOf, leading, learn, memberOf, pulseOf } from './members.ts';

const FILM = { film: true } as const;

describe('R59: a result whose holders are out of reach', () => {
  it('is made again after a minute where one machine alone held it, also of a job that is done', () => {
    const { farm, job } = withResults(framesPlan('1-3'), [0, BELEN], [1, BELEN, CARMEN], [2, CARMEN]);
    assert.equal(farm.core.job(job)?.state, 'done');
    lose(farm, BELEN);
    pass(farm, 59_000);
    assert.deepEqual(farm.heldIndices(), []);
    assert.match(
      farm.core.task(job, 0)?.why ?? '',
      /machine b, which alone holds it, can't be reached.* waits/,
    );
    pass(farm, 7_000);
    assert.deepEqual(farm.heldIndices(), [0], 'and nothing else: the others are within reach');
    const [run] = farm.held();
    assert.equal(run?.grant.substitute, true);
    assert.match(farm.core.task(job, 0)?.why ?? '', /rendered again: it runs on/);
    farm.finishAll();
    assert.match(farm.core.task(job, 0)?.why ?? '', /stands in for it/);
    assert.equal(farm.core.task(job, 0)?.attempts.length, 2);
    assert.equal(farm.core.resultAtHand(job, 0)?.peer, SELF);
    pass(farm, 120_000);
    assert.deepEqual(farm.heldIndices(), []);
    farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    assert.equal(farm.core.resultAtHand(job, 0)?.peer, BELEN, 'the older one counts again');
  });

  it('is made again also where its holder goes long after the reign began', () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    pass(farm, 30_000);
    lose(farm, BELEN);
    pass(farm, 59_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 7_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it("counts its holder's absence without the time in which this node stood still", () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 5_000);
    farm.now += 100_000;
    farm.step({ kind: 'gap', ms: 100_000 });
    farm.beacon(CARMEN, []);
    pass(farm, 54_000);
    assert.deepEqual(farm.heldIndices(), []);
    farm.beacon(CARMEN, []);
    pass(farm, 7_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('counts the absence of one that it never met from the beginning of its own reign, without such a time', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { wants: 0, sequence: 2 });
    farm.records(memberOf(CARMEN));
    const { id } = farm.submit(framesPlan('1'));
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(id, 0, CARMEN)] });
    farm.work();
    pass(farm, 5_000);
    farm.now += 100_000;
    farm.step({ kind: 'gap', ms: 100_000 });
    farm.beacon(BELEN, []);
    pass(farm, 50_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 12_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('is not made again while its holder is only away for a moment', () => {
    const { farm } = withResults(framesPlan('1-2'), [0, BELEN], [1, BELEN]);
    for (let time = 0; time < 20; time++) {
      lose(farm, BELEN);
      pass(farm, 30_000);
      farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
      pass(farm, 1_000);
    }
    assert.equal(farm.held().length, 0);
  });

  it('is left alone where two hold it and nothing waits for it, however long they are away', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN, CARMEN], [1, SELF, CARMEN]);
    lose(farm, BELEN, CARMEN);
    pass(farm, 1_300_000);
    assert.deepEqual(farm.heldIndices(), []);
    assert.match(
      farm.core.task(job, 0)?.why ?? '',
      /machine b and machine c, which hold it, can't be reached/,
    );
  });

  it('is made again after a minute as well where it was done and one of the two gave up its copy', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN, CARMEN], [1, BELEN, CARMEN]);
    farm.step({
      kind: 'records',
      from: CARMEN,
      records: [withoutCopy(resultOf(job, 0, BELEN, CARMEN), CARMEN)],
    });
    lose(farm, BELEN, CARMEN);
    pass(farm, 59_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 7_000);
    assert.deepEqual(farm.heldIndices(), [0], 'and not what two hold');
    assert.equal(farm.core.taskState(job, 0), 'done', 'which goes on counting');
  });

  it('holds up a film for a minute only where one of the two that held a frame gave up its copy', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2', FILM));
    const records = [withoutCopy(resultOf(job, 0, BELEN, CARMEN), CARMEN), resultOf(job, 1, SELF, CARMEN)];
    farm.step({ kind: 'records', from: CARMEN, records });
    lose(farm, BELEN);
    pass(farm, 12_000);
    farm.work();
    assert.deepEqual(farm.heldIndices(), [], 'the film is not begun');
    pass(farm, 54_000);
    assert.deepEqual(farm.heldIndices(), [0]);
    farm.finish(farm.held()[0]?.grant.attempt as never);
    assert.deepEqual(farm.heldIndices(), [2], 'and the film is made');
  });

  it('is left alone where two hold another result of the task than the one that counts', () => {
    const farm = leading(BELEN, CARMEN, DOLORES);
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.claim(peer, { wants: 0, sequence: 2 });
    const { id: job } = farm.submit(framesPlan('1'));
    const older = withoutCopy(resultOf(job, 0, BELEN, CARMEN), CARMEN);
    const [other] = Object.values(resultOf(job, 0, CARMEN, DOLORES).results);
    assert.ok(other);
    const attempt = { ...other.attempt, sequence: 90 };
    const both = { ...older, results: { ...older.results, [attemptKey(attempt)]: { ...other, attempt } } };
    farm.step({ kind: 'records', from: CARMEN, records: [both] });
    farm.work();
    lose(farm, BELEN, CARMEN, DOLORES);
    pass(farm, 1_300_000);
    assert.deepEqual(farm.heldIndices(), []);
  });

  it('holds up what is made from it, which says so, and gets a substitute; then the film is made', () => {
    const farm = leadingIdle();
    const { id: job } = farm.submit(framesPlan('1-2', FILM));
    lose(farm, BELEN, CARMEN);
    pass(farm, 12_000);
    farm.step({
      kind: 'records',
      from: BELEN,
      records: [resultOf(job, 0, BELEN, CARMEN), resultOf(job, 1, SELF, CARMEN)],
    });
    farm.work();
    assert.deepEqual(farm.heldIndices(), [], 'the film is not begun');
    assert.match(farm.core.task(job, 2)?.why ?? '', /waits for machine .* which holds frame 1/);
    pass(farm, 599_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 12_000);
    assert.deepEqual(farm.heldIndices(), [0]);
    farm.finish(farm.held()[0]?.grant.attempt as never);
    assert.equal(farm.core.taskState(job, 0), 'done', 'what two hold goes on counting');
    assert.deepEqual(farm.heldIndices(), [2], 'and the film is made');
  });

  it('goes on being made again whatever else is told of the task', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 70_000);
    assert.deepEqual(farm.heldIndices(), [0]);
    const attempt = { epoch: { term: 0, peer: BELEN }, sequence: 90 };
    const told = resultOf(job, 0, BELEN);
    const [result] = Object.values(told.results);
    assert.ok(result);
    const more = { ...told, results: { ...told.results, [attemptKey(attempt)]: { ...result, attempt } } };
    const effects = farm.step({ kind: 'records', from: CARMEN, records: [more] });
    assert.deepEqual(
      effects.filter(({ kind }) => kind === 'stop-attempt'),
      [],
    );
  });

  it('goes on being made again at a member, which leaves it to the coordinator', () => {
    const epoch = { term: 5, peer: CARMEN };
    const farm = following(epoch, BELEN);
    const job = learn(farm, framesPlan('1-2'), BELEN);
    farm.step({ kind: 'records', from: BELEN, records: [resultOf(job, 0, BELEN)] });
    const grants = [{ ...grantOf(epoch, 1, job, 0), substitute: true as const }, grantOf(epoch, 2, job, 1)];
    farm.message(CARMEN, { kind: 'grants', epoch, grants });
    assert.deepEqual(farm.heldIndices(), [0, 1]);
    const stops = (...records: TaskRecord[]) =>
      farm
        .step({ kind: 'records', from: BELEN, records })
        .flatMap((effect) => (effect.kind === 'stop-attempt' ? effect.attempt.sequence : []));
    assert.deepEqual(stops(resultOf(job, 0, BELEN, CARMEN)), []);
    assert.deepEqual(stops(resultOf(job, 1, BELEN)), [2], 'any other is a loser');
  });

  it('gets a substitute as well where three held it and all are away', () => {
    const farm = leading(BELEN, CARMEN, DOLORES);
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.claim(peer, { wants: 0, sequence: 2 });
    const { id: job } = farm.submit(framesPlan('1-2', FILM));
    farm.step({
      kind: 'records',
      from: BELEN,
      records: [resultOf(job, 0, BELEN, CARMEN, DOLORES), resultOf(job, 1, SELF, CARMEN)],
    });
    lose(farm, BELEN, CARMEN, DOLORES);
    pass(farm, 12_000);
    farm.work();
    assert.deepEqual(farm.heldIndices(), [], 'the film waits');
    pass(farm, 612_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('takes back a substitute when a holder is back', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 70_000);
    const [run] = farm.held();
    assert.equal(run?.task.index, 0);
    const effects = farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
    assert.deepEqual(
      effects.flatMap((effect) => (effect.kind === 'stop-attempt' ? effect.attempt : [])),
      [run?.grant.attempt],
    );
    farm.stopped(run?.grant.attempt);
    pass(farm, 120_000);
    assert.deepEqual(farm.heldIndices(), []);
    assert.equal(farm.core.task(job, 0)?.failures, 0);
  });

  it('is tried again later where a substitute fails, which says nothing against the result', () => {
    const { farm, job } = withResults(framesPlan('1-2'), [0, BELEN], [1, SELF, CARMEN]);
    lose(farm, BELEN);
    pass(farm, 70_000);
    farm.fail(farm.held()[0]?.grant.attempt as never);
    assert.deepEqual([farm.core.taskState(job, 0), farm.core.task(job, 0)?.failures], ['rendered', 0]);
    pass(farm, 55_000);
    assert.deepEqual(farm.heldIndices(), []);
    pass(farm, 11_000);
    assert.deepEqual(farm.heldIndices(), [0]);
  });

  it('is granted to another machine as well, which runs it although its records show a result', () => {
    const cluster = new Cluster(3).startAll();
    cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
    const leader = cluster.leader() as number;
    const [away, other] = [(leader + 1) % 3, (leader + 2) % 3];
    const job = cluster.submit(leader, framesPlan('1-12'));
    const { core } = cluster.node(leader);
    cluster.until('all frames', () => core.job(job)?.state === 'done');
    cluster.kill(away);
    const peer = cluster.node(away).peer;
    const alone = Array.from({ length: 12 }, (_, index) => index).filter(
      (index) => core.resultAtHand(job, index)?.peer === peer,
    );
    assert.ok(alone.length > 1);
    const made = (): number[] =>
      alone.filter((index) => cluster.node(other).core.resultAtHand(job, index)?.peer !== peer);
    cluster.until('substitutes', () => made().length === alone.length, 120_000);
    assert.equal(core.job(job)?.live.running, 0);
    cluster.start(away);
    cluster.run(120_000);
    for (let index = 0; index < 12; index++) {
      assert.equal(core.task(job, index)?.attempts.length, alone.includes(index) ? 2 : 1);
    }
  });
});

describe('R140: what waited for a result out of reach', () => {
  const frames = framesPlan('1-2');
  const [group] = frames.groups;
  assert.ok(group);
  const proxy: typeof group = { ...group, name: 'proxy', after: [{ group: 0, match: 'same' }] };
  const withProxies: Plan = { ...frames, groups: [group, proxy] };

  for (const [what, plan] of [
    ['all of them', framesPlan('1-2', FILM)],
    ['the one of its number', withProxies],
  ] as const)
    it(`is granted in the next reign of this node as well, where it needs ${what}`, () => {
      const farm = leadingIdle();
      const { id: job } = farm.submit(plan);
      const records = [resultOf(job, 0, BELEN), resultOf(job, 1, SELF, CARMEN)];
      farm.step({ kind: 'records', from: CARMEN, records });
      lose(farm, BELEN, CARMEN);
      pass(farm, 12_000);
      farm.work();
      farm.finishAll();
      assert.match(farm.core.task(job, 2)?.why ?? '', /waits for machine .* which holds frame 1/);
      farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
      farm.message(CARMEN, pulseOf({ term: 90, peer: CARMEN }, { followers: 3 }));
      assert.equal(farm.core.isCoordinator, false, 'it yields to the one that more follow');
      farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
      farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
      assert.equal(farm.core.isCoordinator, true, 'and leads again once that one is gone');
      pass(farm, 1_000);
      assert.deepEqual(farm.heldIndices(), [2]);
    });
});
