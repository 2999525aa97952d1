import assert from 'node:assert/strict';
import { it } from 'node:test';
import { blind, nothing } from './blind.ts';
import { SimFarm } from './farm.ts';
import { People } from './people.ts';
import { profileOf } from './profile.ts';

/** What the longest job takes on three machines, with its retries. */
const WORK_MS = 600_000;

for (const [seed, ms] of [
  [1n, 1_500],
  [2n, 2_000],
  [3n, 30_000],
] as const) {
  it(`R180: a farm of which all machines stood still at once for ${ms} ms goes on, seed ${seed}`, async () => {
    const calm = {
      machines: 3,
      isFounded: true,
      isSplit: false,
      clockSkew: 0.0001,
      wallSkewMs: 0,
      slots: 1,
      jobs: 2,
    };
    const farm = new SimFarm(seed, { ...profileOf(seed), ...calm }, blind);
    const { timeline, machines } = farm;
    farm.workshop.isCalm = true;
    for (const machine of machines) machine.start();
    await timeline.run(15_000);
    assert.ok(farm.leader() !== undefined, 'somebody leads');
    // Machines on one host, which pauses: none of them says anything of itself afterwards, as nothing has changed.
    for (const machine of machines) machine.stall();
    await timeline.run(timeline.now + ms);
    for (const machine of machines) machine.resume();
    await timeline.run(timeline.now + 10_000);
    assert.ok(farm.leader() !== undefined, 'somebody leads again, or still');
    const people = new People(farm, nothing);
    for (const machine of machines) people.submit(machine);
    await timeline.run(timeline.now + 1_000);
    const [any] = machines;
    assert.equal(any?.queries?.jobs().length, 2);
    await timeline.run(timeline.now + WORK_MS, () => farm.isAtRest());
    assert.ok(
      farm.isAtRest(),
      any.queries
        .jobs()
        .map(({ state, live }) => `${state} ${live.waits}`)
        .join(),
    );
  });
}
