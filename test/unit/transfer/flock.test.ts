import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blobsRequestSchema } from '@cuadro/protocol';
import fc from 'fast-check';
import { Flock } from '../../../node/src/blobs/transfer/flock.ts';
import { swarmLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { Bits, Units } from '../../../node/src/blobs/transfer/units.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

/** What is asked of whom while a bundle is fetched together (SPEC R150, R151). */

const MIB = 2 ** 20;
const LARGE = 'a'.repeat(64);
const SMALL = 'b'.repeat(64);
const EMPTY = 'c'.repeat(64);
/** Ten pieces, the last one short; a small file, twice; an empty one. */
const files = [
  { path: 'large', blob: LARGE, sizeBytes: 9 * MIB + 5 },
  { path: 'small', blob: SMALL, sizeBytes: 100 },
  { path: 'again', blob: SMALL, sizeBytes: 100 },
  { path: 'empty', blob: EMPTY, sizeBytes: 0 },
];
const units = new Units({ files });
const [SOURCE, ONE, TWO] = ['source', 'one', 'two'];
const bitsOf = (...numbers: number[]): Bits => {
  const bits = new Bits(units.count);
  for (const number of numbers) bits.add(number);
  return bits;
};
const pieces = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

function flock(seed = 1): Flock {
  const made = new Flock({ random: createSeededRandom(seed) }, { bundle: 'd'.repeat(64), units, nowMs: 0 });
  made.wants(LARGE, pieces);
  made.wants(SMALL);
  made.hasFile(EMPTY);
  return made;
}

describe('units', () => {
  it('R150: are numbered by the files in their order, identical ones once', () => {
    assert.equal(units.count, 12);
    assert.deepEqual(units.at(0), { hash: LARGE, piece: 0, sizeBytes: MIB });
    assert.deepEqual(units.at(9), { hash: LARGE, piece: 9, sizeBytes: 5 });
    assert.deepEqual(units.at(10), { hash: SMALL, piece: undefined, sizeBytes: 100 });
    assert.deepEqual(units.at(11), { hash: EMPTY, piece: undefined, sizeBytes: 0 });
    for (const beyond of [-1, 12, Number.NaN]) assert.equal(units.at(beyond), undefined);
    assert.deepEqual(units.of(SMALL), { first: 10, count: 1 });
    assert.equal(units.of('e'.repeat(64)), undefined);
  });

  it('R150: a set of them is a bit for each, the first the lowest of the first byte', () => {
    const bits = bitsOf(0, 9);
    assert.deepEqual([...bits.bytes], [1, 2]);
    assert.deepEqual([bits.count, bits.has(9), bits.has(8), bits.has(99)], [2, true, false, false]);
    const read = new Bits(units.count, Uint8Array.of(255, 255, 255));
    assert.deepEqual([read.count, read.has(12)], [12, false], 'what stands behind the last means nothing');
  });

  it('walks each member of a set once, wherever it begins', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 99 })), fc.nat({ max: 99 }), (members, start) => {
        const bits = new Bits(100);
        for (const member of members) assert.equal(bits.add(member), true);
        const seen: number[] = [];
        bits.walk((member) => seen.push(member) > 0, { start });
        assert.deepEqual(
          seen.toSorted((a, b) => a - b),
          members.toSorted((a, b) => a - b),
        );
        assert.equal(bits.count, members.length);
      }),
    );
  });
});

