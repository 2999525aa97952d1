import assert from 'node:assert/strict';
import { it } from 'node:test';
import { farmIdSchema, jobIdSchema } from '@cuadro/protocol';
import { createSeededRandom, createSystemRandom } from '../../../node/src/system/random.ts';

it('R2: names of 16 characters are ids of jobs and farms', () => {
  for (const random of [createSystemRandom(), createSeededRandom(7)]) {
    for (let i = 0; i < 200; i++) {
      const name = random.name(16);
      assert.equal(jobIdSchema.parse(name), name);
      assert.equal(farmIdSchema.parse(name), name);
    }
  }
});
