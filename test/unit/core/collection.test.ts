import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Epoch } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { Cluster } from './cluster.ts';
import { BELEN, CARMEN, DOLORES, framesPlan, jobRecord, stopsTo, type Farm } from './farm.ts';
import { beaconOf, following, granted, grantOf, held, learn, pulseOf, rowOf, sentTo } from './members.ts';

const BELENS: Epoch = { term: 5, peer: BELEN };

/**
 * This machine follows Belén as her first successor; Carmen and Dolores have claimed a place each. The job has six
 * tasks, and Belén's rows tell which of them they hold.
 */
function successor(rows: Record<string, number[]> = {}): { farm: Farm; job: string } {
  const farm = following(BELENS, CARMEN, DOLORES).work({ accepting: false });
  const job = learn(farm, framesPlan('1-6'), BELEN);
  for (const peer of [CARMEN, DOLORES]) farm.claim(peer);
  const told = Object.entries(rows).map(([peer, tasks]) =>
    rowOf(
      peer,
      tasks.map((task) => grantOf(BELENS, task + 1, job, task)),
    ),
  );
  farm.message(BELEN, pulseOf(BELENS, { sequence: 2, rows: told }));
  return { farm, job };
}

/** Belén's node is killed: the connection is cut, and nobody listens there any more. */
function lose(farm: Farm): CoreEffect[] {
  const effects = [
    ...farm.step({ kind: 'peer', peer: BELEN, state: 'lost' }),
    ...farm.step({ kind: 'peer', peer: BELEN, state: 'refused' }),
  ];
  assert.ok(farm.core.isCoordinator);
  return effects;
}

/** A member's beacon: it runs the first of these tasks and keeps the others ahead. */
function answer(farm: Farm, peer: string, job: string, tasks: number[]): CoreEffect[] {
  const [first, ...ahead] = tasks.map((task) => grantOf(BELENS, task + 1, job, task));
  return farm.message(peer, beaconOf(peer, first === undefined ? [] : [first], ahead));
}

/** A member's beacon: it runs the first of these tasks, and keeps the others ahead. */
const listing = (job: string, first: number, ...others: number[]) =>
  beaconOf(
    DOLORES,
    [grantOf(BELENS, first + 1, job, first)],
    others.map((task) => grantOf(BELENS, task + 1, job, task)),
  );

