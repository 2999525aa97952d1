import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EXIT, ROUTES } from '@cuadro/protocol';
import { type Harness, startHarness } from './harness.ts';

describe('cuadro swarm', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness.stop());

  test('machines with their rates, scenes that travel and why not, and what is on one machine only', async () => {
    const { exit, out, err } = await harness.run(['swarm']);
    assert.deepEqual([exit, err], [EXIT.ok, '']);
    assert.match(out, /^MACHINE {2,}RECEIVES {2,}SENDS/);
    assert.match(out, /^studio \(here\) +– +11\.4 MiB\/s +3$/m);
    assert.match(out, /^attic +11\.4 MiB\/s +– +0 +Its store takes nothing more\.$/m);
    const scene =
      /^#1 film: whole on 1 machine\n {2}attic: 38\.1 MiB of 95\.4 MiB, 9 files missing, 11\.4 MiB\/s from studio\n {2}! There is no room for what is missing\.$/m;
    assert.match(out, scene);
    assert.match(out, /ON ONE MACHINE ONLY\n#1 film: 3 results, on studio\n$/);
  });

  test('as JSON it is what the node answers', async () => {
    const { out } = await harness.run(['swarm', '--json']);
    assert.deepEqual(ROUTES.swarm.response.parse(JSON.parse(out)), harness.node.swarm);
  });

  test('in a farm where nothing travels only the machines are told', async () => {
    const { swarm } = harness.node;
    harness.node.swarm = { ...swarm, bundles: [], single: [], flows: [] };
    const { out } = await harness.run(['swarm']);
    harness.node.swarm = swarm;
    assert.equal(out.trimEnd().split('\n').length, 3);
  });
});
