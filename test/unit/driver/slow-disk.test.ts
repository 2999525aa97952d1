import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Grant, Message } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { BELEN, CARMEN, capabilities, framesPlan, jobRecord, SELF } from '../core/farm.ts';
import { beaconOf, farmOf, held } from '../core/members.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;
const resultOf = (peer: string, { attempt, job, task, redo, retry }: Grant): Message => ({
  ...{ kind: 'result', job, task, redo, retry, attempt },
  outcome: {
    kind: 'result',
    result: {
      ...{ attempt, peer, state: 'rendered', holders: { [peer]: { held: true, counter: 1 } } },
      ...{ files: [], renderMs: 500, wallTime: 1 },
    },
  },
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A coordinator of two workers whose disk writes at once, or when it is told to. */
class SlowDisk {
  readonly clock = new ManualClock();
  readonly plan = framesPlan('1-8');
  /** Grants by the machine that was told of them, in the order in which they were said. */
  readonly granted = new Map<string, Grant[]>([BELEN, CARMEN].map((peer) => [peer, []]));
  /** Pulses that were said, by whom they went to or `all`, with the time. */
  readonly pulses: { to: string; at: number }[] = [];
  isSlow = false;
  release = (): void => undefined;
  readonly driver: Driver;

  constructor() {
    const write = (): Promise<void> =>
      this.isSlow ? new Promise((resolve) => (this.release = resolve)) : Promise.resolve();
    const note = (to: string, message: Message): void => {
      if (message.kind === 'pulse') this.pulses.push({ to, at: this.clock.now() });
      if (message.kind === 'grants') this.granted.get(to)?.push(...message.grants);
    };
    this.driver = createDriver({
      core: createCore({ self: SELF, name: 'here', term: 0, records: farmOf(BELEN, CARMEN) }),
      store: { write } as unknown as RecordStore,
      clock: this.clock,
      logger: quiet,
      send: note,
      gossip: (_topic, message) => note('all', message),
      publish: () => undefined,
      worker: { run: () => undefined, stop: () => undefined },
      readPlan: () => Promise.resolve(this.plan),
      onChanges: () => undefined,
      onBroken: (error) => {
        throw error;
      },
    });
  }

  say(from: string, message: Message): void {
    this.driver.input({ kind: 'message', from, message });
  }

  async seconds(count: number): Promise<void> {
    for (let half = 0; half < 2 * count; half++) {
      this.clock.advance(500);
      for (const [peer, grants] of half % 2 === 0 ? [] : this.granted) {
        const told = grants.map((grant, place) => held(grant, place === 0));
        this.say(peer, { ...beaconOf(peer, []), held: told });
      }
      await turn();
    }
  }

  async meet(): Promise<void> {
    await this.driver.start();
    for (const peer of this.granted.keys()) {
      this.driver.input({ kind: 'peer', peer, state: 'reachable' });
      const can = { capabilities: capabilities(), bundles: [] };
      this.say(peer, { kind: 'claim', peer, sequence: 1, wants: 2, slots: 1, ...can });
    }
  }

  tasks(): number[] {
    const all = [...this.granted.values()].flatMap((grants) => grants.map(({ task }) => task));
    return all.sort((a, b) => a - b);
  }

  endAll(): void {
    for (const [peer, grants] of this.granted)
      for (const grant of grants.splice(0)) this.say(peer, resultOf(peer, grant));
  }
}

describe('a coordinator whose disk takes seconds', () => {
  it('R122: gives no task to two machines', async () => {
    const farm = new SlowDisk();
    await farm.meet();
    await farm.seconds(4);
    assert.ok(farm.driver.queries.isCoordinator);
    await farm.driver.merge([jobRecord(farm.plan)]);
    assert.deepEqual(farm.tasks(), [0, 1, 2, 3]);
    await farm.seconds(1);
    farm.isSlow = true;
    farm.endAll();
    // What the places that are free now are given waits for the results to be durable.
    await farm.seconds(5);
    assert.deepEqual(farm.tasks(), []);
    farm.isSlow = false;
    farm.release();
    await turn();
    await farm.seconds(2);
    assert.deepEqual(farm.tasks(), [4, 5, 6, 7]);
    await farm.driver.stop();
  });

  it('R128: says its pulses meanwhile', async () => {
    const farm = new SlowDisk();
    await farm.meet();
    await farm.seconds(4);
    await farm.driver.merge([jobRecord(farm.plan)]);
    await farm.seconds(1);
    farm.isSlow = true;
    farm.endAll();
    farm.pulses.length = 0;
    await farm.seconds(6);
    for (const to of [BELEN, CARMEN, 'all'])
      assert.equal(farm.pulses.filter((said) => said.to === to).length, 12);
    farm.isSlow = false;
    farm.release();
    await turn();
    await farm.driver.stop();
  });

  it('R40, R128: says none before its term is durable', async () => {
    const farm = new SlowDisk();
    await farm.meet();
    farm.isSlow = true;
    await farm.seconds(8);
    assert.ok(farm.driver.queries.isCoordinator);
    assert.deepEqual(farm.pulses, []);
    farm.isSlow = false;
    farm.release();
    await turn();
    assert.ok(farm.pulses.length > 0);
    await farm.driver.stop();
  });
});
