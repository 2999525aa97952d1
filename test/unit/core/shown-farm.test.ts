import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signField, type NodeRecord, type NodeView } from '@cuadro/protocol';
import { resultOf } from './away.ts';
import { BELEN, capabilities, CARMEN, Farm, framesPlan, grantsTo, SELF, signer } from './farm.ts';
import { FARM, farmOf, leading } from './members.ts';

const nodeOf = (farm: Farm, wanted: string): NodeView => {
  const node = farm.core.nodes().find(({ peer }) => peer === wanted);
  assert.ok(node);
  return node;
};

/** What the farm wants of a machine, of which its claim may say more. */
const wishes = (peer: string): NodeRecord => ({
  kind: 'node',
  peer,
  fields: {
    slots: signField(signer(SELF), 'node-field', `${peer}/slots`, 5, 1),
    tags: signField(signer(SELF), 'node-field', `${peer}/tags`, ['fast', 'gpu'], 1),
  },
});

describe('what is shown of a machine', () => {
  it('is what it said itself, and else what the records say of it', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { slots: 2, sequence: 2, can: capabilities({ tags: ['gpu', 'big'] }) });
    farm.beacon(BELEN, []);
    farm.records(wishes(BELEN));
    const belen = nodeOf(farm, BELEN);
    assert.deepEqual([belen.slots, belen.tags], [2, ['big', 'fast', 'gpu']]);
    assert.deepEqual([belen.live.reachable, belen.live.load, belen.live.freeDiskBytes], [true, 0.5, 1e9]);
  });

  it('is nothing but its records where it was never heard', () => {
    const farm = new Farm(farmOf(BELEN)).start();
    farm.records(wishes(BELEN));
    const belen = nodeOf(farm, BELEN);
    assert.deepEqual([belen.slots, belen.tags], [5, ['fast', 'gpu']]);
    assert.deepEqual([belen.live.load, belen.live.freeDiskBytes, belen.live.running], [0, 0, []]);
    assert.equal(nodeOf(new Farm(farmOf(CARMEN)).start(), CARMEN).slots, 0);
  });
});

describe('what is shown of a farm', () => {
  it('is its name, what runs in it and not what is kept ahead, and when its coordinator could grant', () => {
    const farm = leading(BELEN);
    const { core } = farm;
    const reign = () => core.farm().coordinators.at(-1);
    assert.deepEqual([core.farm().id, core.farm().name], [FARM, FARM.slice(0, 4)]);
    assert.equal(reign()?.firstGrantAt, undefined);
    assert.ok(!('firstGrantAt' in (reign() ?? {})));
    assert.ok('collectedAt' in (reign() ?? {}));
    farm.claim(BELEN, { slots: 1, wants: 1, sequence: 2 });
    const { id } = farm.submit(framesPlan('1-3'));
    assert.equal(grantsTo(BELEN, farm.effects).length, 1);
    assert.ok('firstGrantAt' in (reign() ?? {}));
    assert.deepEqual([core.farm().live.running, core.job(id)?.live.running], [1, 1]);
    farm.claim(BELEN, { slots: 1, wants: 3, sequence: 3 });
    assert.equal(grantsTo(BELEN, farm.effects).length, 3);
    assert.deepEqual([core.farm().live.running, core.job(id)?.live.running], [1, 1]);
    const alone = new Farm(farmOf()).start();
    assert.ok(!('collectedAt' in (alone.core.farm().coordinators.at(-1) ?? {})));
  });

  it('is when a job changed last, once it did', () => {
    const farm = leading(BELEN);
    farm.claim(BELEN, { wants: 0, sequence: 2 });
    const { id } = farm.submit(framesPlan('1-3'));
    assert.ok(!('changedAt' in (farm.core.job(id) ?? {})));
    farm.records(resultOf(id, 0, BELEN));
    assert.equal(farm.core.job(id)?.changedAt, 1);
  });
});
