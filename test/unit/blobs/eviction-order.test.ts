import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { BlobIndex } from '../../../node/src/blobs/blob-index.ts';
import { PinTable } from '../../../node/src/blobs/pins.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

/** More than are put in order at a time, which is 4,096. */
const MANY = 10_000;
const hashOf = (n: number): string => createHash('sha256').update(`${n}`).digest('hex');

/** A store's index of so many blobs, each used last at a time of its own. */
function indexOf(blobs: number, timeOf: (n: number) => number) {
  const pins = new PinTable();
  const index = new BlobIndex(pins);
  const times = new Map<string, number>();
  for (let n = 0; n < blobs; n++) {
    times.set(hashOf(n), timeOf(n));
    index.add(hashOf(n), 1, timeOf(n));
  }
  return { pins, index, times };
}

const scattered = (n: number): number => (n * 7_919) % MANY;

describe('the order of eviction', () => {
  it('is that of the last use, whatever is used, pinned, added or removed between two evictions', () => {
    const random = createSeededRandom(5);
    const { pins, index, times } = indexOf(MANY, scattered);
    const free = new Map(times);
    const pick = (): string => hashOf(Math.floor(random.float() * MANY));
    const oldest = (): string | undefined =>
      [...free].reduce((first, one) => (one[1] < first[1] ? one : first), ['', Number.POSITIVE_INFINITY])[0];
    for (let step = 0; step < 6_000; step++) {
      const hash = pick();
      const what = random.float();
      if (what < 0.2 && index.has(hash)) {
        index.touch(hash, MANY + step, 0);
        if (free.has(hash)) free.set(hash, MANY + step);
      } else if (what < 0.25) {
        pins.add(hash, 'job');
        free.delete(hash);
      } else if (what < 0.3 && !pins.isPinned(hash)) {
        index.remove(hash);
        free.delete(hash);
      } else if (what < 0.35) {
        const added = hashOf(MANY + step);
        index.add(added, 1, MANY + step);
        free.set(added, MANY + step);
      } else {
        const [first] = index.evictable();
        // A model that looks at all, from time to time.
        if (step % 20 === 0) assert.equal(first?.hash, oldest());
        assert.ok(first);
        index.remove(first.hash);
        assert.ok(free.delete(first.hash));
      }
    }
  });

  it('gives everything that is free once, and what lost its pin on the way too', () => {
    const { pins, index, times } = indexOf(MANY, scattered);
    const last = hashOf(MANY - 1);
    pins.add(last, 'job');
    const [first] = index.evictable();
    assert.equal(first?.usedMs, 0);
    pins.remove(last, 'job');
    const given: string[] = [];
    for (const { hash } of index.evictable()) {
      index.remove(hash);
      given.push(hash);
    }
    assert.deepEqual(given.toSorted(), [...times.keys()].sort());
    assert.equal(index.count, 0);
  });

  it('comes to an end where nothing can be evicted, also where all were used at one time', () => {
    for (const timeOf of [scattered, () => 7, (n: number) => n % 2]) {
      const { index } = indexOf(MANY, timeOf);
      const given = Array.from(index.evictable(), ({ hash }) => hash);
      assert.equal(new Set(given).size, MANY);
      assert.equal(given.length, MANY);
    }
  });

  it('gives the first of very many that were all used at one time', () => {
    const { index, times } = indexOf(200_000, () => 7);
    const [first] = index.evictable();
    assert.equal(first?.hash, [...times.keys()].sort()[0]);
  });

  it('begins with the one that was not evicted where the caller had enough', () => {
    const { index } = indexOf(MANY, scattered);
    const times: number[] = [];
    for (let call = 0; call < 3; call++) {
      for (const { hash, usedMs } of index.evictable()) {
        if (times.length > call) break;
        times.push(usedMs);
        index.remove(hash);
      }
    }
    assert.deepEqual(times, [0, 1, 2]);
  });
});
