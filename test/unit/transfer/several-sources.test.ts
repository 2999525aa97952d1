import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { Flock, type FlockAsk } from '../../../node/src/blobs/transfer/flock.ts';
import { swarmLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { SwarmDesk } from '../../../node/src/blobs/transfer/swarm-desk.ts';
import { Bits, Units } from '../../../node/src/blobs/transfer/units.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

/**
 * A bundle that several machines hold whole and two fetch (SPEC R151): flocks and desks as they are, and in place of
 * the network a row of what arrives when. The other who fetches
 * never gets anything, so all must come from those who have all.
 */

const MIB = 2 ** 20;
const PIECES = 60;
const LARGE = 'a'.repeat(64);
const files = [{ path: 'large', blob: LARGE, sizeBytes: PIECES * MIB }];
const units = new Units({ files });

interface Source {
  readonly name: string;
  readonly secondsPerUnit: number;
}

interface Came {
  readonly twice: number;
  readonly seconds: number;
}

/** Until one taker has all; each source serves a lane after the other, a unit at a time. */
async function fetchedFrom(sources: readonly Source[], seed: number): Promise<Came> {
  const clock = new ManualClock();
  const blobs = createMemoryBlobStore();
  await blobs.start();
  const { hash: bundle } = await blobs.putBytes(encode({ version: 1, main: 'large', files, remap: [] }));
  const desks = new Map(
    sources.map(({ name }, i) => {
      const random = createSeededRandom(seed * 10 + i);
      return [
        name,
        new SwarmDesk({ blobs, clock, random, isReachable: () => true, flockOf: () => undefined }),
      ];
    }),
  );
  const flock = new Flock({ random: createSeededRandom(seed) }, { bundle, units, nowMs: 0 });
  flock.wants(
    LARGE,
    Array.from({ length: PIECES }, (_, piece) => piece),
  );
  for (const { name } of sources) flock.told(name, undefined);
  flock.told('fetches too', new Bits(units.count));
  /** When each source has sent all that it was asked for by now. */
  const freeAtMs = new Map<string, number>();
  const ends: { atMs: number; source: Source; ask: Extract<FlockAsk, { kind: 'some' }>; given: number[] }[] =
    [];
  const lanes = new Map<string, number>();
  let twice = 0;
  for (;;) {
    for (let lane = 1; lane <= swarmLimits.lanesPerPeer; lane++) {
      for (const source of sources) {
        if ((lanes.get(source.name) ?? 0) >= lane) continue;
        const ask = flock.ask(source.name, clock.now());
        if (ask === undefined) continue;
        assert.equal(ask.kind, 'some');
        if (ask.kind !== 'some') continue;
        const given = await desks.get(source.name)?.choose('taker', bundle, ask.bits.bytes, ask.bytes);
        const numbers = (given ?? []).map(({ number }) => number);
        const from = Math.max(clock.now(), freeAtMs.get(source.name) ?? 0);
        const atMs = from + Math.max(0.01, numbers.length * source.secondsPerUnit) * 1_000;
        freeAtMs.set(source.name, atMs);
        lanes.set(source.name, (lanes.get(source.name) ?? 0) + 1);
        ends.push({ atMs, source, ask, given: numbers });
      }
    }
    ends.sort((a, b) => a.atMs - b.atMs);
    const end = ends.shift();
    const nextMs = end?.atMs ?? flock.nextMs(clock.now());
    assert.ok(Number.isFinite(nextMs), 'nothing is under way, and nothing will be asked for');
    clock.advance(Math.max(0, nextMs - clock.now()));
    if (end === undefined) continue;
    const { source, ask, given } = end;
    for (const unit of given) if (!flock.arrived(unit, clock.now())) twice += 1;
    lanes.set(source.name, (lanes.get(source.name) ?? 0) - 1);
    flock.answered(source.name, ask.bytes);
    flock.brought(source.name, given.length * MIB, given.length * source.secondsPerUnit * 1_000);
    if (given.length === 0) flock.rested(source.name, clock.now() + swarmLimits.restMs);
    if (flock.here.isFull) return { twice, seconds: clock.now() / 1_000 };
  }
}

describe('several that have all of a bundle', () => {
  for (const { what, speeds, twiceMax } of [
    { what: 'two alike', speeds: [0.25, 0.25], twiceMax: 0 },
    { what: 'three alike', speeds: [0.25, 0.25, 0.25], twiceMax: 0 },
    // What the slow one has chosen in the end is asked of the quick one as well once nothing came for a while.
    { what: 'a slow one among them', speeds: [0.25, 4], twiceMax: 2 * swarmLimits.lanesPerPeer },
  ]) {
    it(`R151: bring ${twiceMax === 0 ? 'nothing' : 'hardly anything'} twice, and use all their lines: ${what}`, async () => {
      const sources = speeds.map((secondsPerUnit, i) => ({ name: `source ${i + 1}`, secondsPerUnit }));
      const ideal = PIECES / speeds.reduce((sum, secondsPerUnit) => sum + 1 / secondsPerUnit, 0);
      for (let seed = 1; seed <= 20; seed++) {
        const { twice, seconds } = await fetchedFrom(sources, seed);
        assert.ok(twice <= twiceMax, `seed ${seed}: ${twice} of ${PIECES} came twice`);
        assert.ok(seconds <= ideal * 1.25, `seed ${seed}: it took ${seconds} s, and ideally ${ideal} s`);
      }
    });
  }
});
