import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AttemptId, Grant, Message } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import { Rests } from '../../../node/src/diary/rests.ts';
import { createDriver } from '../../../node/src/driver.ts';
import { SLOW_DISK } from '../../../node/src/store/disk-watch.ts';
import { createMemoryStore } from '../../../node/src/store/memory-store.ts';
import { createWatchedStore } from '../../../node/src/store/watched-store.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { BELEN, SELF, framesPlan, jobRecord } from '../core/farm.ts';
import { farmOf } from '../core/members.ts';
import { disguised } from '../disguised.ts';
import { quiet } from '../jobs/node-of-one.ts';
import { bareMachine } from './bare-machine.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A machine beside another one, wired as the daemon does, on a disk that writes at once or when it is told to. */
async function machineOfTwo() {
  const clock = new ManualClock();
  const plan = framesPlan('1-8');
  let hangs = false;
  let jobs = 1;
  let waiting: (() => void)[] = [];
  const wait = (): Promise<void> =>
    hangs ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve();
  const store = createWatchedStore(
    { clock, logger: quiet },
    disguised(createMemoryStore(), { write: wait, setLocal: wait }),
  );
  const claims: { wants: number; idleReason: string | undefined; how: string }[] = [];
  const granted: Grant[] = [];
  const stopped: AttemptId[] = [];
  const hear = (how: string, message: Message): void => {
    if (message.kind === 'claim') claims.push({ wants: message.wants, idleReason: message.idleReason, how });
  };
  const driver = createDriver({
    core: createCore({ self: SELF, name: 'here', term: 0, records: farmOf(BELEN) }),
    store,
    clock,
    logger: quiet,
    send: (_to, message) => hear('sent', message),
    gossip: (_topic, message) => hear('gossiped', message),
    publish: () => undefined,
    worker: { run: (grant) => granted.push(grant), stop: (attempt) => stopped.push(attempt) },
    readPlan: () => Promise.resolve(plan),
    onChanges: () => undefined,
    isDiskSlow: () => store.disk.isSlow,
    onBroken: (error) => {
      throw error;
    },
  });
  const rests = new Rests({ clock, queries: driver.queries });
  rests.begin([]);
  const machine = await bareMachine(clock, {
    slowDisk: () => store.disk.says(),
    onWorker: (worker) => {
      rests.worker(worker);
      driver.input({ kind: 'worker', ...worker });
    },
  });
  store.disk.onChange(() => machine.tell());
  await driver.start();
  driver.input({ kind: 'peer', peer: BELEN, state: 'reachable' });
  await machine.start();
  await machine.probed;
  const seconds = async (count: number): Promise<void> => {
    for (let tenth = 0; tenth < 10 * count; tenth++) {
      clock.advance(100);
      await turn();
    }
  };
  return {
    ...{ driver, machine, claims, granted, stopped, rests, plan, seconds },
    /** Has its disk hang at the next write, and something to write. */
    hang: () => {
      hangs = true;
      jobs++;
      void driver.merge([jobRecord(plan, { id: jobs })]).catch(() => undefined);
    },
    release: async () => {
      hangs = false;
      for (const resolve of waiting) resolve();
      waiting = [];
      await turn();
    },
    shown: () => driver.queries.nodes().find(({ peer }) => peer === SELF)?.live.idleReason,
    end: async () => {
      hangs = false;
      for (const resolve of waiting) resolve();
      await machine.stop();
      await driver.stop();
      await store.stop();
    },
  };
}

describe('R149: a machine whose disk takes seconds', () => {
  it('claims nothing while a write hangs and says why, also to others, and claims again when all is quick', async () => {
    const farm = await machineOfTwo();
    const { claims } = farm;
    await farm.seconds(5);
    assert.ok((claims.at(-1)?.wants ?? 0) > 0);
    claims.length = 0;
    farm.hang();
    await farm.seconds(9.9);
    assert.deepEqual(claims, []);
    await farm.seconds(0.1);
    // The write still hangs, and everything else that it says waits for that.
    assert.deepEqual(claims, [{ wants: 0, idleReason: SLOW_DISK, how: 'gossiped' }]);
    assert.equal(farm.shown(), SLOW_DISK);
    const { store } = await farm.machine.view();
    assert.deepEqual([store.accepting, store.reason], [false, SLOW_DISK], 'as doctor tells it');
    await farm.seconds(10);
    const event = { kind: 'rests', why: 'disk', sentence: SLOW_DISK };
    assert.deepEqual(
      farm.rests.news().map((entry) => entry.event),
      [event],
    );
    claims.length = 0;
    await farm.release();
    await farm.seconds(14.9);
    assert.deepEqual(claims, [], 'a disk that was slow just now is not taken for quick');
    assert.equal(farm.shown(), SLOW_DISK);
    await farm.seconds(0.2);
    assert.deepEqual(
      claims.map(({ wants, idleReason }) => [wants > 0, idleReason]),
      [[true, undefined]],
    );
    assert.notEqual(farm.shown(), SLOW_DISK);
    assert.equal((await farm.machine.view()).store.accepting, true);
    await farm.end();
  });

  it('claims on where each write takes a second', async () => {
    const farm = await machineOfTwo();
    await farm.seconds(5);
    farm.claims.length = 0;
    for (let i = 0; i < 20; i++) {
      farm.hang();
      await farm.seconds(1);
      await farm.release();
    }
    assert.deepEqual(farm.claims, []);
    assert.equal(farm.driver.queries.jobs().length, 20);
    await farm.end();
  });

  it('goes on with what runs', async () => {
    const farm = await machineOfTwo();
    await farm.seconds(5);
    assert.ok(farm.driver.queries.isCoordinator);
    await farm.driver.merge([jobRecord(farm.plan)]);
    await farm.seconds(1);
    assert.equal(farm.granted.length, 2);
    farm.hang();
    await farm.seconds(12);
    await farm.release();
    await farm.seconds(1);
    assert.equal(farm.shown(), undefined, 'it is at work');
    assert.equal(farm.stopped.length, 1, 'but for what it kept ahead');
    assert.equal(farm.granted.length, 2);
    await farm.end();
  });
});