describe('a new coordinator', () => {
  it('R43: asks all members directly and at once what they hold', () => {
    const { farm } = successor();
    const effects = lose(farm);
    const epoch = farm.core.epoch;
    for (const peer of [CARMEN, DOLORES]) {
      assert.deepEqual(sentTo(peer, 'collect', effects), [{ kind: 'collect', epoch }]);
    }
    assert.deepEqual(sentTo(BELEN, 'collect', effects), [], 'who is gone is not waited for');
  });

  it('R43: grants nothing before all that are reachable have answered, and then at once', () => {
    const { farm, job } = successor();
    assert.deepEqual(granted(lose(farm)), []);
    assert.deepEqual(granted(answer(farm, CARMEN, job, [])), []);
    assert.deepEqual(granted(answer(farm, DOLORES, job, [])), [
      `${CARMEN} 0`,
      `${CARMEN} 2`,
      `${DOLORES} 1`,
      `${DOLORES} 3`,
    ]);
  });

  it('tells when it could grant, also where no machine has room for a grant', () => {
    const { farm, job } = successor();
    const reign = () => farm.core.farm().coordinators.at(-1);
    lose(farm);
    farm.step({ kind: 'wake', wallTime: 7_000 });
    answer(farm, CARMEN, job, [0, 1]);
    assert.equal(reign()?.collectedAt, undefined);
    farm.step({ kind: 'wake', wallTime: 7_040 });
    answer(farm, DOLORES, job, [2, 3]);
    assert.equal(reign()?.collectedAt, 7_040);
    assert.equal(reign()?.firstGrantAt, undefined);
  });

  it('R43: grants after 100 ms what nobody is known to hold, whoever has not answered', () => {
    const { farm } = successor({ [DOLORES]: [0, 1] });
    lose(farm);
    assert.equal(farm.wakeAt, farm.now + 100);
    assert.deepEqual(granted(farm.advance(99)), []);
    assert.deepEqual(granted(farm.advance(1)), [`${CARMEN} 2`, `${CARMEN} 3`]);
  });

  it('R43: does not wait for a member whose connection is cut meanwhile', () => {
    const { farm, job } = successor();
    lose(farm);
    answer(farm, CARMEN, job, []);
    const effects = farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 1`]);
  });

  it('R118: asks a member again that is met again meanwhile, and waits for it until the 100 ms are over', () => {
    const { farm, job } = successor();
    lose(farm);
    farm.advance(40);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    const met = farm.step({ kind: 'peer', peer: DOLORES, state: 'reachable' });
    assert.deepEqual(sentTo(DOLORES, 'collect', met), [{ kind: 'collect', epoch: farm.core.epoch }]);
    farm.claim(DOLORES, { sequence: 2 });
    assert.deepEqual(granted(answer(farm, CARMEN, job, [])), []);
    assert.deepEqual(granted(farm.advance(59)), []);
    assert.deepEqual(granted(farm.advance(1)), [
      `${CARMEN} 0`,
      `${CARMEN} 2`,
      `${DOLORES} 1`,
      `${DOLORES} 3`,
    ]);
  });

  it('R118: goes on waiting for the others where one that is met again answers first', () => {
    const { farm, job } = successor();
    lose(farm);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    farm.step({ kind: 'peer', peer: DOLORES, state: 'reachable' });
    farm.claim(DOLORES, { sequence: 2 });
    assert.deepEqual(granted(answer(farm, DOLORES, job, [])), []);
    assert.notDeepEqual(granted(answer(farm, CARMEN, job, [0, 1])), []);
  });

  it('R118: asks also who is met again when all others have answered, and nobody any more after 100 ms', () => {
    const { farm, job } = successor();
    lose(farm);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    assert.deepEqual(granted(answer(farm, CARMEN, job, [0, 1])), []);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'reachable' });
    assert.deepEqual(granted(farm.claim(DOLORES, { sequence: 2 })), []);
    assert.deepEqual(granted(answer(farm, DOLORES, job, [])), [`${DOLORES} 2`, `${DOLORES} 3`]);
    farm.advance(100);
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    const met = farm.step({ kind: 'peer', peer: DOLORES, state: 'reachable' });
    assert.deepEqual(sentTo(DOLORES, 'collect', met), []);
  });

  for (const [what, runs] of [
    ['lets go on what a machine runs that took no more work before', true],
    ['stops, and grants elsewhere, what only waits at such a machine', false],
  ] as const) {
    it(`R114: ${what}`, () => {
      const { farm, job } = successor();
      const [five, none] = [grantOf(BELENS, 6, job, 5), grantOf(BELENS, 1, job, 0)];
      const row = { ...rowOf(DOLORES, []), held: [held(five), held(none, false)] };
      farm.message(BELEN, pulseOf(BELENS, { sequence: 3, rows: [row] }));
      // Its disk is full: what it kept ahead is taken back, which only its coordinator tells it.
      farm.claim(DOLORES, { wants: 0, sequence: 2 });
      lose(farm);
      const effects = [
        ...answer(farm, CARMEN, job, []),
        ...farm.message(DOLORES, runs ? listing(job, 0) : listing(job, 5, 0)),
      ];
      assert.deepEqual(
        granted(effects),
        runs ? [`${CARMEN} 1`, `${CARMEN} 2`] : [`${CARMEN} 0`, `${CARMEN} 1`],
      );
      assert.deepEqual(stopsTo(DOLORES, effects), runs ? [] : [grantOf(BELENS, 1, job, 0).attempt]);
    });
  }

  it('R43: takes what members list for its leases, known of before or not', () => {
    const { farm, job } = successor({ [CARMEN]: [0] });
    lose(farm);
    answer(farm, CARMEN, job, [0, 1]);
    assert.deepEqual(granted(answer(farm, DOLORES, job, [2, 3])), [], 'all places are taken');
    const { epoch, sequence } = grantOf(BELENS, 3, job, 2).attempt;
    // Ended like its own: the place is free, and the next task goes there.
    const effects = farm.ended(DOLORES, { ...grantOf(epoch, sequence, job, 2) }, 'result');
    assert.deepEqual(granted(effects), [`${DOLORES} 4`]);
    // And lost like its own.
    farm.advance(4_000);
    const failures = farm.core.tasks(job, { offset: 0, limit: 9 }).tasks.map((task) => task.failures);
    assert.deepEqual(failures, [1, 0, 0, 1, 0, 0]);
  });

  it('R110: takes what members listed of a job for their leases as soon as its plan is there', () => {
    const farm = following(BELENS, CARMEN, DOLORES).work({ accepting: false });
    const plan = framesPlan('1-6');
    const record = jobRecord(plan, { author: BELEN });
    const job = record.id;
    for (const peer of [CARMEN, DOLORES]) farm.claim(peer);
    lose(farm);
    // Dolores holds two tasks, one of which ends before this machine knows of the job.
    answer(farm, CARMEN, job, []);
    answer(farm, DOLORES, job, [0, 1]);
    farm.ended(DOLORES, { ...grantOf(BELENS, 1, job, 0) }, 'stopped');
    farm.step({ kind: 'records', from: BELEN, records: [record] });
    const effects = farm.step({ kind: 'plan', job, plan });
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 2`, `${DOLORES} 3`], 'all but task 1');
  });

  it('R43: has a task with a known grant wait for the end of its lease where its holder does not answer', () => {
    const { farm, job } = successor({ [DOLORES]: [0] });
    // Belén's rows come in turn: the last word of Dolores may be old, which is not her fault.
    for (let sequence = 3; sequence < 11; sequence++) {
      farm.advance(1_000);
      farm.message(BELEN, pulseOf(BELENS, { sequence }));
    }
    lose(farm);
    answer(farm, CARMEN, job, []);
    farm.advance(100);
    for (const ms of [1_900, 1_900]) {
      farm.advance(ms);
      answer(farm, CARMEN, job, []);
    }
    assert.equal(
      farm.core.task(job, 0)?.attempts.some(({ state }) => state === 'lost'),
      false,
    );
    farm.advance(100);
    assert.equal(
      farm.core.task(job, 0)?.attempts.some(({ state }) => state === 'lost'),
      true,
    );
  });

  it('R52: counts answers that were held up and come together as one', () => {
    const { farm, job } = successor();
    lose(farm);
    assert.deepEqual(granted(farm.advance(100)), [
      `${CARMEN} 0`,
      `${CARMEN} 2`,
      `${DOLORES} 1`,
      `${DOLORES} 3`,
    ]);
    // Sent before the grant arrived there, the first ones while Carmen still followed another.
    const other: Epoch = { term: 5, peer: DOLORES };
    for (const follows of [other, other, farm.core.epoch as Epoch])
      assert.deepEqual(granted(farm.message(CARMEN, { ...beaconOf(CARMEN, []), follows })), []);
    farm.advance(1_000);
    assert.ok(granted(answer(farm, CARMEN, job, [])).includes(`${CARMEN} 0`), 'the next one frees it');
  });

  it('R111: writes no lost attempt of a member that answered and stays with another coordinator', () => {
    const { farm, job } = successor();
    lose(farm);
    const other: Epoch = { term: 5, peer: BELEN };
    answer(farm, CARMEN, job, []);
    farm.message(DOLORES, { ...beaconOf(DOLORES, [grantOf(BELENS, 1, job, 0)]), follows: other });
    farm.advance(3_000);
    const before = answer(farm, CARMEN, job, []);
    assert.ok(!granted(before).includes(`${CARMEN} 0`), 'its lease lasts');
    const after = [...farm.advance(1_000), ...answer(farm, CARMEN, job, [])];
    assert.ok(granted(after).includes(`${CARMEN} 0`), 'and has ended');
    assert.equal(farm.core.task(job, 0)?.failures, 0);
  });

  it('R111: writes none of a member that may have followed another coordinator, which was heard since the member was', () => {
    // In one millisecond nobody knows which came first.
    for (const heardAfterMs of [2_000, 0, undefined]) {
      const { farm, job } = successor();
      lose(farm);
      answer(farm, CARMEN, job, []);
      answer(farm, DOLORES, job, [0]);
      farm.advance(heardAfterMs ?? 2_000);
      if (heardAfterMs !== undefined)
        farm.message(BELEN, pulseOf({ term: 4, peer: BELEN }, { sequence: 90, followers: 1 }));
      farm.advance(3_000 - (heardAfterMs ?? 2_000));
      answer(farm, CARMEN, job, []);
      farm.advance(1_000);
      assert.equal(farm.core.task(job, 0)?.failures, heardAfterMs === undefined ? 1 : 0);
    }
  });

  it("R43: frees at the holder's answer what the answer leaves out", () => {
    const { farm, job } = successor({ [CARMEN]: [0, 1] });
    lose(farm);
    answer(farm, DOLORES, job, []);
    // Task 0 has ended or never arrived: it is nobody's.
    const effects = answer(farm, CARMEN, job, [1]);
    assert.ok(granted(effects).includes(`${CARMEN} 0`) || granted(effects).includes(`${DOLORES} 0`));
    assert.equal(farm.core.task(job, 0)?.failures, 0);
  });

  it('R43: lets one of two that hold a task go on, and stops the other', () => {
    const { farm, job } = successor();
    lose(farm);
    answer(farm, CARMEN, job, [0]);
    const second = { ...grantOf({ term: 4, peer: DOLORES }, 9, job, 0) };
    const effects = farm.message(DOLORES, beaconOf(DOLORES, [second]));
    assert.deepEqual(stopsTo(DOLORES, effects), [second.attempt]);
    assert.deepEqual(stopsTo(CARMEN, effects), []);
  });

  it('R43: grants nothing to whom only the coordinator before reached', () => {
    const { farm, job } = successor();
    farm.step({ kind: 'peer', peer: DOLORES, state: 'lost' });
    farm.message(BELEN, pulseOf(BELENS, { sequence: 3, rows: [rowOf(DOLORES, [])] }));
    lose(farm);
    assert.deepEqual(granted(answer(farm, CARMEN, job, [])), [`${CARMEN} 0`, `${CARMEN} 1`]);
  });
});

