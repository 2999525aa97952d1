import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MARK_WORDS, MarkedNumbers, putMark } from '../../../node/src/jobs/marks.ts';

describe('numbers by marks of texts', () => {
  it('are those that were set last, of each text', () => {
    const text = fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('__proto__', 'constructor', ''));
    const number = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1));
    fc.assert(
      fc.property(fc.array(fc.tuple(text, number)), fc.array(text), (entries, others) => {
        const expected = new Map<string, number>();
        const numbers = new MarkedNumbers();
        for (const [key, value] of entries) {
          expected.set(key, value);
          numbers.set(key, value);
        }
        for (const key of [...expected.keys(), ...others]) assert.equal(numbers.get(key), expected.get(key));
      }),
    );
  });

  it('stay where the table has grown many times', () => {
    const numbers = new MarkedNumbers();
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      numbers.set(`frame_${i}.png`, i);
      // Again: it is counted once.
      numbers.set(`frame_${i}.png`, 2 * i);
    }
    for (let i = 0; i < count; i++) assert.equal(numbers.get(`frame_${i}.png`), 2 * i);
    assert.equal(numbers.get(`frame_${count}.png`), undefined);
  });

  it('are found by 64 bits of a SHA-256', () => {
    const mark = putMark('frame_0001.png', new Uint32Array(MARK_WORDS));
    const digits = Array.from(mark, (word) => word.toString(16).padStart(8, '0')).join('');
    assert.equal(digits, hash('sha256', 'frame_0001.png').slice(0, 16));
  });
});