describe('a flock', () => {
  it('R151: asks who has all for what nobody has who fetches too, and leaves the choice', () => {
    const made = flock();
    made.told(SOURCE, undefined);
    made.told(ONE, bitsOf(0, 1, 2));
    assert.equal(made.isActive, true);
    const ask = made.ask(SOURCE, 0);
    assert.ok(ask?.kind === 'some');
    assert.deepEqual([...ask.bits.bytes], [...bitsOf(3, 4, 5, 6, 7, 8, 9, 10).bytes]);
  });

  it('R151: asks each of several who have all for its share, which is the same for all who fetch, and then for others', () => {
    const [made, same] = [flock(1), flock(2)];
    for (const name of [SOURCE, TWO]) made.told(name, undefined);
    for (const name of [TWO, SOURCE]) same.told(name, undefined);
    for (const one of [made, same]) one.told(ONE, bitsOf(10));
    const sharesOf = (one: Flock): (number[] | undefined)[] =>
      [SOURCE, TWO].map((name) => {
        const ask = one.ask(name, 0);
        return ask?.kind === 'some' ? [...ask.bits.bytes] : undefined;
      });
    const shares = [bitsOf(0, 2, 4, 6, 8), bitsOf(1, 3, 5, 7, 9)].map(({ bytes }) => [...bytes]);
    assert.deepEqual(sharesOf(made), shares);
    assert.deepEqual(sharesOf(same), shares);
    for (const unit of [0, 2, 4, 6, 8]) made.arrived(unit, 0);
    made.answered(SOURCE, swarmLimits.askBytesFirst);
    const helping = made.ask(SOURCE, 0);
    assert.ok(helping?.kind === 'some');
    assert.deepEqual(
      [...helping.bits.bytes],
      [...bitsOf(1, 3, 5, 7, 9).bytes],
      'more than the other chose from is left',
    );
    made.answered(SOURCE, swarmLimits.askBytesFirst);
    for (const unit of [1, 3, 5, 7]) made.arrived(unit, 0);
    assert.equal(made.ask(SOURCE, swarmLimits.lateMs - 1), undefined, 'the last one is on its way');
    const late = made.ask(SOURCE, swarmLimits.lateMs);
    assert.ok(late?.kind === 'some');
    assert.deepEqual([...late.bits.bytes], [...bitsOf(9).bytes]);
  });

  it('R151: asks the others for what the fewest have, each unit of one', () => {
    const made = flock();
    made.told(ONE, bitsOf(0, 1, 2));
    made.told(TWO, bitsOf(0, 1));
    const first = made.ask(ONE, 0);
    assert.deepEqual(first, { kind: 'these', units: [2] }, 'only one has it');
    const second = made.ask(TWO, 0);
    assert.ok(second?.kind === 'these' && second.units.length === 1 && (second.units[0] ?? 9) < 2);
    const third = made.ask(ONE, 0);
    assert.ok(third?.kind === 'these' && third.units[0] === 1 - (second.units[0] ?? 9));
    assert.equal(made.ask(TWO, 0), undefined, 'all that they have is on its way');
  });

  it('begins at a random place, so that machines that begin together fetch different things', () => {
    const firsts = Array.from({ length: 20 }, (_, seed) => {
      const made = flock(seed);
      made.told(ONE, bitsOf(...pieces));
      const ask = made.ask(ONE, 0);
      return ask?.kind === 'these' ? ask.units[0] : undefined;
    });
    assert.ok(new Set(firsts).size > 1);
  });

  it('asks again for what was missed, and not for what came', () => {
    const made = flock();
    made.told(ONE, bitsOf(4));
    assert.deepEqual(made.ask(ONE, 0), { kind: 'these', units: [4] });
    made.missed([4]);
    assert.deepEqual(made.ask(ONE, 0), { kind: 'these', units: [4] });
    assert.equal(made.arrived(4, 7), true);
    made.missed([4]);
    assert.equal(made.ask(ONE, 0), undefined);
    assert.deepEqual([made.arrived(4, 8), made.here.has(4), made.movedAtMs], [false, true, 8]);
  });

  it('R151: what is late is asked for once more, of somebody else', () => {
    const made = flock();
    made.hasFile(SMALL);
    made.hasFile(LARGE, [6]);
    made.told(ONE, bitsOf(6));
    made.told(TWO, bitsOf(6));
    assert.deepEqual(made.ask(ONE, 0), { kind: 'these', units: [6] });
    assert.equal(made.ask(TWO, swarmLimits.lateMs - 1), undefined);
    assert.equal(made.nextMs(0), swarmLimits.lateMs);
    // Whoever looked again at once, while nobody can be asked, would do nothing else.
    assert.equal(made.nextMs(swarmLimits.lateMs), Number.POSITIVE_INFINITY);
    assert.equal(made.ask(ONE, swarmLimits.lateMs), undefined);
    assert.deepEqual(made.ask(TWO, swarmLimits.lateMs), { kind: 'these', units: [6] });
  });

  it('asks a machine for what it brings in a second', () => {
    const made = flock();
    made.told(ONE, bitsOf(...pieces));
    made.brought(ONE, 3 * MIB, 1_000);
    const ask = made.ask(ONE, 0);
    assert.equal(ask?.kind === 'these' && ask.units.length, 3);
  });

  it('R55: asks for what a machine may be asked for, however much it brought in whatever time', () => {
    const made = flock();
    made.told(SOURCE, undefined);
    made.told(ONE, bitsOf(0));
    fc.assert(
      fc.property(fc.nat({ max: 64 * MIB }), fc.nat({ max: 2 ** 31 }), (bytes, took) => {
        made.brought(SOURCE, bytes, (took / 2 ** 31) * 20_000);
        const { bundle } = made;
        const request = blobsRequestSchema.safeParse({ ...made.ask(SOURCE, 0), bundle });
        assert.equal(request.success, true, request.error?.message);
      }),
    );
  });

  it('asks who failed after a pause that grows, and then no more', () => {
    const made = flock();
    made.told(ONE, bitsOf(...pieces));
    let nowMs = 0;
    for (let failures = 1; failures <= 2; failures++) {
      made.failed(ONE, nowMs);
      assert.equal(made.ask(ONE, nowMs), undefined);
      nowMs = made.nextMs(nowMs);
      assert.notEqual(made.ask(ONE, nowMs), undefined);
    }
    made.failed(ONE, nowMs);
    assert.deepEqual([...made.peers], []);
    made.told(SOURCE, undefined);
    made.told(TWO, bitsOf());
    const ask = made.ask(SOURCE, nowMs);
    assert.ok(ask?.kind === 'some' && ask.bits.count > 0, 'what only it had is asked of the holder again');
  });

  it('R152: knows who has a part of a file, and so its manifest', () => {
    const made = flock();
    made.told(SOURCE, undefined);
    made.told(ONE, bitsOf(9));
    made.told(TWO, bitsOf(10));
    assert.deepEqual([...made.having(LARGE)], [SOURCE, ONE]);
    assert.deepEqual([...made.having(SMALL)], [SOURCE, TWO]);
    assert.deepEqual([...made.having('e'.repeat(64))], []);
  });

  it('R152: hopes for others as long as for any progress, where there were some', () => {
    const made = flock();
    made.told(SOURCE, undefined);
    assert.equal(made.hopesUntilMs, 0);
    made.found([ONE]);
    assert.equal(made.hopesUntilMs, swarmLimits.giveUpMs);
    assert.deepEqual(made.named, [ONE, SOURCE]);
    const met = flock();
    met.told(TWO, bitsOf(3));
    met.without(TWO);
    met.arrived(0, 7);
    assert.equal(met.hopesUntilMs, 7 + swarmLimits.giveUpMs);
    met.isGivenUp = true;
    assert.equal(met.hopesUntilMs, 0);
  });

  it('R151: takes one piece at random as long as it is new, and each once', () => {
    const firsts = Array.from({ length: 20 }, (_, seed) => flock(seed).take(LARGE, 4, 0));
    assert.ok(firsts.every(({ length }) => length === 1));
    assert.ok(new Set(firsts.flat()).size > pieces.length / 2, String(firsts));
    const made = flock(3);
    const all = pieces.flatMap(() => made.take(LARGE, 4, 0));
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      pieces,
    );
    assert.deepEqual(made.take(LARGE, 4, 0), []);
  });

  it('without others that fetch, its files come from their holders', () => {
    const made = flock();
    made.told(SOURCE, undefined);
    assert.equal(made.isActive, false);
    made.isNew = false;
    assert.deepEqual(made.take(LARGE, 4, 0), [0, 1, 2, 3]);
    assert.equal(made.wantedOf(LARGE), 6);
    made.missed([1]);
    assert.equal(made.wantedOf(LARGE), 7);
  });
});
