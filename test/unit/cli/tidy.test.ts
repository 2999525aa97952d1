import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EXIT, retentionViewSchema } from '@cuadro/protocol';
import { JOB_A, JOB_B } from '../api/fakes.ts';
import { type Harness, startHarness } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
  const about = { sizeBytes: 2 ** 30, name: 'shot' };
  harness.node.retention = {
    days: 0,
    jobs: [
      { ...about, job: JOB_A, order: 1, goes: true },
      { ...about, job: JOB_B, order: 12, goes: false, why: 'f_2.png was changed.' },
    ],
    freesBytes: 2 ** 30,
  };
});
afterEach(() => harness.stop());

const freed = (): unknown[] =>
  harness.node.calls.filter(({ name }) => name === 'free').map(({ args }) => args[0]);

describe('cuadro tidy', () => {
  test('shows what goes, what stays and why, and frees nothing without a word', async () => {
    const { exit, out, err } = await harness.run(['tidy']);
    assert.match(out, /#1\s+1\.0 GiB\s+goes\s+shot\n/);
    assert.match(out, /#12\s+1\.0 GiB\s+stays\s+shot\s+f_2\.png was changed\.\n/);
    assert.match(out, /1\.0 GiB would be freed on this machine, and as much on each other one/);
    assert.match(err, /Nothing was freed; --yes frees it\./);
    assert.deepEqual([exit, freed()], [EXIT.ok, []]);
  });

  test('asks on a terminal, and says what it freed', async () => {
    const asked: string[] = [];
    const ask = (yes: boolean) => async (question: string) => {
      asked.push(question);
      return yes;
    };
    await harness.run(['tidy'], { ask: ask(false) });
    assert.deepEqual(freed(), []);
    const { out, err } = await harness.run(['tidy', '--days', '7'], { ask: ask(true) });
    assert.match(asked.join(), /Delete 1 job from the farm\? Collected files stay\./);
    assert.deepEqual(freed(), [7]);
    assert.match(out, /1 job deleted, 1\.0 GiB freed on this machine\.\n$/);
    assert.match(err, /#12 shot stays: f_2\.png was changed\./);
  });

  test('--json shows the plan, and with --yes what was freed', async () => {
    const plan = await harness.run(['tidy', '--json'], { ask: async () => assert.fail('It asked.') });
    assert.deepEqual(retentionViewSchema.parse(JSON.parse(plan.out)), harness.node.retention);
    assert.deepEqual(freed(), []);
    await harness.run(['tidy', '--json', '--yes']);
    assert.deepEqual(freed(), [0]);
  });

  test('says so where nothing is done', async () => {
    harness.node.retention = { days: 0, jobs: [], freesBytes: 0 };
    const { exit, err } = await harness.run(['tidy', '--yes']);
    assert.match(err, /No job that was submitted here is done\./);
    assert.deepEqual([exit, freed()], [EXIT.ok, []]);
  });
});
