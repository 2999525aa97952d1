import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transferLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { PieceMemory } from '../../../node/src/blobs/transfer/piece-memory.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

describe('memory for pieces', () => {
  const setUp = (): { memory: PieceMemory; clock: ManualClock } => {
    const clock = new ManualClock();
    return { memory: new PieceMemory({ clock }), clock };
  };

  it('is used again once it was given back, for what fits', () => {
    const { memory } = setUp();
    const first = memory.take(1_000);
    assert.ok(first.buffer instanceof SharedArrayBuffer);
    assert.notEqual(memory.take(1_000).buffer, first.buffer, 'one that is in use is left alone');
    memory.give(first);
    assert.notEqual(memory.take(1_001).buffer, first.buffer, 'it is too small');
    const shorter = memory.take(400);
    assert.equal(shorter.buffer, first.buffer);
    assert.equal(shorter.length, 400);
    memory.give(shorter);
    assert.equal(memory.take(1_000).buffer, first.buffer, 'all of it is there again');
  });

  it('takes nothing twice, and nothing of others', () => {
    const { memory } = setUp();
    const mine = memory.take(100);
    memory.give(mine);
    memory.give(mine);
    memory.give(new Uint8Array(new SharedArrayBuffer(100)));
    assert.equal(memory.take(100).buffer, mine.buffer);
    assert.notEqual(memory.take(100).buffer, mine.buffer);
  });

  it('is kept for the larger pieces where there are more than it keeps', () => {
    const { memory } = setUp();
    const small = Array.from({ length: transferLimits.sparePieces }, () => memory.take(100));
    const large = Array.from({ length: transferLimits.sparePieces }, () => memory.take(400));
    for (const one of [...small, ...large]) memory.give(one);
    const again = large.map(() => memory.take(400).buffer);
    assert.deepEqual(new Set(again), new Set(large.map(({ buffer }) => buffer)));
  });

  it('goes once nothing has come back for a while, and never grows beyond its bound', () => {
    const { memory, clock } = setUp();
    const many = Array.from({ length: transferLimits.sparePieces + 1 }, () => memory.take(10));
    for (const one of many) memory.give(one);
    const again = many.map(() => memory.take(10).buffer);
    assert.equal(again.filter((buffer) => many.some((one) => one.buffer === buffer)).length, many.length - 1);

    const one = memory.take(10);
    memory.give(one);
    clock.advance(transferLimits.spareMs - 1);
    const same = memory.take(10);
    assert.equal(same.buffer, one.buffer);
    memory.give(same);
    clock.advance(transferLimits.spareMs);
    assert.notEqual(memory.take(10).buffer, one.buffer);
  });
});
