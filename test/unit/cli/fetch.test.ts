import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EXIT } from '@cuadro/protocol';
import { JOB_B } from '../api/fakes.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
after(() => harness.stop());

const lastCall = () => harness.node.calls.at(-1);

describe('cuadro fetch', () => {
  test('resolves the folder and tells what was kept', async () => {
    const { exit, out, err } = await harness.run(['fetch', '12', '--to', 'frames', '--overwrite']);
    assert.deepEqual(lastCall(), { name: 'fetch', args: [JOB_B, join(harness.folder, 'frames'), true] });
    assert.match(out, /2 files written to .*frames, 1 there already/);
    assert.match(err, /Kept.*0001\.png/);
    assert.equal(exit, EXIT.ok);
  });

  test('ends with 7 where files are out of reach, and names the machines that have them', async () => {
    harness.node.fetched = { missing: ['a', 'b', 'c', 'd', 'e', 'f'], away: ['attic'] };
    const { exit, err } = await harness.run(['fetch', '12', '--to', 'frames']);
    assert.match(
      err,
      /Not to be had now: a, b, c, d, e and 1 more\. Held by attic: start it, and fetch again\./,
    );
    assert.match(err, /\d of 3 tasks are finished so far; the same again brings the rest\./);
    assert.equal(exit, EXIT.machine);
    const json = await harness.run(['fetch', '12', '--to', 'frames', '--json']);
    assert.equal(json.exit, EXIT.machine);
    harness.node.fetched = {};
  });

  test('draws how far it is on a terminal', async () => {
    const { hub } = harness.node;
    harness.node.onFetch = async (fetch) => {
      hub.emit({ kind: 'fetch', fetch: 'another', files: 9, done: 9, sizeBytes: 1, doneBytes: 1 });
      hub.emit({ kind: 'fetch', fetch, files: 4, done: 1, sizeBytes: 4_096, doneBytes: 2_048 });
      // The answer comes once the bar was drawn.
      await drawn.promise;
    };
    const drawn = Promise.withResolvers<void>();
    let err = '';
    const stderr = {
      isTTY: true,
      columns: 100,
      write: (text: string) => {
        err += text;
        if (text.includes('KiB')) drawn.resolve();
      },
    };
    await harness.run(['fetch', '12', '--to', 'frames'], { terminal: true, stderr });
    assert.match(err, /█{12}░{12} {2}1\/4 {2}2\.0 KiB of 4\.0 KiB/);
    assert.doesNotMatch(err, /9\/9/);
    harness.node.onFetch = undefined;
  });
});
