import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { runInThisContext } from 'node:vm';
import { createMemoryKeeper, createMemoryProbe, type MemoryProbe } from '../../../node/src/system/memory.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const MB = 1_000_000;

interface Readings {
  busy: number;
  waiting: number;
  youngMB: number;
  idleMB: number;
  usedMB: number;
}

async function keeperOn(readings: Readings): Promise<{
  clock: ManualClock;
  collections: number[];
  stop: () => Promise<void>;
}> {
  const clock = new ManualClock();
  const collections: number[] = [];
  const probe: MemoryProbe = {
    busyShare: () => readings.busy,
    waitingShare: () => readings.waiting,
    youngBytes: () => readings.youngMB * MB,
    idleBytes: () => readings.idleMB * MB,
    usedBytes: () => readings.usedMB * MB,
    collect: () => void collections.push(clock.now()),
  };
  const keeper = createMemoryKeeper({ clock }, { probe });
  await keeper.start();
  await keeper.start();
  return { clock, collections, stop: () => keeper.stop() };
}

describe('the memory keeper', () => {
  const quiet: Readings = { busy: 0.01, waiting: 0, youngMB: 20, idleMB: 5, usedMB: 30 };

  it('collects once the loop is quiet, and then at most once a minute', async () => {
    const readings = { ...quiet, busy: 0.5 };
    const { clock, collections } = await keeperOn(readings);
    clock.advance(5_000);
    assert.deepEqual(collections, []);
    readings.busy = 0.01;
    clock.advance(70_000);
    assert.deepEqual(collections, [6_000, 66_000]);
  });

  for (const [what, readings] of [
    ['a young generation that has grown', quiet],
    ['pages that V8 emptied and kept', { ...quiet, youngMB: 1, idleMB: 100 }],
    ['what a start with 100,000 tasks left', { ...quiet, usedMB: 160 }],
  ] as const) {
    it(`gives back ${what}`, async () => {
      const { clock, collections } = await keeperOn(readings);
      clock.advance(5_000);
      assert.deepEqual(collections, [1_000]);
    });
  }

  for (const [why, readings] of [
    ['others want all cores, and a collection would take seconds', { ...quiet, waiting: 0.6 }],
    ['there is little to gain', { ...quiet, youngMB: 3 }],
    ['the heap is so large that the loop would stand still', { ...quiet, usedMB: 300 }],
  ] as const) {
    it(`leaves the memory alone where ${why}`, async () => {
      const { clock, collections } = await keeperOn(readings);
      clock.advance(200_000);
      assert.deepEqual(collections, []);
    });
  }

  it('looks no more once it is stopped', async () => {
    const { clock, collections, stop } = await keeperOn(quiet);
    await stop();
    clock.advance(10_000);
    assert.deepEqual(collections, []);
  });

  it('really shrinks the young generation of this very process', () => {
    const probe = createMemoryProbe();
    // Objects that survive a while make V8 widen its young generation.
    const kept: object[][] = [];
    for (let i = 0; i < 400 && probe.youngBytes() < 8 * MB; i++) {
      kept.push(Array.from({ length: 10_000 }, (_, at) => ({ at })));
      if (kept.length > 8) kept.shift();
    }
    assert.ok(probe.youngBytes() >= 8 * MB);
    probe.collect();
    assert.ok(probe.youngBytes() < 4 * MB, `${probe.youngBytes()} bytes`);
    assert.ok(probe.usedBytes() > 0);
    assert.equal('gc' in globalThis, false);
  });

  it('really gives back the pages that this very process emptied', () => {
    const probe = createMemoryProbe();
    probe.collect();
    // Objects that survive until V8 has moved them out of its young generation, and that nobody needs then.
    let kept: object[][] = [];
    for (let i = 0; i < 100; i++) kept.push(Array.from({ length: 10_000 }, (_, at) => ({ at })));
    const full = probe.usedBytes();
    kept = [];
    const before = probe.idleBytes() + probe.usedBytes();
    assert.ok(before >= full);
    probe.collect();
    assert.ok(full - probe.usedBytes() > 16 * MB, `${full - probe.usedBytes()} bytes were no longer needed`);
    assert.ok(probe.idleBytes() < 8 * MB, `${probe.idleBytes()} bytes`);
    assert.equal(kept.length, 0);
  });

  it('lets go of the compiled code of what nobody calls any more', () => {
    // A function that stays and was called once, as most of a start are.
    const body = Array.from({ length: 20_000 }, (_, at) => `n += ${at};`).join('');
    const called = runInThisContext(`() => { let n = 0; ${body} return n; }`) as () => number;
    const probe = createMemoryProbe();
    probe.collect();
    const before = probe.usedBytes();
    assert.equal(called(), (20_000 * 19_999) / 2);
    const grown = probe.usedBytes() - before;
    assert.ok(grown > 100_000, `${grown} bytes of code`);
    probe.collect();
    const left = probe.usedBytes() - before;
    assert.ok(left < grown / 2, `${left} of ${grown} bytes are left`);
    assert.equal(called(), (20_000 * 19_999) / 2);
  });

  it('knows that it waits for a core', {
    skip: process.platform !== 'linux' && 'Only Linux tells.',
  }, async () => {
    const probe = createMemoryProbe();
    // More of them than any machine has cores, for as long as it takes this thread to have to wait among them.
    const program = `const end = performance.now() + 20_000; while (performance.now() < end);`;
    const spinners = Array.from({ length: 4 * availableParallelism() }, () =>
      spawn(process.execPath, ['-e', program], { stdio: 'ignore' }),
    );
    try {
      let waiting = 0;
      const limit = performance.now() + 15_000;
      while (waiting <= 0.5 && performance.now() < limit) {
        const end = performance.now() + 200;
        while (performance.now() < end);
        waiting = probe.waitingShare();
      }
      assert.ok(waiting > 0.5, `${waiting}`);
    } finally {
      for (const spinner of spinners) spinner.kill('SIGKILL');
    }
  });

  it('knows a busy loop', async () => {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    await turn();
    const probe = createMemoryProbe();
    probe.busyShare();
    const until = performance.now() + 50;
    while (performance.now() < until);
    await turn();
    const share = probe.busyShare();
    assert.ok(share > 0.3 && share <= 1, String(share));
  });
});
