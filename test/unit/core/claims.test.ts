import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Claim, signRemoval } from '@cuadro/protocol';
import { claimsNothing } from '../../../node/src/core/claims.ts';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, capabilities, Farm, framesPlan, grantsTo, SELF, signer, stopsTo } from './farm.ts';
import { beaconOf, following, leading, meeting, memberOf, sentTo } from './members.ts';

const gossiped = (effects: readonly CoreEffect[]): Claim[] =>
  effects.flatMap((effect) =>
    effect.kind === 'gossip' && effect.message.kind === 'claim' ? effect.message : [],
  );

const worker = (
  farm: Farm,
  slots: number,
  more: { accepting?: boolean; idleReason?: string } = {},
): CoreEffect[] =>
  farm.step({ kind: 'worker', capabilities: capabilities(), slots, bundles: [], accepting: true, ...more });

describe("R50: this machine's own claim", () => {
  it('wants its slots and one ahead for each, nothing while it takes no work, and says why', () => {
    const farm = meeting(BELEN);
    const [first] = gossiped(worker(farm, 3));
    assert.deepEqual([first?.peer, first?.slots, first?.wants], [SELF, 3, 6]);
    assert.ok(first && !('idleReason' in first));
    const [second] = gossiped(worker(farm, 3, { accepting: false, idleReason: 'The disk is full.' }));
    assert.deepEqual([second?.slots, second?.wants, second?.idleReason], [3, 0, 'The disk is full.']);
    assert.equal(second?.sequence, first.sequence + 1, 'a later one has the higher sequence');
  });

  it('R149: is told from all else that a step gives where it wants nothing, by whichever way it goes', () => {
    const farm = following({ term: 5, peer: BELEN }, BELEN);
    const ways = (effects: readonly CoreEffect[]): string[] =>
      effects.filter(claimsNothing).map(({ kind }) => kind);
    const withdrawn = worker(farm, 1, { accepting: false });
    assert.deepEqual(ways(withdrawn), ['gossip', 'send']);
    assert.ok(withdrawn.length > 2, 'a step gives more than its claim');
    assert.deepEqual(ways(worker(farm, 1)), []);
    const [claim] = sentTo(BELEN, 'claim', withdrawn);
    assert.ok(claim);
    assert.equal(claimsNothing({ kind: 'send', to: BELEN, message: { ...claim, wants: 1 } }), false);
    // Another message may have a field of this name and value: only its kind tells it from a claim.
    const other = { ...beaconOf(SELF, []), wants: 0 };
    assert.equal(claimsNothing({ kind: 'send', to: BELEN, message: other }), false);
    const begun = {
      kind: 'stop-attempt',
      message: claim,
      attempt: { epoch: { term: 5, peer: BELEN }, sequence: 1 },
      reason: '',
    };
    assert.equal(claimsNothing(begun as unknown as CoreEffect), false);
  });

  it('is gossiped where there is one other member, and not where there is none', () => {
    assert.equal(gossiped(worker(meeting(BELEN), 1)).length, 1);
    assert.equal(gossiped(worker(new Farm().start(), 1)).length, 0);
  });

  it('goes to the coordinator directly as well, once it is followed', () => {
    const epoch = { term: 5, peer: BELEN };
    assert.equal(sentTo(BELEN, 'claim', worker(following(epoch, CARMEN), 1)).length, 1);
    assert.equal(sentTo(BELEN, 'claim', worker(meeting(BELEN), 1)).length, 0);
  });
});

