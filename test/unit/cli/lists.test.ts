import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EXIT } from '@cuadro/protocol';
import { JOB_A } from '../api/fakes.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
after(() => harness.stop());

describe('what is listed, and beside what', () => {
  test('the log of a failed task is headed by where and why it failed, beside the log itself', async () => {
    const { exit, out, err } = await harness.run(['logs', JOB_A]);
    assert.match(out, /Error: it went wrong/);
    assert.doesNotMatch(out, /──/);
    assert.equal(err, '── frame 2: failed on studio: Blender crashed.\n');
    assert.equal(exit, EXIT.ok);
  });

  test('machines are listed as on the dashboard: this one first, the others by their names', async () => {
    const before = harness.node.nodes;
    const [here] = before;
    assert.ok(here);
    const other = (name: string) => ({ ...here, name, here: false });
    harness.node.nodes = [other('zora'), other('attic'), here];
    try {
      const { out } = await harness.run(['nodes']);
      const names = out.split('\n').map((row) => row.split(/ {2}/)[0]);
      assert.deepEqual(names.slice(1, 4), ['studio (here)', 'attic', 'zora']);
    } finally {
      harness.node.nodes = before;
    }
  });

  test('the hours of a machine are told where none are given, and stay as they are', async () => {
    const before = harness.node.nodes;
    const [here] = before;
    assert.ok(here);
    try {
      assert.equal((await harness.run(['hours', 'studio'])).out, 'studio: always\n');
      const hours = { spans: [{ start: 0, end: 1_440 }] };
      harness.node.nodes = [{ ...here, hours }];
      assert.equal((await harness.run(['hours', 'studio'])).out, 'studio: Mon\n');
      assert.deepEqual(JSON.parse((await harness.run(['hours', 'studio', '--json'])).out), hours);
      assert.deepEqual(harness.node.nodes[0]?.hours, hours);
    } finally {
      harness.node.nodes = before;
    }
  });
});
