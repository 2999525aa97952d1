import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode, encode, knownRecordSchema, mergeRecords, type NodeRecord } from '@cuadro/protocol';
import { BELEN } from '../core/farm.ts';

/** Unknown properties are kept and merged (SPEC R26), also those that bear a name of Object.prototype. */
describe('unknown properties with names that every object has', () => {
  for (const name of ['valueOf', 'hasOwnProperty', 'constructor']) {
    const said = (value: unknown): NodeRecord => {
      const bytes = encode({ kind: 'node', peer: BELEN, fields: {}, [name]: value });
      return knownRecordSchema.parse(decode(bytes)) as NodeRecord;
    };
    it(`merges "${name}" the same both ways and once (SPEC R20)`, () => {
      const [a, b] = [said('a'), said('b')];
      const merged = mergeRecords(a, b);
      assert.deepEqual(encode(merged), encode(mergeRecords(b, a)), 'commutative');
      assert.equal(mergeRecords(merged, b), merged, 'a merge that adds nothing gives its first argument');
    });
  }
});