describe("R50: another machine's claim", () => {
  /** Belén runs a task and keeps one ahead. */
  function working() {
    const farm = leading(BELEN);
    farm.submit(framesPlan('1-9'));
    const [running, ahead] = grantsTo(BELEN, farm.effects);
    assert.ok(running && ahead);
    farm.message(BELEN, beaconOf(BELEN, [running], [ahead]));
    return { farm, running, ahead };
  }

  const reasonsTo = (effects: readonly CoreEffect[]): string[] =>
    sentTo(BELEN, 'stop', effects).map(({ reason }) => reason);

  it('leaves what it keeps ahead where it goes on taking work', () => {
    const { farm } = working();
    assert.deepEqual(stopsTo(BELEN, farm.claim(BELEN, { sequence: 2 })), []);
    assert.deepEqual(stopsTo(BELEN, farm.claim(BELEN, { sequence: 3, slots: 2 })), []);
  });

  it('takes back what it keeps ahead where it takes no more, once, and says so', () => {
    const { farm, ahead } = working();
    const effects = farm.claim(BELEN, { wants: 0, sequence: 2 });
    assert.deepEqual(stopsTo(BELEN, effects), [ahead.attempt]);
    assert.deepEqual(reasonsTo(effects), ['This machine takes no work now.']);
    assert.deepEqual(stopsTo(BELEN, farm.claim(BELEN, { wants: 0, sequence: 3 })), []);
  });

  it('says in its own words why it takes no more', () => {
    const { farm } = working();
    const claim: Claim = {
      kind: 'claim',
      peer: BELEN,
      sequence: 2,
      wants: 0,
      slots: 1,
      capabilities: capabilities(),
      bundles: [],
      idleReason: 'The disk is full.',
    };
    const effects = farm.message(BELEN, claim);
    assert.deepEqual(reasonsTo(effects), ['The disk is full.']);
    assert.ok(effects.some((effect) => effect.kind === 'changed' && effect.changes.farm));
  });

  it('R166: tells which scenes it has, as long as it is a member', () => {
    const [scene, another] = ['a'.repeat(64), 'b'.repeat(64)];
    const farm = meeting(BELEN, CARMEN);
    const can = { capabilities: capabilities(), slots: 1, wants: 2 };
    const claims = (peer: string, sequence: number, bundles: string[]): void => {
      farm.message(peer, { kind: 'claim', peer, sequence, ...can, bundles });
    };
    farm.step({ kind: 'worker', ...can, bundles: [scene], accepting: true });
    assert.deepEqual(farm.core.claimantsOf(scene), [], 'not of itself');
    claims(BELEN, 1, [another, scene]);
    claims(CARMEN, 1, [scene]);
    assert.deepEqual(farm.core.claimantsOf(scene).sort(), [BELEN, CARMEN].sort());
    assert.deepEqual(farm.core.claimantsOf(another), [BELEN]);
    claims(BELEN, 2, [another]);
    assert.deepEqual(farm.core.claimantsOf(scene), [CARMEN]);
    const removal = signRemoval(signer(SELF), CARMEN, { reason: 'sold', wallTime: 1 });
    farm.records({ ...memberOf(CARMEN), removals: { [SELF]: removal } });
    assert.deepEqual(farm.core.claimantsOf(scene), []);
  });

  for (const [why, change, reason] of [
    ['it takes no more', { wants: 0 }, 'This machine takes no work now.'],
    ['it takes no more, in its own words', { wants: 0, idleReason: 'It is hot.' }, 'It is hot.'],
    ['another has the task', { wants: 1 }, 'Another machine has this task, or it has ended.'],
  ] as const)
    it(`R114: stops what its beacon lists as kept ahead, and says that ${why}`, () => {
      const { farm, running, ahead } = working();
      const can = { capabilities: capabilities(), slots: 1, bundles: [] };
      farm.message(CARMEN, { kind: 'claim', peer: CARMEN, sequence: 1, ...can, ...change });
      const other = { ...running, attempt: { epoch: { term: 0, peer: CARMEN }, sequence: 9 } };
      const effects = farm.message(CARMEN, beaconOf(CARMEN, [], [other]));
      assert.deepEqual(
        sentTo(CARMEN, 'stop', effects).map(({ attempts, reason: told }) => [attempts, told]),
        [[[other.attempt], reason]],
      );
      assert.deepEqual(stopsTo(BELEN, farm.message(BELEN, beaconOf(BELEN, [running], [ahead]))), []);
    });
});
