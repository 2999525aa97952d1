import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  compareCanonical,
  signRemoval,
  type FarmRecord,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, Farm, framesPlan, jobRecord, nodeDesired, SELF, signer, stopsTo } from './farm.ts';
import { FARM, farmOf, farmRecord, memberOf, sentTo } from './members.ts';

const persisted = (effects: readonly CoreEffect[]): { records: KnownRecord[]; removed: string[] }[] =>
  effects.flatMap((effect) => (effect.kind === 'persist' ? [effect] : []));

describe('a submitter that signs two specs under one id', () => {
  const [first, second] = [jobRecord(framesPlan('1-3')), jobRecord(framesPlan('1-9'))];
  const other: JobRecord = { ...second, spec: { ...second.spec, name: 'another', plan: 'b'.repeat(64) } };
  const greater = compareCanonical(first.spec, other.spec) > 0 ? first : other;

  for (const order of [
    [first, other],
    [other, first],
  ]) {
    it(`R31: has the greater stand, and its plan with it (first ${order[0]?.spec.name})`, () => {
      const farm = new Farm().start();
      farm.records(order[0] as JobRecord);
      farm.step({ kind: 'plan', job: first.id, plan: framesPlan(order[0] === first ? '1-3' : '1-9') });
      const effects = farm.records(order[1] as JobRecord);
      const isReplaced = order[1] === greater;
      assert.equal(farm.core.jobRecord(first.id)?.spec.name, greater.spec.name);
      assert.equal(farm.core.job(first.id)?.counts.total, greater.spec.tasks);
      const asked = effects.flatMap((effect) => (effect.kind === 'need-plan' ? [effect.plan] : []));
      assert.deepEqual(asked, isReplaced ? [greater.spec.plan] : []);
      assert.equal(
        stopsTo(SELF, effects).length,
        isReplaced ? 2 : 0,
        'what was granted of the other is taken back',
      );
    });
  }
});

describe('a member that was removed', () => {
  const removed = (record: MemberRecord): MemberRecord => ({
    ...record,
    removals: { [SELF]: signRemoval(signer(SELF), record.peer, { reason: 'sold', wallTime: 1 }) },
  });
  const asked = (effects: readonly CoreEffect[]) =>
    [BELEN, CARMEN].filter((peer) => sentTo(peer, 'collect', effects).length > 0);

  /** What follows when this node comes to lead, with both connected. */
  function lead(...records: KnownRecord[]): CoreEffect[] {
    const farm = new Farm(farmOf(BELEN, CARMEN));
    farm.step({ kind: 'start' });
    farm.records(...records);
    for (const peer of [BELEN, CARMEN]) farm.step({ kind: 'peer', peer, state: 'reachable' });
    return farm.advance(3_000);
  }

  it('R35: is none any more: it is neither asked nor waited for', () => {
    assert.deepEqual(asked(lead()), [BELEN, CARMEN]);
    assert.deepEqual(asked(lead(removed(memberOf(BELEN)))), [CARMEN]);
  });

  it('R35: stays removed although it is admitted again, and after a restart', () => {
    const again = memberOf(BELEN, FARM, CARMEN);
    assert.deepEqual(asked(lead(removed(memberOf(BELEN)), again)), [CARMEN]);
    const restarted = new Farm([...farmOf(), removed(memberOf(BELEN))]).start();
    assert.ok(restarted.core.isCoordinator, 'it has nobody to wait for');
    assert.equal(restarted.core.farm().members, 1);
  });

  it('R35: is none before somebody admitted it', () => {
    const farm = new Farm([...farmOf(), { ...memberOf(BELEN), admissions: {} }]).start();
    assert.ok(farm.core.isCoordinator);
  });
});

describe('a farm that dissolves into another', () => {
  const OTHER = 'aaaaaaaaaaaaaaaa';
  const [own, other] = [farmRecord(), farmRecord(OTHER, { founder: BELEN })];
  const leaving = { ...own, mergedInto: { value: OTHER, counter: 1, peer: SELF } };

  function dissolved(): { farm: Farm; effects: CoreEffect[]; job: JobRecord } {
    const farm = new Farm([...farmOf(), nodeDesired(SELF, 'active')]).start();
    const job = farm.submit(framesPlan('1-3'));
    farm.records(leaving);
    assert.equal(farm.core.farm().id, own.id, 'it goes only when the other one is here');
    const effects = farm.records(other, memberOf(SELF, OTHER, BELEN));
    return { farm, effects, job };
  }

  it('R36: gives way to it in one write, and its members join', () => {
    const { farm, effects } = dissolved();
    const [write, ...more] = persisted(effects);
    assert.deepEqual(write?.removed, [`farm/${own.id}`]);
    assert.deepEqual(
      write?.records.map((record) => (record.kind === 'farm' ? record.id : record.kind)),
      [other.id, 'member'],
    );
    assert.deepEqual(more, []);
    assert.equal(farm.core.farm().id, other.id);
    assert.equal(farm.core.farm().members, 2, 'Belén, and this machine that she readmitted');
  });

  it('R36: has its jobs taken over, and what runs goes on', () => {
    const { farm, effects, job } = dissolved();
    assert.deepEqual(stopsTo(SELF, effects), []);
    assert.deepEqual(farm.finishAll(), [0, 1, 2]);
    assert.equal(farm.core.job(job.id)?.state, 'done');
    assert.ok(farm.stored.has(`job/${job.id}`));
    assert.ok(farm.stored.has(`farm/${other.id}`) && !farm.stored.has(`farm/${own.id}`));
  });

  it('R36: dissolves by that alone: a record of another farm changes nothing', () => {
    const farm = new Farm(farmOf()).start();
    const effects = farm.step({ kind: 'records', from: BELEN, records: [other] });
    assert.deepEqual(persisted(effects), []);
    assert.equal(farm.core.farm().id, own.id);
    assert.deepEqual(farm.core.ignored(), { 'wrong-record': 1 });
  });

  it('R36: keeps what its record says of where it went', () => {
    const farm = new Farm(farmOf()).start();
    farm.records(leaving);
    const kept = farm.stored.get(`farm/${own.id}`) as FarmRecord;
    assert.equal(kept.mergedInto?.value, other.id);
  });
});

it('what people say here is published, and what others have sent is not', () => {
  const published = (effects: readonly CoreEffect[]) => effects.filter(({ kind }) => kind === 'publish');
  const farm = new Farm(farmOf(BELEN, CARMEN)).start();
  const [own, heard] = [nodeDesired(SELF, 'paused'), nodeDesired(CARMEN, 'paused')];
  assert.deepEqual(published(farm.records(own)), [{ kind: 'publish', records: [own] }]);
  assert.deepEqual(published(farm.records(own)), [], 'what is known is told once');
  const effects = farm.step({ kind: 'records', from: BELEN, records: [heard] });
  assert.deepEqual(persisted(effects), [{ kind: 'persist', records: [heard], removed: [] }]);
  assert.deepEqual(published(effects), []);
});
