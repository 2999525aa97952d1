import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimFarm } from './farm.ts';
import { Host } from './host.ts';
import type { Witness } from './machine.ts';
import { profileOf, type Profile } from './profile.ts';
import { Timeline } from './timeline.ts';

/** Clocks that are wrong: that they are, and that it is counted. */

it('a clock that is fast by two in a hundred shows so, and its timers come early', async () => {
  const timeline = new Timeline();
  const host = new Host(timeline);
  host.faults.rate = 1.02;
  host.begin();
  const clock = host.clock();
  const begunMs = clock.now();
  let firedAt = 0;
  clock.after(1_000, () => (firedAt = timeline.now));
  await timeline.run(1_000);
  assert.equal(Math.round(clock.now() - begunMs), 1_020);
  assert.equal(Math.round(firedAt), 980);
});

it('and a wall clock stands beside the truth', () => {
  const timeline = new Timeline();
  const [host, other] = [new Host(timeline), new Host(timeline)];
  host.faults.wallOffsetMs = 86_400_000;
  assert.equal(host.clock().wallTime() - other.clock().wallTime(), 86_400_000);
});

/** Which machines' clocks a farm has made wrong, and what is counted of them. */
function skewOf(profile: Partial<Profile>): [rates: number, walls: number, counted: number, told: number] {
  const witness = { note: () => undefined } as unknown as Witness;
  const { machines, tally } = new SimFarm(1n, { ...profileOf(1n), machines: 5, ...profile }, witness);
  const faults = machines.map(({ host }) => host.faults);
  return [
    faults.filter(({ rate }) => Math.abs(rate - 1) > 0.005).length,
    faults.filter(({ wallOffsetMs }) => Math.abs(wallOffsetMs) > 3_600_000).length,
    tally.counts.get('fault: clock skew') ?? 0,
    tally.counts.get('fault: wall clock skew') ?? 0,
  ];
}

it('a farm counts the machines whose clocks it makes wrong, and no others', () => {
  const [rates, walls, counted, told] = skewOf({ clockSkew: 0.02, wallSkewMs: 86_400_000 });
  assert.ok(rates > 0 && walls > 0, `${rates} and ${walls} of 5 machines`);
  assert.deepEqual([counted, told], [rates, walls]);
  assert.deepEqual(skewOf({ clockSkew: 0.000_1, wallSkewMs: 50 }), [0, 0, 0, 0]);
});
