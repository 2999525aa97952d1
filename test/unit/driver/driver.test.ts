import assert from 'node:assert/strict';
import { it } from 'node:test';
import { emptyTask, type KnownRecord, type Message } from '@cuadro/protocol';
import type { Core, CoreEffect, CoreInput } from '../../../node/src/core/interface.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import type { RecordStore, StoreBatch } from '../../../node/src/store/interface.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const JOB = 'abcdefghijklmnop';
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;

/** A store whose writes end when the test says so. */
class HeldStore {
  readonly batches: StoreBatch[] = [];
  readonly #held: { resolve(): void; reject(error: unknown): void }[] = [];

  write(batch: StoreBatch): Promise<void> {
    this.batches.push(batch);
    return new Promise((resolve, reject) => this.#held.push({ resolve, reject }));
  }

  async finish(error?: Error): Promise<void> {
    const write = this.#held.shift();
    if (error) write?.reject(error);
    else write?.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A core that answers each input as the test says. */
function harness(answer: (input: CoreInput) => CoreEffect[]) {
  const store = new HeldStore();
  const clock = new ManualClock();
  const told: string[] = [];
  let broken: unknown;
  const driver: Driver = createDriver({
    core: { self: 'self', step: answer } as unknown as Core,
    store: store as unknown as RecordStore,
    clock,
    logger: quiet,
    send: (to) => told.push(`send ${to}`),
    gossip: (topic) => told.push(`gossip ${topic}`),
    publish: (records) => told.push(`publish ${records.length}`),
    worker: { run: () => told.push('run'), stop: (_, reason) => told.push(`stop ${reason}`) },
    readPlan: () => Promise.resolve(undefined),
    onChanges: (changes) => told.push(`changed ${changes.jobs.join()}`),
    onMembersKnown: () => told.push('members known'),
    onBroken: (error) => {
      broken = error;
    },
  });
  return { store, clock, told, driver, broken: () => broken };
}

const persist = (...indices: number[]): CoreEffect => ({
  kind: 'persist',
  records: indices.map((index): KnownRecord => emptyTask(JOB, index)),
  removed: [],
});
const changed = (job: string): CoreEffect => ({
  kind: 'changed',
  changes: { jobs: [job], removed: [], tasks: [], nodes: [], farm: false },
});

it('carries out what follows a write only once the write is durable', async () => {
  const { store, told, driver } = harness((input) =>
    input.kind === 'start' ? [persist(0), changed('a')] : [],
  );
  const started = driver.start();
  assert.equal(store.batches.length, 1);
  assert.deepEqual(told, []);
  await store.finish();
  await started;
  assert.deepEqual(told, ['changed a']);
  await driver.stop();
});

it('R190: tells at once that what is known of members changed, and of the change once it is durable', async () => {
  const members = { ...changed('a'), changes: { jobs: [], removed: [], tasks: [], nodes: [], farm: true } };
  const { store, told, driver } = harness(({ kind }) => {
    if (kind === 'start') return [persist(0), { ...members, changes: { ...members.changes, members: true } }];
    return kind === 'wake' ? [persist(1), changed('a')] : [];
  });
  const started = driver.start();
  assert.deepEqual(told, ['members known'], 'the write has not ended');
  await store.finish();
  await started;
  assert.deepEqual(told, ['members known', 'changed ']);
  driver.input({ kind: 'wake' });
  assert.deepEqual(told, ['members known', 'changed '], 'of anything else nothing is told before');
  await store.finish();
  await driver.stop();
});

it('writes what arrives during a write together, and each record once', async () => {
  let next = 0;
  const { store, told, driver } = harness(() => [persist(0, next++), changed(String(next))]);
  const started = driver.start();
  driver.input({ kind: 'wake' });
  driver.input({ kind: 'wake' });
  const flushed = driver.flushed();
  assert.equal(store.batches.length, 1);
  await store.finish();
  assert.equal(store.batches.length, 2);
  assert.deepEqual(
    store.batches[1]?.put.map((record) => record.kind === 'task' && record.index),
    [0, 1, 2],
  );
  assert.deepEqual(told, ['changed 1']);
  await store.finish();
  await Promise.all([started, flushed]);
  assert.deepEqual(told, ['changed 1', 'changed 2', 'changed 3']);
  await driver.stop();
});

it('never promises anything again once a write failed', async () => {
  const { store, told, driver, broken } = harness(() => [persist(0), changed('a')]);
  const started = driver.start();
  const refused = assert.rejects(started, /disk/);
  await store.finish(new Error('disk'));
  await refused;
  await assert.rejects(driver.flushed());
  driver.input({ kind: 'wake' });
  assert.match(String(broken()), /disk/);
  assert.deepEqual(told, []);
});

it('wakes the core when it asked for it, and only for the latest time', async () => {
  const inputs: string[] = [];
  const { clock, driver } = harness((input) => {
    inputs.push(input.kind);
    if (input.kind === 'start') return [{ kind: 'wake-at', at: input.now + 50 }];
    return input.kind === 'load' ? [{ kind: 'wake-at', at: input.now + 500 }] : [];
  });
  await driver.start();
  driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  clock.advance(400);
  assert.deepEqual(inputs, ['start', 'load']);
  clock.advance(200);
  assert.deepEqual(inputs, ['start', 'load', 'wake']);
  await driver.stop();
});

it('R52, R198: tells the core that the node stood still before anything that is overdue as well', async () => {
  const inputs: string[] = [];
  const { clock, driver } = harness((input) => {
    inputs.push(input.kind === 'gap' ? `gap ${input.ms}` : input.kind);
    return input.kind === 'start' ? [{ kind: 'wake-at', at: input.now + 500 }] : [];
  });
  await driver.start();
  clock.advance(100);
  // The process stands still; when it goes on, the end of a frame is before the wake in its queue.
  const nowMs = clock.now();
  clock.now = () => nowMs + 10_000;
  driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  assert.deepEqual(inputs, ['start', 'gap 10100', 'load']);
});

it('R52: wakes the core while a slow disk writes, and tells it that the node stood still meanwhile', async () => {
  const inputs: string[] = [];
  const { store, clock, driver } = harness((input) => {
    inputs.push(input.kind === 'gap' ? `gap ${input.ms}` : input.kind);
    const wake: CoreEffect = { kind: 'wake-at', at: input.now + 500 };
    return input.kind === 'start' ? [persist(0), wake] : [wake];
  });
  const started = driver.start();
  clock.advance(500);
  assert.deepEqual(inputs, ['start', 'wake']);
  clock.stall(2_500);
  // The disk has ended as well: whatever waited for it comes before the timers.
  await store.finish();
  await started;
  driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  assert.deepEqual(inputs, ['start', 'wake', 'gap 2500', 'load']);
  await driver.stop();
});

it('R115: says no pulse after a standstill that waited for the disk to have its term before it', async () => {
  const pulse = { kind: 'pulse' } as Message;
  const say = (to: string): CoreEffect[] => [
    { kind: 'persist', records: [emptyTask(JOB, 0)], removed: [], term: 7 },
    { kind: 'send', to, message: pulse },
    { kind: 'gossip', topic: 'pulse', message: pulse },
    { kind: 'gossip', topic: 'claims', message: { kind: 'claim' } as Message },
    { kind: 'wake-at', at: clock.now() + 500 },
  ];
  const { store, clock, told, driver } = harness(({ kind }) => (kind === 'gap' ? [] : say(kind)));
  const started = driver.start();
  driver.input({ kind: 'wake' });
  clock.stall(3_000);
  driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  await store.finish();
  await store.finish();
  await started;
  assert.deepEqual(told, ['gossip claims', 'gossip claims', 'send load', 'gossip pulse', 'gossip claims']);
  await driver.stop();
});

it('R52: takes a time that had passed when the core asked for it for no gap in its own time', async () => {
  const inputs: string[] = [];
  const { clock, driver } = harness((input) => {
    inputs.push(input.kind);
    if (input.kind === 'load') return [{ kind: 'wake-at', at: input.now - 1_000_000 }];
    return input.kind === 'start' ? [{ kind: 'wake-at', at: input.now + 2_000_000 }] : [];
  });
  await driver.start();
  clock.advance(1_500_000);
  driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  clock.advance(1);
  assert.deepEqual(inputs, ['start', 'load', 'wake']);
  await driver.stop();
});

it('takes no input after its stop, and ends a write that is under way first', async () => {
  const { store, told, driver } = harness(() => [persist(0), changed('a')]);
  const started = driver.start();
  let stopped = false;
  const stopping = driver.stop().then(() => {
    stopped = true;
  });
  assert.equal(stopped, false);
  await store.finish();
  await Promise.all([started, stopping]);
  driver.input({ kind: 'wake' });
  assert.equal(store.batches.length, 1);
  assert.deepEqual(told, ['changed a']);
});

it('R52: hears that it stood still before what arrived meanwhile, whichever the system gives it first', async () => {
  const inputs: string[] = [];
  const { clock, driver } = harness((input) => {
    inputs.push(input.kind === 'gap' ? `gap ${input.ms}` : input.kind);
    return input.kind === 'start' ? [{ kind: 'wake-at', at: clock.now() + 500 }] : [];
  });
  await driver.start();
  // A message that comes in time, late by less than a gap, and after one, with the wake still to come.
  for (const passed of [499, 501, 30_000]) {
    clock.stall(passed);
    driver.input({ kind: 'root', root: '00'.repeat(16) });
  }
  assert.deepEqual(inputs, ['start', 'root', 'root', 'gap 30500', 'root']);
  clock.advance(50);
  assert.deepEqual(inputs.slice(5), ['wake'], 'once what arrived meanwhile was heard');
  await driver.stop();
});

it('R122: tells the core since when what it gave waits for a write, and nothing where nothing waits', async () => {
  const since: (number | undefined)[] = [];
  const { clock, store, driver } = harness(({ kind, unsaidSince }) => {
    since.push(unsaidSince);
    return kind === 'wake' ? [] : [persist(0), changed('a')];
  });
  const load = (): void => driver.input({ kind: 'load', load: 0, freeDiskBytes: 0 });
  const started = driver.start();
  const firstAt = clock.now();
  clock.advance(10);
  load();
  const secondAt = clock.now();
  clock.advance(10);
  load();
  await store.finish();
  clock.advance(10);
  driver.input({ kind: 'wake' });
  await store.finish();
  await started;
  driver.input({ kind: 'wake' });
  assert.deepEqual(since, [undefined, firstAt, firstAt, secondAt, undefined]);
  await driver.stop();
});
