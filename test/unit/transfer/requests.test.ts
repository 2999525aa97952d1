import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { swarmLimits } from '../../../node/src/blobs/transfer/limits.ts';
import { Abandoned, Requests } from '../../../node/src/blobs/transfer/requests.ts';

/** What is under way, and may be asked of somebody else (SPEC R197). */

const [SLOW, QUICK, OTHER] = ['slow', 'quick', 'other'];
const { lateMs } = swarmLimits;

describe('requests under way', () => {
  it('R197: what nothing came of for a while may be asked of another one, and once', () => {
    const requests = new Requests<number>();
    const slow = requests.begin(SLOW, [1, 2], 0);
    assert.equal(requests.nextLateMs(0), lateMs);
    assert.deepEqual([...requests.late(QUICK, lateMs - 1)], []);
    assert.deepEqual([...requests.late(QUICK, lateMs)], [1, 2]);
    assert.deepEqual([...requests.late(SLOW, lateMs)], [], 'not of the same one');
    // Whoever looked again at once, while nobody can be asked, would do nothing else.
    assert.equal(requests.nextLateMs(lateMs), Number.POSITIVE_INFINITY);
    requests.begin(QUICK, [1], lateMs);
    assert.deepEqual([...requests.late(OTHER, lateMs)], [2], 'the other one is not late with it yet');
    slow.movedAtMs = lateMs;
    assert.deepEqual([...requests.late(OTHER, 2 * lateMs - 1)], [], 'it moved');
    assert.deepEqual([...requests.late(OTHER, 2 * lateMs)], [1, 2]);
  });

  it('R197: is cut once all that it is still to bring came from others, and nobody is to blame', () => {
    const requests = new Requests<number>();
    const slow = requests.begin(SLOW, [1, 2], 0);
    const quick = requests.begin(QUICK, [1], 0);
    quick.left.delete(1);
    requests.settled(1);
    assert.deepEqual([slow.signal.aborted, quick.signal.aborted], [false, false]);
    requests.settled(2);
    assert.ok(slow.signal.reason instanceof Abandoned);
    assert.equal(quick.signal.aborted, false, 'it brought all itself');
  });

  it('R197: what did not come of one is asked for again where nobody else is to bring it', () => {
    const requests = new Requests<number>();
    const slow = requests.begin(SLOW, [1, 2], 0);
    const quick = requests.begin(QUICK, [2], 0);
    assert.deepEqual([requests.isAskedOf(QUICK, 1), requests.isAskedOf(QUICK, 2)], [false, true]);
    assert.deepEqual(requests.end(slow), [1]);
    assert.deepEqual([requests.has(1), requests.has(2), requests.count], [false, true, 1]);
    requests.cut();
    assert.deepEqual([quick.signal.aborted, requests.end(quick), requests.count], [true, [], 0]);
  });
});
