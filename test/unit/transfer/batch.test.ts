import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Batch } from '../../../node/src/blobs/transfer/batch.ts';
import { PeerSet } from '../../../node/src/blobs/transfer/peer-set.ts';
import { TreeProgress } from '../../../node/src/blobs/transfer/tree-progress.ts';
import { type Waiter, Want, type WantResult } from '../../../node/src/blobs/transfer/wants.ts';

const hashOf = (i: number): string => `${i}`.padStart(64, '0');
const blobs = [0, 1, 2].map((i) => ({ hash: hashOf(i), sizeBytes: 10 }));
const [first, second, third] = blobs.map(({ hash }) => hash) as [string, string, string];

/** A batch of three files; pins are under way until they are let go. */
function batchOf(options: { pin?: string; signal?: AbortSignal } = {}) {
  const waiters = new Map<string, Waiter>();
  const pinning = new Map<string, PromiseWithResolvers<void>>();
  const progress = new TreeProgress(blobs, blobs, undefined);
  const batch = new Batch(
    {
      engine: {
        join: ({ hash }, waiter) => void waiters.set(hash, waiter),
        leave: (hash, waiter) => void (waiters.get(hash) === waiter && waiters.delete(hash)),
      },
      blobs: {
        pin: (hash) => {
          const pinned = Promise.withResolvers<void>();
          pinning.set(hash, pinned);
          return pinned.promise;
        },
      },
      progress,
    },
    { holders: () => [], ...options },
  );
  const wantOf = (hash: string): Want =>
    new Want(hash, { sizeBytes: 10, providedAs: hash, peers: new PeerSet() });
  const end = (hash: string, result: WantResult): void => {
    const waiter = waiters.get(hash);
    waiters.delete(hash);
    waiter?.ended(wantOf(hash), result);
  };
  return {
    batch,
    progress,
    pinning,
    joined: () => [...waiters.keys()],
    come: (hash: string) => end(hash, { info: { hash, sizeBytes: 10 } }),
    fail: (hash: string, error: Error) => end(hash, { error }),
  };
}

/** How a promise stands once all is through that needs no time. */
async function stateOf(waiting: Promise<void>): Promise<string> {
  const pending = new Promise((next) => setImmediate(next)).then(() => 'under way');
  return Promise.race([
    waiting.then(
      () => 'over',
      (error: unknown) => String(error),
    ),
    pending,
  ]);
}

const of = { providedAs: undefined, flock: undefined };

describe('files that one call waits for', () => {
  it('are over when all are here, at once where there are none', async () => {
    const { batch, joined, come, progress } = batchOf();
    await batchOf().batch.wait([], of);
    const waiting = batch.wait(blobs, of);
    assert.deepEqual(joined(), [first, second, third]);
    come(second);
    come(first);
    assert.deepEqual([await stateOf(waiting), progress.doneFiles], ['under way', 2]);
    come(third);
    assert.deepEqual([await stateOf(waiting), progress.doneFiles], ['over', 3]);
  });

  it('count once they are pinned, each as it comes', async () => {
    const { batch, pinning, come, progress } = batchOf({ pin: 'job' });
    const waiting = batch.wait(blobs, of);
    for (const hash of [first, second, third]) come(hash);
    for (const pinned of [second, first]) pinning.get(pinned)?.resolve();
    assert.deepEqual([await stateOf(waiting), progress.doneFiles], ['under way', 2]);
    pinning.get(third)?.resolve();
    assert.deepEqual([await stateOf(waiting), progress.doneFiles], ['over', 3]);
  });

  it('are all left with the first that fails, and over once no pin is under way', async () => {
    const { batch, joined, pinning, come, fail } = batchOf({ pin: 'job' });
    const waiting = batch.wait(blobs, of);
    come(first);
    fail(second, new Error('gone'));
    assert.deepEqual(joined(), [third], 'not in the midst of the work that ended one');
    come(third);
    assert.deepEqual([await stateOf(waiting), joined()], ['under way', []]);
    assert.deepEqual([...pinning.keys()], [first], 'what comes later is pinned for nobody');
    pinning.get(first)?.resolve();
    assert.equal(await stateOf(waiting), 'Error: gone');
  });

  it('are all left when one cannot be pinned', async () => {
    const { batch, joined, pinning, come } = batchOf({ pin: 'job' });
    const waiting = batch.wait(blobs, of);
    come(first);
    pinning.get(first)?.reject(new Error('no room'));
    assert.deepEqual([await stateOf(waiting), joined()], ['Error: no room', []]);
  });

  it('are left when the call is given up, and not begun where it was before', async () => {
    const giveUp = new AbortController();
    const { batch, joined, come, progress } = batchOf({ signal: giveUp.signal });
    const waiting = batch.wait(blobs, of);
    come(first);
    giveUp.abort(new Error('enough'));
    assert.deepEqual([await stateOf(waiting), joined(), progress.doneFiles], ['Error: enough', [], 1]);
    const late = batchOf({ signal: giveUp.signal });
    assert.deepEqual([await stateOf(late.batch.wait(blobs, of)), late.joined()], ['Error: enough', []]);
  });
});

describe('how far several files are together', () => {
  it('is what came of each, also of those that came in parts, and nothing of one is counted twice', () => {
    const told: unknown[] = [];
    const progress = new TreeProgress(blobs, blobs.slice(1), (part) => told.push(part));
    progress.told(second, { doneBytes: 4, sizeBytes: 10, from: ['a'] });
    progress.told(second, { doneBytes: 10, sizeBytes: 10, from: ['a'] });
    progress.done(second);
    progress.told(third, { doneBytes: 10, sizeBytes: 10, from: ['b', 'a'] });
    progress.done(third);
    assert.deepEqual(told, [
      { doneBytes: 14, sizeBytes: 30, from: ['a'] },
      { doneBytes: 20, sizeBytes: 30, from: ['a'] },
      { doneBytes: 30, sizeBytes: 30, from: ['a', 'b'] },
    ]);
    assert.equal(progress.doneFiles, 3);
  });

  it('has the size that is told of a single file, where none was known', () => {
    const told: unknown[] = [];
    const wanted = [{ hash: first }];
    const progress = new TreeProgress(wanted, wanted, ({ sizeBytes }) => told.push(sizeBytes));
    progress.told(first, { doneBytes: 4, sizeBytes: undefined, from: [] });
    progress.told(first, { doneBytes: 5, sizeBytes: 10, from: [] });
    const both = [...wanted, { hash: second, sizeBytes: 1 }];
    const ofTwo = new TreeProgress(both, both, ({ sizeBytes }) => told.push(sizeBytes));
    ofTwo.told(first, { doneBytes: 5, sizeBytes: 10, from: [] });
    assert.deepEqual(told, [undefined, 10, undefined]);
  });
});
