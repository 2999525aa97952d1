import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Packer } from '../../../node/src/core/packer.ts';
import { Patcher } from '../../../node/src/core/patcher.ts';
import { rendered } from './rendered.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The patch between two texts, which makes the second of the first, as numbers; its new bytes as text. */
function stepsOf(from: string, to: string): (number | string)[] {
  const patcher = new Patcher();
  const patch = patcher.diff(bytesOf(from), bytesOf(to)).slice();
  assert.deepEqual(patcher.apply(bytesOf(from), patch), bytesOf(to));
  const steps: (number | string)[] = [];
  for (const byte of patch) {
    const last = steps.at(-1);
    if (byte < 32) steps.push(byte);
    else if (typeof last === 'string') steps.push((steps.pop() as string) + String.fromCharCode(byte));
    else steps.push(String.fromCharCode(byte));
  }
  return steps;
}

describe('patches', () => {
  it('make of the one what the other was, whatever both are', () => {
    const patcher = new Patcher();
    // Long ones beside short ones, of pieces that both have.
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.uint8Array({ maxLength: 6, max: 1 }),
      fc.constantFrom(bytesOf('frame_0001.png'), new Uint8Array(), new Uint8Array(300), bytesOf('abcdefgh')),
    );
    const bytes = fc.array(piece, { maxLength: 12 }).map((pieces) => Uint8Array.from(Buffer.concat(pieces)));
    fc.assert(
      fc.property(bytes, bytes, (from, to) => {
        const [before, wanted] = [from.slice(), to.slice()];
        const patch = patcher.diff(from, to).slice();
        assert.deepEqual(patcher.apply(from, patch), wanted);
        assert.deepEqual([from, to], [before, wanted], 'neither is changed');
        assert.ok(patch.length <= to.length + 4 + 3 * Math.floor(to.length / 4), `${patch.length}`);
      }),
      { numRuns: 3_000 },
    );
  });

  it('say how many bytes are the same, how many new ones follow, and these', () => {
    assert.deepEqual(stepsOf('', ''), []);
    assert.deepEqual(stepsOf('abc', 'abc'), [3, 0]);
    assert.deepEqual(stepsOf('', 'abc'), [0, 6, 'abc']);
    assert.deepEqual(stepsOf('abcd', ''), []);
    assert.deepEqual(stepsOf('name 1 of 9', 'name 2 of 9'), [5, 2, '2', 5, 0]);
    assert.deepEqual(stepsOf('abcdefgh', 'abcd'), [4, 0]);
    assert.deepEqual(stepsOf('abcd', 'abcdefgh'), [4, 8, 'efgh']);
  });

  it('go on with four bytes that are the same, no fewer', () => {
    assert.deepEqual(stepsOf('1abc2defg', '3abc4defg'), [0, 10, '3abc4', 4, 0]);
    assert.deepEqual(stepsOf('same1ab', 'same22ab'), [4, 8, '22ab'], 'nor at the end of both');
    assert.deepEqual(stepsOf('1abcd2efg', '3abcd4efg'), [0, 2, '3', 4, 8, '4efg']);
  });

  it('find them up to four bytes further on or back', () => {
    const moves = [
      [1, 'x1abcd', 'y2'],
      [2, 'y', 'x1'],
      [3, 'x12', 'y'],
      [4, 'y', 'x12'],
      [5, 'x123', 'y'],
      [6, 'y', 'x123'],
      [7, 'x1234', 'y'],
      [8, 'y', 'x1234'],
    ] as const;
    for (const [number, from, to] of moves.slice(1))
      assert.deepEqual(
        stepsOf(`same${from}ends`, `same${to}ends`),
        [4, 2 * to.length + 1, to, number, 4, 0],
        `${number}`,
      );
    assert.deepEqual(stepsOf('samex1ends', 'sameyends'), [4, 3, 'y', 1, 4, 0]);
    assert.deepEqual(stepsOf('samex12345ends', 'sameyends'), [4, 10, 'yends']);
    assert.deepEqual(stepsOf('samexends', 'samey12345ends'), [4, 20, 'y12345ends']);
    assert.deepEqual(stepsOf('ends', '1ends'), [0, 3, '1', 2, 4, 0], 'and before the beginning is nothing');
    assert.deepEqual(stepsOf('1ends', 'ends'), [0, 1, 1, 4, 0], 'with nothing new');
  });

  it('take the place as it is where the same stand there too', () => {
    assert.deepEqual(stepsOf('1aaaaaaaaa', '2aaaaaaaaa'), [0, 2, '2', 9, 0]);
  });

  it('count in as many bytes as it takes', () => {
    const patcher = new Patcher();
    for (const count of [127, 128, 16_383, 16_384, 70_000]) {
      const [zeros, ones] = [new Uint8Array(count), new Uint8Array(count).fill(1)];
      const width = 1 + Math.floor(Math.log2(count) / 7);
      assert.equal(patcher.diff(zeros, zeros).length, width + 1);
      assert.deepEqual(patcher.apply(zeros, patcher.diff(zeros, zeros).slice()), zeros);
      const patch = patcher.diff(zeros, ones).slice();
      assert.equal(patch.length, 1 + 1 + Math.floor(Math.log2(2 * count) / 7) + count);
      assert.deepEqual(patcher.apply(zeros, patch), ones);
    }
  });

  it("are of a frame's record its hashes, and some thirty bytes beside its neighbour's", () => {
    const packer = new Packer();
    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
    const [first, next] = [1_000, 1_001].map((index) => {
      const record = rendered(index);
      const [[key, result] = []] = Object.entries(record.results);
      const [file] = result?.files ?? [];
      assert.ok(key && result && file);
      const files = [{ ...file, blob: sha256(`blob ${index}`), pixels: sha256(`pixels ${index}`) }];
      const thumbnail = sha256(`thumbnail ${index}`);
      return packer.pack({ ...record, results: { [key]: { ...result, files, thumbnail } } })?.slice();
    });
    assert.ok(first && next);
    const { length } = new Patcher().diff(first, next);
    assert.ok(length > 96 && length <= 96 + 32, `${length} of ${next.length}`);
  });
});
