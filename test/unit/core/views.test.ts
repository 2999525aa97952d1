import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeRecords, signRemoval } from '@cuadro/protocol';
import { BELEN, CARMEN, Farm, framesPlan, nodeDesired, SELF, signer } from './farm.ts';
import { farmOf, memberOf } from './members.ts';

describe('what people are shown of the machines', () => {
  it('R64: a removed machine is none of the farm any more', () => {
    const farm = new Farm(farmOf(BELEN, CARMEN)).start();
    farm.claim(BELEN);
    farm.records(nodeDesired(BELEN, 'paused'));
    const peers = () => farm.core.nodes().map(({ peer }) => peer);
    assert.deepEqual(peers(), [SELF, BELEN, CARMEN]);
    const removal = signRemoval(signer(SELF), BELEN, { reason: 'sold', wallTime: 1 });
    farm.records(mergeRecords(memberOf(BELEN), { ...memberOf(BELEN), removals: { [SELF]: removal } }));
    assert.deepEqual(peers(), [SELF, CARMEN]);
    assert.equal(farm.core.farm().members, 2);
    const { id } = farm.submit(framesPlan('1'));
    for (const run of farm.held()) farm.stopped(run.grant.attempt);
    farm.records(nodeDesired(SELF, 'paused'));
    assert.doesNotMatch(farm.core.job(id)?.live.waits ?? '', /removed/, 'nobody waits for it');
  });
});

describe('what people are shown of a job', () => {
  it('says what its first open task waits for, while none of its tasks runs', () => {
    const farm = new Farm().start();
    const { id } = farm.submit(framesPlan('1-3'));
    const waits = () => farm.core.job(id)?.live.waits;
    assert.equal(waits(), undefined);
    for (const run of farm.held()) farm.stopped(run.grant.attempt);
    farm.records(nodeDesired(SELF, 'paused'));
    assert.equal(waits(), 'No machine can run it now. here: It is paused.');
    farm.records(nodeDesired(SELF, 'active', 2));
    farm.finishAll();
    assert.equal(waits(), undefined);
  });

  it('names the job that it waits for by number and name', () => {
    const farm = new Farm().start();
    const first = farm.submit(framesPlan('1'), { id: 1, order: 7 });
    const next = farm.submit(framesPlan('1'), { id: 2, order: 8, after: [first.id] });
    const reason = () => farm.core.job(next.id)?.reason;
    assert.equal(reason(), 'It waits for job #7 job 1 to be done.');
    assert.equal(farm.core.task(next.id, 0)?.why, reason());
    farm.finishAll();
    assert.equal(reason(), undefined);
  });
});
