import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  attemptKey,
  signRemoval,
  type Grant,
  type KnownRecord,
  type MemberRecord,
  type Pulse,
  type TaskRecord,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, grantsTo, jobRecord, SELF, signer } from './farm.ts';
import {
  beaconOf,
  farmOf,
  farmRecord,
  following,
  FARM,
  granted,
  grantOf,
  leading,
  learn,
  meeting,
  memberOf,
  pulseOf,
  rowOf,
  sentTo,
} from './members.ts';

/** A member's record with another's word that it is removed. */
const removed = (member: MemberRecord, by = SELF): MemberRecord => ({
  ...member,
  removals: { [by]: signRemoval(signer(by), member.peer, { reason: 'sold', wallTime: 2 }) },
});
const removal = (peer: string): KnownRecord => removed(memberOf(peer));

/** A reign of Belén, or one that she or another would begin. */
const reignOf = (peer: string, term = 5) => ({ term, peer });

const pulsesIn = (effects: readonly CoreEffect[]): Pulse[] =>
  effects.flatMap((effect) =>
    effect.kind === 'gossip' && effect.message.kind === 'pulse' ? [effect.message] : [],
  );
const sendsTo = (peer: string, effects: readonly CoreEffect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'send' && effect.to === peer ? [effect.message.kind] : []));

/** What Belén was granted before she was removed, and the farm that knows of it. */
function removedAtWork(): { farm: Farm; id: string; grants: Grant[] } {
  const farm = leading(BELEN, CARMEN);
  farm.claim(CARMEN, { sequence: 2, wants: 0 });
  const { id } = farm.submit(framesPlan('1-2'));
  const grants = grantsTo(BELEN, farm.effects);
  assert.equal(grants.length, 2);
  farm.beacon(BELEN, grants.slice(0, 1));
  farm.records(removal(BELEN));
  return { farm, id, grants };
}

describe('R191: at its coordinator a machine that is out', () => {
  it('is no follower and no successor from the moment at which that is known', () => {
    const farm = leading(BELEN, CARMEN);
    const [before] = pulsesIn(farm.advance(500));
    assert.deepEqual([before?.successors, before?.followers], [[BELEN, CARMEN], 2]);
    farm.records(removal(BELEN));
    const [at] = pulsesIn(farm.advance(500));
    assert.deepEqual([at?.successors, at?.followers], [[CARMEN], 1], 'what it said before counts no more');
    farm.beacon(BELEN, []);
    const [after] = pulsesIn(farm.advance(500));
    assert.deepEqual([after?.successors, after?.followers], [[CARMEN], 1], 'nor what it says since');
  });

  it('keeps no task from others by saying that it runs it', () => {
    const { farm, id, grants } = removedAtWork();
    farm.beacon(BELEN, [...grants, grantOf(reignOf(DOLORES, 1), 7, id, 0)]);
    const effects = farm.claim(CARMEN, { sequence: 3 });
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 1`]);
    assert.deepEqual(sendsTo(BELEN, farm.beacon(BELEN, grants)), [], 'and gets no answer');
  });

  it('makes no result any more', () => {
    const { farm, id, grants } = removedAtWork();
    farm.ended(BELEN, grants[0] as Grant, 'result');
    assert.equal(farm.core.taskState(id, 0), 'open');
    assert.equal(farm.core.ignored()['no-member'], 1);
    const effects = farm.claim(CARMEN, { sequence: 3 });
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 1`]);
  });

  it('leaves no lost attempt behind', () => {
    const { farm, id } = removedAtWork();
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.beacon(CARMEN, []);
    farm.advance(10_000);
    assert.deepEqual(farm.core.tasksWithFailure(id), []);
    assert.equal(farm.core.accused()['lost-attempt'], undefined);
  });

  it('holds nothing of a job whose plan comes only then', () => {
    const farm = leading(BELEN, CARMEN);
    const plan = framesPlan('1');
    const record = jobRecord(plan, { author: CARMEN });
    farm.step({ kind: 'records', from: CARMEN, records: [record] });
    farm.message(BELEN, beaconOf(BELEN, [grantOf(reignOf(DOLORES, 1), 1, record.id, 0)]));
    farm.records(removal(BELEN));
    const effects = farm.step({ kind: 'plan', job: record.id, plan });
    assert.deepEqual(granted(effects), [`${CARMEN} 0`]);
  });

  it('ends no doubt of a node that stood still', () => {
    const farm = leading(BELEN, CARMEN);
    farm.submit(framesPlan('1-9'));
    farm.step({ kind: 'gap', ms: 60_000 });
    farm.records(removal(BELEN));
    farm.beacon(BELEN, []);
    assert.deepEqual(pulsesIn(farm.advance(1_000)), [], 'it has heard no member yet');
    farm.beacon(CARMEN, []);
    assert.equal(pulsesIn(farm.effects).length > 0, true);
  });

  it('unseats nobody, and is answered by nothing', () => {
    const farm = leading(BELEN, CARMEN);
    farm.records(removal(BELEN));
    const epoch = reignOf(BELEN, 99);
    const effects = [
      ...farm.message(BELEN, pulseOf(epoch, { followers: 9 })),
      ...farm.message(BELEN, { kind: 'collect', epoch }),
      ...farm.message(BELEN, { kind: 'doubt', epoch }),
    ];
    assert.equal(farm.core.epoch?.peer, SELF);
    assert.deepEqual(sendsTo(BELEN, effects), []);
  });
});

