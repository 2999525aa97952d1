import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Counted } from '../../../scripts/bench/content/counted.ts';

/** It changes what every array does, so that it is loaded in processes of their own only. */
const counter = new URL('../../../scripts/bench/content/counted.ts', import.meta.url).href;

async function countedOf(work: string): Promise<Counted> {
  const script = `
    const { beginToCount, countedSince } = await import(${JSON.stringify(counter)});
    const source = Buffer.alloc(1_000, 7);
    const target = new Uint8Array(2_000);
    beginToCount();
    ${work}
    console.log(JSON.stringify(countedSince()));`;
  const args = ['--import', counter, '--input-type=module', '--eval', script];
  return JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as Counted;
}

const cases: Record<string, { work: string; copied: number; allocated: number }> = {
  'a view of it': { work: 'source.subarray(10); new Uint8Array(source.buffer);', copied: 0, allocated: 0 },
  'a place in another': { work: 'target.set(source, 5);', copied: 1_000, allocated: 0 },
  'a copy by Buffer': { work: 'source.copy(target, 1_500);', copied: 500, allocated: 0 },
  'a slice': { work: 'target.slice(0, 300);', copied: 300, allocated: 300 },
  'several as one': { work: 'Buffer.concat([source, source]);', copied: 2_000, allocated: 2_000 },
  'a new one of the same': {
    work: 'Buffer.from(source); new Uint8Array(source);',
    copied: 2_000,
    allocated: 2_000,
  },
  'an empty one': {
    work: 'Buffer.alloc(10); Buffer.allocUnsafe(20); new Uint8Array(30);',
    copied: 0,
    allocated: 60,
  },
};

for (const [name, { work, copied, allocated }] of Object.entries(cases)) {
  test(`what is copied and allocated is counted: ${name}`, async () => {
    const { copiedBytes, allocatedBytes } = await countedOf(work);
    assert.deepEqual({ copied: copiedBytes, allocated: allocatedBytes }, { copied, allocated });
  });
}
