import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeRecords, signField, type Grant, type NodeDesired, type NodeRecord } from '@cuadro/protocol';
import { leading, sentTo } from './members.ts';
import {
  BELEN,
  capabilities,
  CARMEN,
  Farm,
  framesPlan,
  grantsTo,
  nodeDesired,
  SELF,
  signer,
  stopsTo,
} from './farm.ts';

const ownerDesired = (peer: string, value: NodeDesired, writer = peer, counter = 1): NodeRecord => ({
  kind: 'node',
  peer,
  fields: { ownerDesired: signField(signer(writer), 'node-field', `${peer}/ownerDesired`, value, counter) },
});

/** Belén runs one task and keeps one ahead; Carmen is there to take over. */
function working(): { farm: Farm; job: string; running: Grant; ahead: Grant } {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  farm.claim(BELEN);
  const job = farm.submit(framesPlan('1-9')).id;
  const [running, ahead] = grantsTo(BELEN, farm.effects);
  assert.ok(running && ahead);
  farm.claim(CARMEN);
  return { farm, job, running, ahead };
}

const ORDER: NodeDesired[] = ['active', 'draining', 'paused'];
const stricter = (a: NodeDesired, b: NodeDesired): NodeDesired =>
  ORDER[Math.max(ORDER.indexOf(a), ORDER.indexOf(b))] as NodeDesired;

/** What a machine does then: what it is told to stop, and whether it is granted more. */
const MEANING: Record<NodeDesired, { stopsRunning: boolean; stopsAhead: boolean; takesMore: boolean }> = {
  active: { stopsRunning: false, stopsAhead: false, takesMore: true },
  draining: { stopsRunning: false, stopsAhead: true, takesMore: false },
  paused: { stopsRunning: true, stopsAhead: true, takesMore: false },
};

