import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Epoch, Grant, Message } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { defaultOptions } from '../../../node/src/core/options.ts';
import { Cluster } from './cluster.ts';
import {
  BELEN,
  capabilities,
  CARMEN,
  DOLORES,
  framesPlan,
  grantsTo,
  jobIdOf,
  SELF,
  stopsTo,
  withRequest,
  type Farm,
} from './farm.ts';
import { beaconOf, following, granted, grantOf, leading, learn, pulseOf, sentTo } from './members.ts';

const JOB = jobIdOf(1);
const BELENS: Epoch = { term: 5, peer: BELEN };
const CARMENS: Epoch = { term: 6, peer: CARMEN };

describe('a task that its machine still runs under an older grant', () => {
  /** Of three nodes the last alone takes work, on two places; the first leads. */
  function farmOfOneWorker(): Cluster {
    const farm = new Cluster(3).startAll();
    farm.taskMs = 20_000;
    for (const [place, node] of farm.nodes.entries()) {
      const accepting = place === 2;
      farm.input(node, { kind: 'worker', capabilities: capabilities(), slots: 2, bundles: [], accepting });
    }
    farm.until('all follow the first', () => farm.leader() === 0);
    farm.run(2_000);
    return farm;
  }

  it('R145: is granted once more at most by a coordinator that heard of it too late, and goes on', () => {
    const farm = farmOfOneWorker();
    // No pulse tells this grant, and over the slow link answers take longer than a new coordinator waits for them.
    const job = farm.submit(0, framesPlan('1-2'));
    farm.run(10);
    assert.deepEqual(farm.granted.splice(0), ['C 0', 'C 1']);
    const worker = farm.node(2);
    const begun = [...worker.running.keys()];
    farm.kill(0);
    farm.linkMs = 60;
    farm.stopMs = 3_000;
    farm.run(6_000);
    assert.equal(farm.leader(), 1);
    assert.deepEqual(farm.granted, ['C 0', 'C 1']);
    assert.deepEqual([...worker.running.keys()], begun);
    const { core } = farm.node(1);
    assert.deepEqual(
      core.taskViews(job, [0, 1]).map(({ live }) => live.running),
      [true, true],
    );
    farm.run(farm.taskMs * 2);
    assert.deepEqual(core.tasksWithResult(job), [0, 1]);
    assert.deepEqual(farm.granted, ['C 0', 'C 1']);
  });
});

const grantsOf = (epoch: Epoch, ...tasks: number[]): Message => ({
  kind: 'grants',
  epoch,
  grants: tasks.map((task) => grantOf(epoch, task + 1, JOB, task)),
});

describe('a worker that is granted what it has', () => {
  /** It has tasks 0 and 1 by Belén's grants, and has come to follow Carmen. */
  function worker(): Farm {
    const farm = following(BELENS, CARMEN);
    learn(farm, framesPlan('1-9'), BELEN);
    farm.message(BELEN, grantsOf(BELENS, 0, 1));
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.message(CARMEN, pulseOf(CARMENS));
    assert.deepEqual(farm.core.epoch, CARMENS);
    return farm;
  }

  const kinds = (effects: readonly CoreEffect[]) =>
    effects.flatMap((effect) => (effect.kind === 'send' ? effect.message.kind : []));

  it('R145: lists what it has and all else that it took before it gives it back, and tells nothing again', () => {
    const farm = worker();
    const effects = farm.message(CARMEN, grantsOf(CARMENS, 1, 0, 2));
    assert.deepEqual(farm.heldIndices(), [0, 1, 2]);
    assert.deepEqual(kinds(effects), ['beacon', 'result', 'result']);
    const [beacon] = sentTo(CARMEN, 'beacon', effects);
    assert.deepEqual(
      beacon?.held.map(({ task, attempt }) => [task, attempt.epoch]),
      [
        [0, BELENS],
        [1, BELENS],
        [2, CARMENS],
      ],
    );
    const results = sentTo(CARMEN, 'result', effects);
    assert.deepEqual(
      results.map(({ task, attempt, outcome }) => [task, attempt.epoch, outcome]),
      [1, 0].map((task) => [
        task,
        CARMENS,
        { kind: 'stopped', reason: 'The machine has this task already, by an older grant.' },
      ]),
    );
    assert.deepEqual(
      effects.filter(({ kind }) => kind === 'publish' || kind === 'persist'),
      [],
    );
  });

  it('R145: says no beacon for grants of anything else, nor for one that it knows', () => {
    const farm = worker();
    assert.deepEqual(kinds(farm.message(CARMEN, grantsOf(CARMENS, 2))), []);
    assert.deepEqual(kinds(farm.message(CARMEN, grantsOf(CARMENS, 2))), []);
  });

  it('R145: does the same where the job comes after both grants', () => {
    const farm = following(BELENS, CARMEN);
    farm.message(BELEN, grantsOf(BELENS, 0));
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.message(CARMEN, pulseOf(CARMENS));
    farm.message(CARMEN, grantsOf(CARMENS, 0));
    const from = farm.effects.length;
    learn(farm, framesPlan('1-9'), BELEN);
    const effects = farm.effects.slice(from);
    assert.deepEqual(
      farm.held().map(({ grant }) => grant.attempt.epoch),
      [BELENS],
    );
    assert.deepEqual(kinds(effects), ['beacon', 'result']);
  });

  it('R146: takes anew what it was told to stop, before that has ended', () => {
    const farm = worker();
    const { attempt } = grantOf(BELENS, 1, JOB, 0);
    const stop: Message = { kind: 'stop', epoch: CARMENS, attempts: [attempt], reason: 'x' };
    assert.deepEqual(stopsTo(SELF, farm.message(CARMEN, stop)), [attempt]);
    const effects = farm.message(CARMEN, grantsOf(CARMENS, 0));
    assert.deepEqual(granted(effects), [`${SELF} 0`]);
    assert.deepEqual(kinds(effects), []);
    assert.deepEqual(kinds(farm.stopped(attempt)), ['result']);
    assert.deepEqual(kinds(farm.message(CARMEN, grantsOf(CARMENS, 1))), ['beacon', 'result']);
  });
});

