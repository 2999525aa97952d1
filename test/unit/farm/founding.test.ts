import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { House } from './house.ts';

let house: House;
afterEach(() => house.stop());

describe('first starts (R69)', () => {
  for (let seed = 1; seed <= 5; seed++) {
    test(`five nodes started within a second end in one farm, seed ${seed}`, async () => {
      house = new House(seed);
      for (let i = 0; i < 5; i++) {
        await house.machine(`machine-${i}`).start();
        await house.pass(Math.floor(house.random.float() * 250));
      }
      await house.until(() => house.isOne(), 30_000);
      await house.sync();
      assert.equal(new Set(house.machines.map(({ farmId }) => farmId)).size, 1);
    });
  }
});
