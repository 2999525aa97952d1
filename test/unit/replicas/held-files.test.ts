import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, type JobRecord } from '@cuadro/protocol';
import { StoreFullError } from '../../../node/src/blobs/errors.ts';
import { HeldFiles } from '../../../node/src/replicas/held-files.ts';
import { JOB } from './keepers.ts';

describe('R139: copies that have a file in common', () => {
  const [X, Y, Z] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)] as const;
  const full = new StoreFullError(1, 0, 'Full.');

  /** Copies of which each ends when the test says so. */
  function house(isJobHere = true) {
    const owners = new Map<string, Set<string>>();
    const pin = (hash: string, owner: string): void => {
      owners.set(hash, (owners.get(hash) ?? new Set()).add(owner));
    };
    const pins = (hash: string): string[] => [...(owners.get(hash) ?? [])];
    /** What is pinned, and for whom. */
    const pinned = (owner?: string): string[] =>
      [...owners.keys()]
        .filter((hash) => (owner === undefined ? pins(hash).length > 0 : pins(hash).includes(owner)))
        .sort();
    const ends: PromiseWithResolvers<void>[] = [];
    const begin = async (): Promise<void> => {
      const end = Promise.withResolvers<void>();
      ends.push(end);
      await end.promise;
    };
    const tree = { version: 1 as const, main: '0', files: [{ path: '0', blob: Y, sizeBytes: 1 }], remap: [] };
    const files = new HeldFiles({
      blobs: {
        has: async () => undefined,
        read: async () => encode(tree),
        pin: async (hash, owner) => pin(hash, owner),
        pins,
        unpin: async (hash, owner) => void owners.get(hash)?.delete(owner),
        unpinOwner: async (owner) => {
          for (const of of owners.values()) of.delete(owner);
        },
      },
      transfer: {
        // As the transfer does: whatever has come is pinned, also where the rest doesn't come.
        fetchMany: (wanted, options) => {
          for (const { hash } of wanted) pin(hash, options.pin as string);
          return begin();
        },
        ensureTree: async (bundle, options) => {
          for (const hash of [bundle, Y]) pin(hash, options.pin as string);
          await begin();
          return tree;
        },
      },
      queries: { jobRecord: () => (isJobHere ? ({} as JobRecord) : undefined) },
    });
    const options = { holders: () => [] };
    const fetch = (...hashes: string[]) =>
      files
        .fetch(
          JOB,
          hashes.map((hash) => ({ hash })),
          options,
        )
        .catch(() => undefined);
    const fetchTree = (bundle: string) => files.fetchTree(JOB, bundle, options).catch(() => undefined);
    return { pin, pinned, ends, fetch, fetchTree };
  }

  const cases: [what: string, ends: readonly ('held' | Error)[], pinned: readonly string[]][] = [
    ['one fails first', [full, 'held'], [X, Z]],
    ['one fails last', ['held', full], [X, Z]],
    ['both fail for want of room', [full, full], []],
    ['files of one are out of reach', [new Error('gone'), full], [X, Y]],
  ];
  for (const [what, ends, expected] of cases) {
    it(`take back only what none counts on: ${what}`, async () => {
      for (const order of [
        [0, 1],
        [1, 0],
      ]) {
        const copies = house();
        const running = [copies.fetch(X, Y), copies.fetch(X, Z)];
        for (const at of order) {
          const end = ends[at];
          if (end === 'held') copies.ends[at]?.resolve();
          else copies.ends[at]?.reject(end);
          await running[at];
        }
        const other = ends[0] === 'held' ? [X, Y] : expected;
        assert.deepEqual([copies.pinned(JOB), copies.pinned()], [other, other]);
      }
    });
  }

  it('keep what was pinned before, and nothing of a job that is gone', async () => {
    const copies = house();
    copies.pin(X, JOB);
    const one = copies.fetch(X, Y);
    copies.ends[0]?.reject(full);
    await one;
    assert.deepEqual(copies.pinned(), [X]);
    const gone = house(false);
    const none = gone.fetch(X, Y);
    gone.ends[0]?.reject(new Error('The asker is gone.'));
    await none;
    assert.deepEqual(gone.pinned(), []);
  });

  it('keep a scene that another copy of has come to be, or is under way', async () => {
    const copies = house();
    const running = [copies.fetchTree(X), copies.fetchTree(X), copies.fetchTree(X)];
    copies.ends[0]?.reject(full);
    await running[0];
    assert.deepEqual([copies.pinned(), copies.pinned(JOB)], [[X, Y], []]);
    copies.ends[1]?.resolve();
    await running[1];
    assert.deepEqual(copies.pinned(JOB), [X, Y]);
    copies.ends[2]?.reject(full);
    await running[2];
    assert.deepEqual(copies.pinned(JOB), [X, Y]);
    const alone = house();
    const failed = alone.fetchTree(X);
    alone.ends[0]?.reject(new Error('gone'));
    await failed;
    assert.deepEqual(alone.pinned(), []);
  });

  it('keep what is stored here for the job meanwhile, of a result and of a scene', async () => {
    for (const begin of ['fetch', 'fetchTree'] as const) {
      const copies = house();
      const failed = copies[begin](X);
      // As the worker does with what it has made.
      copies.pin(X, JOB);
      copies.ends[0]?.reject(full);
      await failed;
      assert.deepEqual(copies.pinned(), [X], begin);
    }
  });
});
