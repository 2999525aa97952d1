import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  countFrames,
  CuadroError,
  eachFrame,
  formatFrames,
  frameAt,
  parseFrames,
  positionOf,
  type FrameRange,
} from '@cuadro/protocol';

const VALID: [text: string, frames: number[]][] = [
  ['1-10', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  ['1-10:2', [1, 3, 5, 7, 9]],
  ['-5-5', [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5]],
  ['1,3,7-9', [1, 3, 7, 8, 9]],
  [' 1 - 3 , 7 ', [1, 2, 3, 7]],
  ['1 - 10 : 4', [1, 5, 9]],
  ['-5--3', [-5, -4, -3]],
  ['-7', [-7]],
  ['0', [0]],
  ['5-5', [5]],
  ['9,1,1-2', [1, 2, 9]],
  ['1-4,3-6', [1, 2, 3, 4, 5, 6]],
  ['1-10:3,2-10:4', [1, 2, 4, 6, 7, 10]],
  ['1-2:5', [1]],
];

for (const [text, frames] of VALID) {
  test(`R10: "${text}" is valid`, () => {
    assert.deepEqual([...eachFrame(parseFrames(text))], frames);
  });
}

const INVALID: [text: string, why: RegExp][] = [
  ['10-1', /"10-1" ends before it starts/],
  ['a', /"a" is not a frame or a range/],
  ['1-', /"1-" is not a frame or a range/],
  ['', /it is empty/],
  ['   ', /it is empty/],
  ['1-1000000000', /beyond frame 1048574/],
  ['0-999999999:1000', /beyond frame 1048574/],
  ['-1048574-1048574', /a job holds 1000000 at most/],
  ['1,,3', /"" is not a frame/],
  ['1,', /"" is not a frame/],
  ['1-10:0', /step of "1-10:0" must be 1 or more/],
  ['1-10:-2', /is not a frame or a range/],
  ['1.5', /is not a frame or a range/],
  ['1e3', /is not a frame or a range/],
  ['1-2-3', /is not a frame or a range/],
  ['١-٣', /is not a frame or a range/],
  [Array.from({ length: 10_001 }, (_, i) => i).join(), /more than 10000 parts/],
];

for (const [text, why] of INVALID) {
  test(`R10: "${text.slice(0, 20)}" is refused with a reason`, () => {
    assert.throws(
      () => parseFrames(text),
      (error) => error instanceof CuadroError && error.code === 'frames-invalid' && why.test(error.message),
    );
  });
}

const range: fc.Arbitrary<FrameRange> = fc
  .tuple(fc.integer({ min: -50, max: 50 }), fc.nat({ max: 30 }), fc.integer({ min: 1, max: 9 }))
  .map(([start, length, step]) => ({ start, end: start + length, step }));
const write = ({ start, end, step }: FrameRange) => `${start}-${end}:${step}`;

test('R10: any list of ranges gives each of its frames once, in order', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 5 }), (ranges) => {
      const expected = [...new Set(ranges.flatMap((one) => [...eachFrame([one])]))].sort((a, b) => a - b);
      const parsed = parseFrames(ranges.map(write).join(' , '));
      assert.deepEqual(
        [...eachFrame(parsed)].sort((a, b) => a - b),
        expected,
      );
      assert.equal(countFrames(parsed), expected.length);
      assert.deepEqual([...eachFrame(parseFrames(formatFrames(parsed)))], [...eachFrame(parsed)]);
    }),
  );
});

test('R10: the sorted result names frames in ascending order', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 5 }), (ranges) => {
      const frames = [...eachFrame(parseFrames(ranges.map(write).join()))];
      assert.deepEqual(
        frames,
        frames.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('R10: place and frame are each other’s inverse', () => {
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 4 }), (ranges) => {
      const parsed = parseFrames(ranges.map(write).join());
      [...eachFrame(parsed)].forEach((frame, place) => {
        assert.equal(frameAt(parsed, place), frame);
        assert.equal(positionOf(parsed, frame), place);
      });
      assert.equal(frameAt(parsed, countFrames(parsed)), undefined);
      assert.equal(positionOf(parsed, 1_000), undefined);
    }),
  );
});

test('R10: no text whatever does more than be refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-\d,: ]{0,20}$/)), (text) => {
      try {
        assert.ok(countFrames(parseFrames(text)) >= 1);
      } catch (error) {
        assert.ok(error instanceof CuadroError && error.code === 'frames-invalid');
      }
    }),
    { numRuns: 500 },
  );
});