describe('what a machine is to do', () => {
  for (const desired of ORDER) {
    for (const owner of ORDER) {
      const holds = stricter(desired, owner);
      it(`R37: is ${holds} where the farm wants ${desired} and its owner ${owner}`, () => {
        const { farm, job, running, ahead } = working();
        const effects = [
          ...farm.records(nodeDesired(BELEN, desired)),
          ...farm.step({ kind: 'records', from: BELEN, records: [ownerDesired(BELEN, owner)] }),
        ];
        const stops = stopsTo(BELEN, effects);
        const { stopsRunning, stopsAhead, takesMore } = MEANING[holds];
        assert.equal(stops.includes(running.attempt), stopsRunning);
        assert.equal(stops.includes(ahead.attempt), stopsAhead);
        const ends = [
          ...farm.ended(BELEN, running, stopsRunning ? 'stopped' : 'result'),
          ...farm.ended(BELEN, ahead, stopsAhead ? 'stopped' : 'result'),
        ];
        assert.equal(grantsTo(BELEN, ends).length > 0, takesMore);
        const failures = farm.core.tasks(job, { offset: 0, limit: 9 }).tasks.map((task) => task.failures);
        assert.deepEqual(new Set(failures), new Set([0]), 'none of it is a failure');
      });
    }
  }

  it('R37: paused, gives what it ran to another machine at once', () => {
    const { farm, running, ahead } = working();
    farm.claim(CARMEN, { slots: 8, sequence: 2 });
    const effects = farm.records(nodeDesired(BELEN, 'paused'));
    const regranted = grantsTo(CARMEN, effects).map(({ task }) => task);
    assert.deepEqual(regranted, [running.task, ahead.task]);
  });

  it('R37: draining, ends what it runs', () => {
    const { farm, job, running } = working();
    farm.records(nodeDesired(BELEN, 'draining'));
    farm.ended(BELEN, running, 'result');
    assert.equal(farm.core.taskState(job, running.task), 'rendered');
  });

  it('R108: that wants nothing any more ends what it runs, and what it kept ahead goes elsewhere', () => {
    const { farm, running, ahead } = working();
    farm.claim(CARMEN, { slots: 8, sequence: 2 });
    const effects = farm.claim(BELEN, { wants: 0, sequence: 2 });
    assert.deepEqual(stopsTo(BELEN, effects), [ahead.attempt]);
    assert.equal(farm.core.taskState(running.job, running.task), 'open');
    assert.deepEqual(
      grantsTo(CARMEN, effects).map(({ task }) => task),
      [ahead.task],
    );
  });

  for (const value of ['paused', 'draining'] as const) {
    it(`R37: is not ${value} by what another wrote as its owner's word`, () => {
      const { farm, running } = working();
      const effects = farm.records(ownerDesired(BELEN, value, SELF, 9));
      assert.deepEqual(stopsTo(BELEN, effects), []);
      assert.equal(grantsTo(BELEN, farm.ended(BELEN, running, 'result')).length, 1);
      const view = farm.core.nodes().find(({ peer }) => peer === BELEN);
      assert.equal(view?.ownerDesired, 'active');
    });
  }

  for (const order of ['before', 'after'] as const) {
    it(`R37: stays as its owner wants it, whatever another wrote in its name ${order} that, by any counter`, () => {
      const { farm } = working();
      const [own, foreign] = [ownerDesired(BELEN, 'paused'), ownerDesired(BELEN, 'active', SELF, 99)];
      farm.records(...(order === 'before' ? [foreign, own] : [own, foreign]));
      const view = farm.core.nodes().find(({ peer }) => peer === BELEN);
      assert.equal(view?.ownerDesired, 'paused');
      farm.submit(framesPlan('1-9'), { id: 2, priority: 99 });
      assert.equal(
        farm.core.nodes().find(({ peer }) => peer === BELEN)?.live.idleReason,
        'Its owner paused it.',
      );
    });
  }

  it('R37: merges its owner’s words by their counter, and those of others by theirs', () => {
    const words = [
      ownerDesired(BELEN, 'active', SELF, 7),
      ownerDesired(BELEN, 'draining', CARMEN, 7),
      ownerDesired(BELEN, 'paused', BELEN, 1),
      ownerDesired(BELEN, 'active', BELEN, 2),
    ];
    const best = words[3];
    for (const a of words) {
      for (const b of words) {
        const merged = mergeRecords(a, b);
        assert.deepEqual(merged, mergeRecords(b, a));
        for (const c of words) {
          assert.deepEqual(mergeRecords(merged, c), mergeRecords(a, mergeRecords(b, c)));
        }
        if (a === best || b === best) assert.deepEqual(merged, best);
      }
    }
    assert.equal(
      mergeRecords(words[0] as NodeRecord, words[1] as NodeRecord).fields.ownerDesired?.peer,
      CARMEN,
    );
  });

  it('R161: one that is to leave stops what it has, and takes no more', () => {
    const { farm, running } = working();
    const leaving = (wanted: boolean, counter: number): NodeRecord => {
      const value = { wanted, reason: '' };
      const field = signField(signer(BELEN), 'node-field', `${BELEN}/leaving`, value, counter);
      return { kind: 'node', peer: BELEN, fields: { leaving: field } };
    };
    const effects = farm.step({ kind: 'records', from: BELEN, records: [leaving(true, 1)] });
    assert.ok(stopsTo(BELEN, effects).includes(running.attempt));
    const reasons = sentTo(BELEN, 'stop', effects).map(({ reason }) => reason);
    assert.deepEqual([...new Set(reasons)], ['This machine leaves the farm.']);
    const view = () => farm.core.nodes().find(({ peer }) => peer === BELEN);
    assert.equal(view()?.leaving, true);
    assert.equal(view()?.live.idleReason, 'It is leaving the farm.');
    assert.equal(view()?.desired, 'active', 'nobody wants it otherwise');
    assert.deepEqual(grantsTo(BELEN, farm.ended(BELEN, running, 'stopped')), []);
    const claim = { kind: 'claim', peer: BELEN, sequence: 9, wants: 0, slots: 1, bundles: [] } as const;
    const idleReason = 'It leaves once its results are copied.';
    farm.message(BELEN, { ...claim, bundles: [], capabilities: capabilities(), idleReason });
    assert.equal(view()?.live.idleReason, idleReason, 'in its own words');
    farm.step({ kind: 'records', from: BELEN, records: [leaving(false, 2)] });
    assert.equal(view()?.leaving, false);
  });

  it('R161: leaves as well where an artist of its farm says so, and not at the word of any other', () => {
    const field = signField(
      signer(CARMEN),
      'node-field',
      `${BELEN}/leaving`,
      { wanted: true, reason: '' },
      1,
    );
    const record: NodeRecord = { kind: 'node', peer: BELEN, fields: { leaving: field } };
    const isLeaving = (farm: Farm): boolean | undefined => {
      farm.step({ kind: 'records', from: CARMEN, records: [record] });
      return farm.core.nodes().find(({ peer }) => peer === BELEN)?.leaving;
    };
    assert.equal(isLeaving(leading(BELEN, CARMEN)), true);
    assert.equal(isLeaving(leading(BELEN)), false);
    assert.equal(isLeaving(working().farm), false, 'nobody is an artist of no farm');
  });
});
