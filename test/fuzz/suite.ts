import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbageCollector } from '../unit/collect-garbage.ts';
import type { Decoder } from './decoder.ts';
import { runDecoder } from './run.ts';

/**
 * Every decoder reads inputs of a fixed seed, half of them hostile and half changed valid ones: no crash, no hang, no
 * garbage kept. `npm run fuzz` reads a million for each.
 */

const INPUTS = 20_000;
const SEED = 4;
/** Of inputs that are taken, at least: else the changed ones are no nearer to valid than noise. */
const TAKEN_SHARE_MIN = 0.02;
/** At most: else next to nothing was hostile. */
const TAKEN_SHARE_MAX = 0.9;

export function testDecoders(decoders: readonly Decoder[]): void {
  // What a decoder keeps is measured only where garbage can be collected.
  globalThis.gc ??= garbageCollector();
  for (const decoder of decoders) {
    test(`R4: whatever ${decoder.name} is given, it reads or refuses`, async () => {
      const report = await runDecoder(decoder, { seed: SEED, inputs: INPUTS });
      assert.deepEqual(report.failures, []);
      assert.equal(report.inputs, INPUTS);
      assert.notEqual(report.growthBytes, undefined, 'whether it keeps what it is given is known');
      const share = report.taken / report.inputs;
      assert.ok(share >= TAKEN_SHARE_MIN, `only ${report.taken} of ${INPUTS} inputs were taken`);
      assert.ok(share <= TAKEN_SHARE_MAX, `${report.taken} of ${INPUTS} inputs were taken`);
    });
  }
}
