import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transferLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { PeerSet } from '../../../node/src/blobs/transfer/peer-set.ts';
import { type Waiter, Want, type WantResult } from '../../../node/src/blobs/transfer/wants.ts';

const HASH = 'a'.repeat(64);

function wantsOf(count: number): Want[] {
  const peers = new PeerSet();
  return Array.from({ length: count }, () => new Want(HASH, { sizeBytes: 4, providedAs: HASH, peers }));
}

function waiterOf(...holders: string[]): Waiter & { readonly heard: (number | WantResult)[] } {
  const heard: (number | WantResult)[] = [];
  return {
    heard,
    holders: () => holders,
    told: ({ progress }) => heard.push(progress.doneBytes),
    ended: (_, result) => heard.push(result),
  };
}

describe('machines that are shared by files', () => {
  it('is one set for all to which the same are added, in the order in which they were', () => {
    const nobody = new PeerSet();
    const one = nobody.with('b').with('a');
    assert.equal(nobody.with('b').with('a'), one);
    assert.equal(one.with('b'), one, 'it is in it');
    assert.deepEqual([[...one], one.size, one.has('a'), one.has('c')], [['b', 'a'], 2, true, false]);
  });

  it('stays as it was when others are added to what it was made of', () => {
    const nobody = new PeerSet();
    const one = nobody.with('a');
    const other = nobody.with('b');
    assert.deepEqual([[...nobody], [...one], [...other], [...nobody.with('a')]], [[], ['a'], ['b'], ['a']]);
  });
});

describe('a wanted file', () => {
  it('has its own view of each machine, though several files are known of the same', () => {
    const [spoilt, absent, late, untouched] = wantsOf(4) as [Want, Want, Want, Want];
    for (const want of [spoilt, absent, late, untouched]) for (const peer of ['a', 'b']) want.add(peer);
    spoilt.spend('a');
    absent.lacks('a');
    late.failed('a', 100);
    const turns = (want: Want): unknown[] => [want.turnOf('a', 100), want.turnOf('b', 100)];
    assert.deepEqual(turns(spoilt), ['never', 'now']);
    assert.deepEqual(turns(absent), ['never', 'now']);
    assert.deepEqual(turns(late), [100 + 2 * transferLimits.retryMs, 'now']);
    assert.deepEqual(turns(untouched), ['now', 'now']);
    assert.equal(untouched.turnOf('c', 100), 'never', 'it is not known to have it');
    assert.deepEqual([absent.has('a'), absent.turnOf('a', 100)], [true, 'now'], 'it says that it has it now');
    assert.deepEqual([spoilt.has('a'), spoilt.has('b')], [false, false], 'that changes nothing');
  });

  it('gives a machine up after so many failures, of which several in one pause are one', () => {
    const [want] = wantsOf(1) as [Want];
    want.add('a');
    let nowMs = 0;
    for (let failures = 1; failures <= transferLimits.failuresPerHolder; failures++) {
      assert.equal(want.turnOf('a', nowMs), 'now');
      want.failed('a', nowMs);
      want.failed('a', nowMs + 1);
      nowMs += transferLimits.retryMs * 2 ** failures;
    }
    assert.equal(want.turnOf('a', nowMs), 'never');
  });

  /** How often a machine is asked that fails each time, heard of last at what `before` says. */
  function failures(want: Want, mostTimes: number, before: (nowMs: number) => number | undefined): number {
    let [count, nowMs] = [0, 1];
    for (; count < mostTimes && want.turnOf('a', nowMs) === 'now'; count++) {
      want.failed('a', nowMs, before(nowMs));
      nowMs += transferLimits.retryMs * 2 ** transferLimits.failuresPerHolder;
    }
    return count;
  }

  it('does not give up a machine that brings other files between its failures, but for many of them', () => {
    const { failuresPerHolder, failuresPerFile } = transferLimits;
    const [silent, early, alive, moving] = wantsOf(4) as [Want, Want, Want, Want];
    for (const want of [silent, early, alive, moving]) want.add('a');
    assert.equal(
      failures(silent, 100, () => undefined),
      failuresPerHolder,
    );
    assert.equal(
      failures(early, 100, () => 0),
      failuresPerHolder,
      'what came before the first failure says nothing',
    );
    assert.equal(
      failures(alive, 100, (nowMs) => nowMs - 1),
      failuresPerFile,
    );
    const moved = failures(moving, 100, (nowMs) => {
      moving.brought('a', 1);
      return nowMs - 1;
    });
    assert.equal(moved, 100, 'a large file of which it brings parts');
  });

  it('asks again those who did not fit a manifest once that is out of the way', () => {
    const [want] = wantsOf(1) as [Want];
    for (const peer of ['a', 'b', 'c']) want.add(peer);
    want.dispute('c');
    want.dispute('a');
    want.spend('b');
    assert.deepEqual([want.disputed, want.turnOf('a', 0)], [['c', 'a'], 'never']);
    want.settleDisputes();
    const turns = ['a', 'b', 'c'].map((peer) => want.turnOf(peer, 0));
    assert.deepEqual([want.disputed, turns], [[], ['now', 'never', 'now']]);
  });

  it('tells all who wait, and knows when nobody does any more', () => {
    const [want] = wantsOf(1) as [Want];
    const [first, second, third] = [waiterOf('a'), waiterOf('b', 'self'), waiterOf()];
    for (const waiter of [first, second, third, first]) want.join(waiter);
    want.refresh('self');
    assert.deepEqual([...want.peers], ['a', 'b']);
    want.brought('a', 3);
    want.leave(first);
    want.brought('a', 1);
    assert.equal(want.isAwaited, true);
    want.leave(third);
    const result = { info: { hash: HASH, sizeBytes: 4 } };
    want.end(result);
    assert.deepEqual([first.heard, second.heard, third.heard], [[3], [3, 4, result], [3, 4]]);
    assert.deepEqual(want.progress, { doneBytes: 4, sizeBytes: 4, from: ['a'] });
    want.leave(second);
    assert.equal(want.isAwaited, false);
    want.join(third);
    assert.equal(want.isAwaited, true);
  });
});