describe('R191: at others a machine that is out', () => {
  it('is obeyed no more, also while its reign is still followed', () => {
    const farm = following(reignOf(BELEN), CARMEN);
    const id = learn(farm, framesPlan('1-4'), CARMEN);
    const grants = [grantOf(reignOf(BELEN), 1, id, 0)];
    farm.records(removed(memberOf(BELEN)));
    farm.message(BELEN, { kind: 'grants', epoch: reignOf(BELEN), grants });
    assert.deepEqual(farm.held(), []);
    farm.message(BELEN, pulseOf(reignOf(BELEN), { sequence: 2, rows: [rowOf(CARMEN, grants)] }));
    assert.equal(farm.core.taskState(id, 0), 'open');
  });

  it('is no coordinator to who looks for one', () => {
    const farm = meeting(BELEN, CARMEN);
    farm.records(removal(BELEN));
    farm.message(BELEN, pulseOf(reignOf(BELEN)));
    farm.message(BELEN, { kind: 'collect', epoch: reignOf(BELEN) });
    assert.equal(farm.core.epoch, undefined);
  });

  it('is followed by nobody to whom a coordinator yields that does not know so', () => {
    const farm = following(reignOf(CARMEN), BELEN, DOLORES);
    farm.records(removal(BELEN));
    const to = reignOf(BELEN, 9);
    const effects = farm.message(CARMEN, { kind: 'yield', epoch: reignOf(CARMEN), to });
    assert.deepEqual(farm.core.epoch, reignOf(CARMEN));
    assert.deepEqual(sendsTo(BELEN, effects), []);
  });

  it('holds nothing by the word of a coordinator that does not know so', () => {
    const farm = following(reignOf(CARMEN), BELEN, DOLORES);
    const id = learn(farm, framesPlan('1'), CARMEN);
    farm.records(removal(BELEN));
    const row = rowOf(BELEN, [grantOf(reignOf(CARMEN), 1, id, 0)]);
    farm.message(CARMEN, pulseOf(reignOf(CARMEN), { sequence: 2, rows: [row], successors: [SELF] }));
    farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' });
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    assert.ok(farm.core.isCoordinator);
    farm.beacon(DOLORES, []);
    const effects = farm.advance(200);
    assert.deepEqual(granted([...farm.effects, ...effects]), [`${SELF} 0`]);
  });
});

