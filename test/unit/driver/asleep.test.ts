import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Core, CoreEffect, CoreInput } from '../../../node/src/core/interface.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const SLEPT_MS = 20_000;
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;

function driverOf(clock: ManualClock, step: (input: CoreInput) => CoreEffect[]): Driver {
  return createDriver({
    core: { self: 'self', step } as unknown as Core,
    store: {} as RecordStore,
    clock,
    logger: quiet,
    send: () => undefined,
    gossip: () => undefined,
    publish: () => undefined,
    worker: { run: () => undefined, stop: () => undefined },
    readPlan: () => Promise.resolve(undefined),
    onChanges: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
}

const hear = (driver: Driver): void => driver.input({ kind: 'root', root: '00'.repeat(16) });

for (const awakeMs of [1, 33, 99])
  it(`R198: of a wait of 100 ms into which a sleep falls after ${awakeMs} ms the rest is left`, async () => {
    const clock = new ManualClock();
    let until = 0;
    const driver = driverOf(clock, ({ kind, now, ...input }) => {
      if (kind === 'start') until = now + 100;
      if ('ms' in input) until += input.ms;
      return [{ kind: 'wake-at', at: until }];
    });
    await driver.start();
    clock.advance(awakeMs);
    hear(driver);
    clock.stall(SLEPT_MS);
    hear(driver);
    assert.equal(until - clock.now(), 100 - awakeMs);
    await driver.stop();
  });

for (const look of Array.from({ length: 12 }, (_, index) => index + 2))
  it(`R198: a sleep is told before anything is judged by it, also where it shows at look ${look} at the clock`, async () => {
    const clock = new ManualClock();
    const awake = clock.now.bind(clock);
    let looks = 0;
    clock.now = () => awake() + (++looks < look ? 0 : SLEPT_MS);
    const inputs: string[] = [];
    const driver = driverOf(clock, ({ kind, now }) => {
      if (now >= SLEPT_MS) inputs.push(kind);
      return [{ kind: 'wake-at', at: now + 500 }];
    });
    await driver.start();
    // What came from others, and wakes alone.
    for (let passed = 0; passed < 10; passed++) {
      clock.advance(200);
      if (passed % 5 < 3) hear(driver);
    }
    assert.equal(inputs[0], 'gap');
    assert.equal(inputs.indexOf('gap', 1), -1, 'and once');
    await driver.stop();
  });