describe('a coordinator that granted a task to the machine that runs it', () => {
  /** Carmen was granted task 0, of a job of one task; Dolores takes no work. */
  function coordinator(): { farm: Farm; newer: Grant; older: Grant } {
    const farm = leading(CARMEN, DOLORES);
    farm.claim(DOLORES, { sequence: 2, wants: 0 });
    const from = farm.effects.length;
    const job = learn(farm, framesPlan('1'), CARMEN);
    const [newer] = grantsTo(CARMEN, farm.effects.slice(from));
    assert.ok(newer);
    return { farm, newer, older: grantOf({ term: 1, peer: BELEN }, 7, job, 0) };
  }

  it('R145: takes the new grant back, and holds the older one as the lease', () => {
    const { farm, newer, older } = coordinator();
    const effects = farm.message(CARMEN, beaconOf(CARMEN, [older]));
    assert.deepEqual(stopsTo(CARMEN, effects), [newer.attempt]);
    assert.deepEqual(granted([...effects, ...farm.ended(CARMEN, newer, 'stopped')]), []);
    assert.equal(farm.core.taskViews(older.job, [0])[0]?.live.fraction, 0.5);
    assert.deepEqual(granted(farm.ended(CARMEN, older, 'stopped')), [`${CARMEN} 0`]);
  });

  it('R145: stops the older one where the new one has begun', () => {
    const { farm, newer, older } = coordinator();
    farm.message(CARMEN, beaconOf(CARMEN, [newer]));
    assert.deepEqual(stopsTo(CARMEN, farm.message(CARMEN, beaconOf(CARMEN, [newer, older]))), [
      older.attempt,
    ]);
  });

  it('R145: stops it where it is of no use any more, or where another machine has the task', () => {
    const { farm, older } = coordinator();
    const record = farm.core.jobRecord(older.job);
    assert.ok(record);
    const redone = farm.records(withRequest(record, 'redo', [0], 1));
    assert.equal(grantsTo(CARMEN, redone).length, 1);
    assert.deepEqual(stopsTo(CARMEN, farm.message(CARMEN, beaconOf(CARMEN, [older]))), [older.attempt]);
    const other = coordinator();
    const effects = other.farm.message(DOLORES, beaconOf(DOLORES, [other.older]));
    assert.deepEqual(stopsTo(DOLORES, effects), [other.older.attempt]);
    assert.deepEqual(stopsTo(CARMEN, effects), []);
  });

  it('R146: says again to stop what a beacon still lists, since the word may be lost', () => {
    const { farm, newer: begun } = coordinator();
    farm.message(CARMEN, beaconOf(CARMEN, [begun]));
    const record = farm.core.jobRecord(begun.job);
    assert.ok(record);
    const redone = farm.records(withRequest(record, 'redo', [0], 1));
    const [anew] = grantsTo(CARMEN, redone);
    assert.ok(anew);
    const told = sentTo(CARMEN, 'stop', redone);
    assert.deepEqual(
      told.map(({ attempts }) => attempts),
      [[begun.attempt]],
    );
    for (const ms of [0, defaultOptions.beaconIntervalMs / 2 - 1]) {
      farm.advance(ms);
      assert.deepEqual(sentTo(CARMEN, 'stop', farm.message(CARMEN, beaconOf(CARMEN, [begun]))), []);
    }
    farm.advance(1);
    assert.deepEqual(sentTo(CARMEN, 'stop', farm.message(CARMEN, beaconOf(CARMEN, [begun]))), told);
    assert.deepEqual(sentTo(CARMEN, 'stop', farm.message(CARMEN, beaconOf(CARMEN, [begun]))), []);
    farm.advance(defaultOptions.beaconIntervalMs / 2);
    const heard = farm.message(CARMEN, beaconOf(CARMEN, [anew]));
    assert.deepEqual(sentTo(CARMEN, 'stop', heard), []);
  });
});
