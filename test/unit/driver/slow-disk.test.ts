import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Grant, Message } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import { createDriver } from '../../../node/src/driver.ts';
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

it('R122: a coordinator whose disk takes seconds gives no task to two machines', async () => {
  const clock = new ManualClock();
  const plan = framesPlan('1-8');
  /** Tasks by the machine that was granted them, in the order in which they were said. */
  const granted = new Map<string, Grant[]>([BELEN, CARMEN].map((peer) => [peer, []]));
  let isSlow = false;
  let release = (): void => undefined;
  const write = (): Promise<void> =>
    isSlow ? new Promise((resolve) => (release = resolve)) : Promise.resolve();
  const driver = createDriver({
    core: createCore({ self: SELF, name: 'here', term: 0, records: farmOf(BELEN, CARMEN) }),
    store: { write } as unknown as RecordStore,
    clock,
    logger: quiet,
    send: (to, message) => {
      if (message.kind === 'grants') granted.get(to)?.push(...message.grants);
    },
    gossip: () => undefined,
    publish: () => undefined,
    worker: { run: () => undefined, stop: () => undefined },
    readPlan: () => Promise.resolve(plan),
    onChanges: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
  const say = (from: string, message: Message): void => driver.input({ kind: 'message', from, message });
  const seconds = async (count: number): Promise<void> => {
    for (let second = 0; second < count; second++) {
      clock.advance(1_000);
      for (const [peer, grants] of granted) {
        say(peer, { ...beaconOf(peer, []), held: grants.map((grant, place) => held(grant, place === 0)) });
      }
      await turn();
    }
  };
  await driver.start();
  for (const peer of granted.keys()) {
    driver.input({ kind: 'peer', peer, state: 'reachable' });
    const can = { capabilities: capabilities(), bundles: [] };
    say(peer, { kind: 'claim', peer, sequence: 1, wants: 2, slots: 1, ...can });
  }
  await seconds(4);
  assert.ok(driver.queries.isCoordinator);
  await driver.merge([jobRecord(plan)]);
  const tasks = (): number[] =>
    [...granted.values()].flatMap((grants) => grants.map(({ task }) => task)).sort((a, b) => a - b);
  assert.deepEqual(tasks(), [0, 1, 2, 3]);
  await seconds(1);
  isSlow = true;
  for (const [peer, grants] of granted)
    for (const grant of grants.splice(0)) say(peer, resultOf(peer, grant));
  // What the places that are free now are given waits for the results to be durable.
  await seconds(5);
  assert.deepEqual(tasks(), []);
  isSlow = false;
  release();
  await turn();
  await seconds(2);
  assert.deepEqual(tasks(), [4, 5, 6, 7]);
  await driver.stop();
});