describe('a member', () => {
  it('R43: answers with its claim and what it holds, and tells again how its attempts ended', () => {
    const farm = following(BELENS, CARMEN);
    const job = learn(farm, framesPlan('1-6'), BELEN);
    const grants = [0, 1, 2].map((task) => grantOf(BELENS, task + 1, job, task));
    farm.message(BELEN, { kind: 'grants', epoch: BELENS, grants });
    const [first, second, third] = grants;
    assert.ok(first && second && third);
    farm.finish(first.attempt);
    farm.fail(second.attempt);
    // The word of these ends may have reached Belén alone.
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    const epoch = { term: 6, peer: CARMEN };
    const effects = farm.message(CARMEN, { kind: 'collect', epoch });
    assert.equal(sentTo(CARMEN, 'claim', effects).length, 1);
    const ends = sentTo(CARMEN, 'result', effects).map(({ attempt, outcome }) => [
      attempt.sequence,
      outcome.kind,
    ]);
    assert.deepEqual(ends, [
      [1, 'result'],
      [2, 'failure'],
    ]);
    const [beacon] = sentTo(CARMEN, 'beacon', effects);
    assert.deepEqual(
      beacon?.held.map(({ attempt }) => attempt),
      [third.attempt],
    );
    assert.deepEqual(farm.core.epoch, epoch, 'and follows it, since its own is lost');
  });

  it('R124: tells of no end again that is more than a minute old', () => {
    const farm = following(BELENS, CARMEN);
    const job = learn(farm, framesPlan('1-6'), BELEN);
    const grants = [0, 1].map((task) => grantOf(BELENS, task + 1, job, task));
    farm.message(BELEN, { kind: 'grants', epoch: BELENS, grants });
    const [first, second] = grants;
    assert.ok(first && second);
    farm.finish(first.attempt);
    farm.now += 1;
    farm.finish(second.attempt);
    const told = (): number[] => {
      const effects = farm.message(CARMEN, { kind: 'collect', epoch: { term: 4, peer: CARMEN } });
      return sentTo(CARMEN, 'result', effects).map(({ attempt }) => attempt.sequence);
    };
    farm.now += 59_999;
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2 }));
    assert.deepEqual(told(), [1, 2]);
    farm.now += 1;
    assert.deepEqual(told(), [2]);
  });

  it('R43: answers also one that it does not follow, and goes on to follow its own', () => {
    const farm = following(BELENS, CARMEN);
    const effects = farm.message(CARMEN, { kind: 'collect', epoch: { term: 9, peer: CARMEN } });
    assert.equal(sentTo(CARMEN, 'beacon', effects).length, 1);
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('R43: does not answer who asks in the name of another', () => {
    const farm = following(BELENS, CARMEN);
    const effects = farm.message(CARMEN, { kind: 'collect', epoch: { term: 9, peer: DOLORES } });
    assert.deepEqual(sentTo(CARMEN, 'beacon', effects), []);
    assert.deepEqual(farm.core.ignored(), { 'foreign-sender': 1 });
  });
});

describe('a farm', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`R43: runs no task twice when its coordinator is killed amid the work (seed ${seed})`, () => {
      const cluster = new Cluster(5, { seed }).startAll();
      cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
      cluster.taskMs = 3_000;
      cluster.run(5_000);
      const job = cluster.submit(1, framesPlan('1-60'));
      cluster.run(4_000 + seed * 333);
      const before = cluster.leader() as number;
      const onDead = new Set(cluster.node(before).running.keys());
      assert.ok(onDead.size > 0);
      cluster.kill(before);
      for (let step = 0; step < 200; step++) {
        cluster.run(5);
        // Which tasks the living run or keep ahead: each at most once.
        const tasks = cluster.nodes
          .filter(({ alive }) => alive)
          .flatMap(({ core, peer }) =>
            core
              .nodes()
              .flatMap((node) => (node.peer === peer ? node.live.running.map(({ task }) => task) : [])),
          );
        assert.equal(new Set(tasks).size, tasks.length, `at ${step * 5} ms: ${tasks.join(' ')}`);
      }
      const other = cluster.nodes.findIndex(({ alive }) => alive);
      cluster.until('all frames', () => cluster.node(other).core.job(job)?.counts.rendered === 60);
    });
  }
});
