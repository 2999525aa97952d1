import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Grant, Message } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { BELEN, capabilities, framesPlan, jobRecord, SELF } from '../core/farm.ts';
import { farmOf } from '../core/members.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;
const FRAMES = 8;
const plan = framesPlan(`1-${FRAMES}`);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A member of a farm of two, whose disk writes at once or when it is told to. */
class Member {
  readonly granted: Grant[] = [];
  readonly beacons: Extract<Message, { kind: 'beacon' }>[] = [];
  readonly driver: Driver;
  readonly peer: string;
  isSlow = false;
  release = (): void => undefined;

  constructor(peer: string, { clock, send }: { clock: ManualClock; send: (message: Message) => void }) {
    this.peer = peer;
    this.driver = createDriver({
      core: createCore({ self: peer, name: peer, term: 0, records: farmOf(BELEN) }),
      store: {
        write: () =>
          this.isSlow ? new Promise<void>((resolve) => (this.release = resolve)) : Promise.resolve(),
      } as unknown as RecordStore,
      clock,
      logger: quiet,
      send: (_to, message) => {
        if (message.kind === 'beacon') this.beacons.push(message);
        send(message);
      },
      gossip: (_topic, message) => send(message),
      publish: () => undefined,
      worker: { run: (grant) => this.granted.push(grant), stop: () => undefined },
      readPlan: () => Promise.resolve(plan),
      onChanges: () => undefined,
      onBroken: (error) => {
        throw error;
      },
    });
  }

  /** Ends what it was granted, up to so many. */
  end(count = Number.POSITIVE_INFINITY): void {
    for (const { attempt } of this.granted.splice(0, count))
      this.driver.input({
        kind: 'ended',
        attempt,
        outcome: { kind: 'result', files: [], renderMs: 500, wallTime: 1 },
      });
  }
}

/** A coordinator and its only worker, each with half of the job in hand. */
async function farmAtWork() {
  const clock = new ManualClock();
  const members: Member[] = [];
  const pass = (from: string, message: Message): void => {
    const other = members.find(({ peer }) => peer !== from);
    if (other !== undefined) queueMicrotask(() => other.driver.input({ kind: 'message', from, message }));
  };
  for (const peer of [SELF, BELEN])
    members.push(new Member(peer, { clock, send: (message) => pass(peer, message) }));
  for (const { driver, peer } of members) {
    await driver.start();
    const claim = { capabilities: capabilities(), slots: 1, bundles: [], accepting: true };
    driver.input({ kind: 'worker', ...claim });
    const other = members.find((member) => member.peer !== peer) as Member;
    driver.input({ kind: 'peer', peer: other.peer, state: 'reachable' });
  }
  const seconds = async (count: number): Promise<void> => {
    for (let tenth = 0; tenth < 10 * count; tenth++) {
      clock.advance(100);
      await turn();
    }
  };
  await seconds(5);
  const leader = members.find(({ driver }) => driver.queries.isCoordinator) as Member;
  const worker = members.find((member) => member !== leader) as Member;
  await leader.driver.merge([jobRecord(plan, { author: leader.peer })]);
  await worker.driver.deliver(leader.peer, [jobRecord(plan, { author: leader.peer })]);
  await seconds(2);
  return { leader, worker, seconds };
}

describe('R131: a worker whose disk takes seconds', () => {
  it('says its last beacon again, so that what it runs is not given to others', async () => {
    const { leader, worker, seconds } = await farmAtWork();
    const ends = worker.granted.length;
    assert.ok(ends > 0);
    const others = new Set<number>();
    worker.isSlow = true;
    worker.end(1);
    worker.beacons.length = 0;
    for (let second = 0; second < 20; second++) {
      for (const { task } of leader.granted) others.add(task);
      leader.end();
      await seconds(1);
    }
    assert.equal(others.size, FRAMES - ends, 'the coordinator made all but what the worker has');
    const sequences = new Set(worker.beacons.map(({ sequence }) => sequence));
    assert.equal(sequences.size, 1, 'nothing was said that waits for the disk');
    worker.isSlow = false;
    worker.release();
    await seconds(1);
    worker.end();
    await seconds(1);
    const [job] = leader.driver.queries.jobs();
    assert.equal(job?.counts.rendered, FRAMES, JSON.stringify(job?.counts));
    await Promise.all([leader.driver.stop(), worker.driver.stop()]);
  });

  it('falls silent where the disk writes nothing at all, and others go on without it', async () => {
    const { leader, worker, seconds } = await farmAtWork();
    const others = new Set<number>();
    worker.isSlow = true;
    worker.end(1);
    for (let second = 0; second < 40; second++) {
      for (const { task } of leader.granted) others.add(task);
      leader.end();
      await seconds(1);
    }
    assert.equal(others.size, FRAMES);
    worker.isSlow = false;
    worker.release();
    await seconds(1);
    await Promise.all([leader.driver.stop(), worker.driver.stop()]);
  });
});