describe('R24, R191: a removal that takes effect by a record that comes later', () => {
  /** Carmen's word about Belén, of whom it is known only then that she may say so. */
  const word = removed(memberOf(BELEN), CARMEN);
  const founded: KnownRecord[] = [farmRecord(), memberOf(SELF), memberOf(BELEN)];

  it('withdraws what its machine holds', () => {
    const farm = new Farm(founded).start();
    const record = jobRecord(framesPlan('1'), { author: BELEN });
    farm.step({ kind: 'records', from: CARMEN, records: [record, word] });
    assert.equal(farm.core.jobRecord(record.id)?.holders.plan[BELEN]?.held, true, 'so far it has no effect');
    farm.step({ kind: 'records', from: CARMEN, records: [memberOf(CARMEN)] });
    assert.equal(farm.core.jobRecord(record.id)?.holders.plan[BELEN]?.held, false);
  });

  it('takes back what it runs', () => {
    const farm = leading(BELEN, DOLORES);
    farm.submit(framesPlan('1-9'));
    farm.records(word);
    assert.deepEqual(sendsTo(BELEN, farm.records(memberOf(CARMEN))), ['stop', 'stop']);
  });
});

describe('R129, R191: a machine that was let in by one that is removed', () => {
  const letIn = (): Farm => {
    const farm = new Farm([...farmOf(BELEN, CARMEN), memberOf(DOLORES, FARM, BELEN)]).start();
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.step({ kind: 'peer', peer, state: 'reachable' });
    farm.work({ accepting: false });
    farm.advance(3_000);
    for (const peer of [BELEN, CARMEN, DOLORES]) farm.beacon(peer, []);
    farm.claim(DOLORES);
    farm.submit(framesPlan('1-4'));
    return farm;
  };

  it('is out as well: it is heard no more, and what it was granted goes to others', () => {
    const farm = letIn();
    const grants = grantsTo(DOLORES, farm.effects);
    assert.equal(grants.length, 2);
    farm.records(removal(BELEN));
    farm.beacon(DOLORES, grants);
    farm.claim(DOLORES, { sequence: 2, slots: 4 });
    const effects = farm.claim(CARMEN);
    assert.deepEqual(granted(effects), [`${CARMEN} 0`, `${CARMEN} 1`]);
    const [pulse] = pulsesIn(farm.advance(500));
    assert.deepEqual([pulse?.successors, pulse?.followers], [[CARMEN], 1]);
  });

  it('is heard again once somebody else lets it in', () => {
    const farm = letIn();
    farm.records(removal(BELEN));
    farm.records(memberOf(DOLORES));
    const [first] = grantsTo(DOLORES, farm.claim(DOLORES, { sequence: 2 }));
    assert.ok(first !== undefined);
    const { job, task } = first;
    farm.ended(DOLORES, first, 'result');
    const record = farm.core.record(`task/${job}/${String(task).padStart(10, '0')}`) as TaskRecord;
    assert.equal(record.results[attemptKey(first.attempt)]?.peer, DOLORES);
  });
});

it('R191: a connection is of no use to who is out, and nothing is said on it', () => {
  const farm = leading(CARMEN);
  farm.records(removed(memberOf(BELEN)));
  const effects = farm.step({ kind: 'peer', peer: BELEN, state: 'reachable' });
  assert.deepEqual(sendsTo(BELEN, [...effects, ...farm.advance(500)]), []);
  assert.deepEqual(sentTo(BELEN, 'claim', farm.effects), []);
});

describe('R191: nobody is out', () => {
  it('R129: of a machine by itself: where who let it in was removed, it goes on with what it has', () => {
    const farm = new Farm([farmRecord(FARM, { founder: CARMEN }), memberOf(SELF, FARM, BELEN)]).start();
    farm.records(memberOf(CARMEN, FARM, CARMEN), memberOf(BELEN, FARM, CARMEN));
    farm.submit(framesPlan('1-4'), { author: CARMEN });
    farm.advance(10_000);
    assert.equal(farm.held().length, 2);
    const effects = farm.records(removed(memberOf(BELEN, FARM, CARMEN), CARMEN));
    assert.deepEqual(
      effects.filter(({ kind }) => kind === 'stop-attempt'),
      [],
    );
    for (const { grant } of farm.held()) farm.finish(grant.attempt);
    assert.equal(farm.held().length, 2);
  });

  it('before it is known of which farm', () => {
    const farm = new Farm([memberOf(BELEN)]).start();
    farm.message(BELEN, pulseOf(reignOf(BELEN, 99), { followers: 9 }));
    assert.deepEqual(farm.core.ignored(), {});
  });
});
