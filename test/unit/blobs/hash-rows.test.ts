import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlobIndex } from '../../../node/src/blobs/blob-index.ts';
import { HashRows } from '../../../node/src/blobs/hash-rows.ts';
import { PinTable } from '../../../node/src/blobs/pins.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

/** Hashes that differ in their last digits only, as no real ones do: the worst for a table of them. */
const hashOf = (i: number): string => i.toString(16).padStart(64, '0');
const OWNERS = ['first', 'second', 'third'];

describe('what is known of the blobs, in columns, beside maps that know the same', () => {
  it('a row stays its hash until that is removed, through growth and many removals', () => {
    const random = createSeededRandom(1);
    const rows = new HashRows();
    const known = new Map<string, number>();
    for (let step = 0; step < 30_000; step++) {
      const hash = hashOf(Math.floor(random.float() * 6_000));
      const row = known.get(hash);
      assert.equal(rows.find(hash), row);
      if (row !== undefined && random.float() < 0.4) {
        rows.remove(row);
        known.delete(hash);
      } else known.set(hash, rows.add(hash));
    }
    assert.equal(rows.size, known.size);
    assert.deepEqual([...rows.rows()].map((row) => rows.hashOf(row)).sort(), [...known.keys()].sort());
    for (const [hash, row] of known) assert.equal(rows.hashOf(row), hash);
  });

  it('finds nothing under what is no hash, and takes none', () => {
    const rows = new HashRows();
    rows.add(hashOf(0));
    for (const text of ['', '0', hashOf(0).slice(1), `${hashOf(0)}0`, 'Z'.repeat(64), 'A'.repeat(64)]) {
      assert.equal(rows.find(text), undefined);
      assert.throws(() => rows.add(text), RangeError);
    }
  });

  it('pins, owners and sums are those of sets', () => {
    const random = createSeededRandom(2);
    const pins = new PinTable();
    const index = new BlobIndex(pins);
    const owned = new Map<string, Set<string>>();
    const sizes = new Map<string, number>();
    for (let step = 0; step < 20_000; step++) {
      const hash = hashOf(Math.floor(random.float() * 300));
      const owner = OWNERS[Math.floor(random.float() * OWNERS.length)] as string;
      const owners = owned.get(hash) ?? new Set<string>();
      owned.set(hash, owners);
      const what = random.float();
      if (what < 0.3) {
        assert.equal(pins.add(hash, owner), !owners.has(owner));
        owners.add(owner);
      } else if (what < 0.6) assert.equal(pins.remove(hash, owner), owners.delete(owner));
      else if (what < 0.8) {
        assert.equal(index.add(hash, step, step), !sizes.has(hash));
        if (!sizes.has(hash)) sizes.set(hash, step);
      } else {
        assert.equal(index.remove(hash)?.sizeBytes, sizes.get(hash));
        sizes.delete(hash);
      }
      assert.deepEqual(pins.owners(hash).sort(), [...owners].sort());
      assert.equal(pins.isPinned(hash), owners.size > 0);
    }
    const isPinned = (hash: string): boolean => (owned.get(hash)?.size ?? 0) > 0;
    const sumOf = (hashes: string[]): number => hashes.reduce((sum, hash) => sum + (sizes.get(hash) ?? 0), 0);
    assert.equal(index.usedBytes, sumOf([...sizes.keys()]));
    assert.equal(index.pinnedBytes, sumOf([...sizes.keys()].filter(isPinned)));
    assert.deepEqual(
      Array.from(index.evictable(), ({ hash }) => hash).sort(),
      [...sizes.keys()].filter((hash) => !isPinned(hash)).sort(),
    );
    for (const owner of OWNERS)
      assert.deepEqual(
        pins.hashes(owner).sort(),
        [...owned.keys()].filter((hash) => owned.get(hash)?.has(owner)).sort(),
      );
    for (const size of sizes.values()) assert.ok(index.hasSize(size));
    assert.ok(!index.hasSize(20_001));
    for (const owner of OWNERS) for (const hash of pins.hashes(owner)) pins.remove(hash, owner);
    assert.deepEqual(pins.allOwners(), []);
    assert.equal(index.pinnedBytes, 0);
  });
});
