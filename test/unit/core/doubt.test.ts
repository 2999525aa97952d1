import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Grant, JobRecord } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, DOLORES, Farm, framesPlan, grantsTo, SELF } from './farm.ts';
import {
  beaconOf,
  farmOf,
  following,
  granted,
  grantOf,
  leading,
  learn,
  meeting,
  pulseOf,
  sentTo,
} from './members.ts';

/** This node's own time stood still, and its input is waiting. */
const gap = (farm: Farm, ms: number): CoreEffect[] => {
  farm.now += ms;
  return farm.step({ kind: 'gap', ms });
};

/** Belén and Carmen run a task each. */
function working(): { farm: Farm; record: JobRecord; belens: Grant; carmens: Grant } {
  const farm = leading(BELEN, CARMEN);
  const record = farm.submit(framesPlan('1-2'));
  const [belens] = grantsTo(BELEN, farm.effects);
  const [carmens] = grantsTo(CARMEN, farm.effects);
  assert.ok(belens && carmens);
  farm.message(BELEN, beaconOf(BELEN, [belens]));
  farm.message(CARMEN, beaconOf(CARMEN, [carmens]));
  return { farm, record, belens, carmens };
}

const lost = (farm: Farm, record: JobRecord): number[] =>
  farm.core.tasks(record.id, { offset: 0, limit: 9 }).tasks.map((task) => task.failures);

/** Another job, with its plan, and what follows. */
function submitMore(farm: Farm): CoreEffect[] {
  const before = farm.effects.length;
  farm.submit(framesPlan('1-4'), { id: 2 });
  return farm.effects.slice(before);
}

describe('a coordinator that led before', () => {
  it('R52: does not take a pause that ended while another led for a time in which it stood still', () => {
    const { farm, belens } = working();
    farm.ended(BELEN, belens, 'failure');
    farm.message(CARMEN, pulseOf({ term: 9, peer: CARMEN }, { followers: 9 }));
    assert.ok(!farm.core.isCoordinator);
    for (let sequence = 2; sequence < 30; sequence++) {
      farm.advance(1_000);
      farm.message(CARMEN, pulseOf({ term: 9, peer: CARMEN }, { sequence }));
    }
    const effects = [
      ...farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' }),
      ...farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' }),
    ];
    assert.ok(farm.core.isCoordinator);
    const wakes = effects.flatMap((effect) => (effect.kind === 'wake-at' ? (effect.at ?? []) : []));
    assert.ok(wakes.length > 0);
    assert.deepEqual(
      wakes.filter((at) => at < farm.now),
      [],
    );
  });
});

describe('a coordinator whose own time stood still', () => {
  it('R52: accuses nobody before it has heard a member', () => {
    const { farm, record } = working();
    gap(farm, 60_000);
    farm.advance(60_000);
    assert.deepEqual(lost(farm, record), [0, 0]);
    assert.ok(farm.core.nodes().every(({ live }) => live.reachable));
  });

  it('R52: does not ask to be woken for what has to wait until it has heard a member', () => {
    const { farm } = working();
    const effects = [...gap(farm, 60_000), ...farm.advance(60_000), ...farm.advance(1)];
    const wakes = effects.filter((effect) => effect.kind === 'wake-at');
    const next = wakes.at(-1)?.at ?? Number.POSITIVE_INFINITY;
    assert.ok(next > farm.now, 'a wake in the past would be asked for again without end');
  });

  it('R52: moves the ends of leases by the gap', () => {
    const { farm, record, belens, carmens } = working();
    farm.advance(3_000);
    farm.message(BELEN, beaconOf(BELEN, [belens]));
    farm.message(CARMEN, beaconOf(CARMEN, [carmens]));
    gap(farm, 60_000);
    const effects = [...farm.message(BELEN, beaconOf(BELEN, [belens]))];
    assert.deepEqual(lost(farm, record), [0, 0], 'Carmen may have spoken meanwhile as well');
    farm.advance(3_999);
    assert.deepEqual(lost(farm, record), [0, 0]);
    farm.message(BELEN, beaconOf(BELEN, [belens]));
    farm.advance(1);
    assert.deepEqual(lost(farm, record), [0, 1], 'and then the silence counts');
    assert.deepEqual(granted(effects), []);
  });

  it('R52: moves the ends of leases that it had only just granted by the gap', () => {
    const farm = leading(BELEN, CARMEN);
    farm.advance(3_000);
    const record = farm.submit(framesPlan('1-2'));
    gap(farm, 60_000);
    farm.message(BELEN, beaconOf(BELEN, grantsTo(BELEN, farm.effects)));
    farm.advance(3_999);
    assert.deepEqual(lost(farm, record), [0, 0]);
  });

  it('R52: moves the end that a refused redial sets by the gap', () => {
    const { farm, record, belens } = working();
    farm.step({ kind: 'peer', peer: CARMEN, state: 'refused' });
    gap(farm, 60_000);
    farm.message(BELEN, beaconOf(BELEN, [belens]));
    farm.advance(1_999);
    assert.deepEqual(lost(farm, record), [0, 0]);
    farm.advance(1);
    assert.deepEqual(lost(farm, record), [0, 1]);
  });

  it('R50: grants nothing and says no pulse before it has heard a member, and then both', () => {
    const { farm } = working();
    gap(farm, 5_000);
    const silent = [...submitMore(farm), ...farm.advance(2_000)];
    assert.deepEqual(granted(silent), []);
    assert.equal(
      silent.some((effect) => effect.kind === 'gossip' && effect.message.kind === 'pulse'),
      false,
    );
    const heard = farm.message(BELEN, beaconOf(BELEN, []));
    assert.ok(granted(heard).length > 0);
    assert.ok(heard.some((effect) => effect.kind === 'gossip' && effect.message.kind === 'pulse'));
  });

  it('R42: names nobody stale for the gap', () => {
    const { farm, belens } = working();
    gap(farm, 60_000);
    const effects = farm.message(BELEN, beaconOf(BELEN, [belens]));
    const [pulse] = sentTo(BELEN, 'pulse', effects);
    assert.deepEqual([pulse?.followers, pulse?.stale], [0, []]);
  });

  it('R115: keeps its followers through a gap in which nobody could have stood', () => {
    const { farm, belens } = working();
    gap(farm, 1_499);
    const [pulse] = sentTo(BELEN, 'pulse', farm.message(BELEN, beaconOf(BELEN, [belens])));
    assert.equal(pulse?.followers, 2);
  });

  it('R115: counts nobody that it has not heard a beacon’s interval after a longer one', () => {
    const { farm, belens, carmens } = working();
    gap(farm, 1_500);
    const beacons = (): CoreEffect[] => [
      ...farm.message(BELEN, beaconOf(BELEN, [belens])),
      ...farm.message(CARMEN, beaconOf(CARMEN, [carmens])),
    ];
    const told = (effects: readonly CoreEffect[]): number | undefined =>
      sentTo(BELEN, 'pulse', effects).at(-1)?.followers;
    assert.equal(told(beacons()), 0, 'these were said before, or may have been');
    assert.equal(told(farm.advance(500)), 0);
    farm.advance(499);
    beacons();
    assert.equal(told(farm.advance(1)), 0);
    beacons();
    assert.equal(told(farm.advance(500)), 2);
    assert.deepEqual(lost(farm, farm.core.jobRecord('jobaaaaaaaaaaaab') as JobRecord), [0, 0]);
  });

  it('R115: does not unseat the one that stood meanwhile, whose followers are its own of before', () => {
    const { farm } = working();
    const belens = { term: 9, peer: BELEN };
    gap(farm, 30_000);
    farm.message(CARMEN, beaconOf(CARMEN, []));
    farm.message(BELEN, pulseOf(belens, { followers: 1 }));
    assert.deepEqual(farm.core.epoch, belens);
  });

  it('R115: gives way to whom the others chose meanwhile, however long it led before', () => {
    const { farm } = working();
    gap(farm, 10_000);
    farm.message(CARMEN, pulseOf({ term: 9, peer: CARMEN }, { followers: 1 }));
    assert.deepEqual(farm.core.epoch, { term: 9, peer: CARMEN });
  });

  it('R43: waits for the answers that came meanwhile: its collection is longer by the gap', () => {
    const farm = meeting(BELEN, CARMEN).work({ accepting: false });
    for (const peer of [BELEN, CARMEN]) farm.claim(peer);
    farm.submit(framesPlan('1-2'));
    farm.advance(3_000);
    assert.ok(farm.core.isCoordinator);
    gap(farm, 10_000);
    assert.deepEqual(
      granted(farm.message(BELEN, beaconOf(BELEN, []))),
      [],
      "Carmen's answer may be the next input",
    );
    assert.equal(granted(farm.advance(100)).length, 2);
  });

  it('R52: doubts nothing where nobody could be heard', () => {
    const farm = new Farm().start();
    gap(farm, 60_000);
    farm.submit(framesPlan('1'));
    assert.equal(farm.held().length, 1);
  });

  it('R52: has nobody to wait for once all are cut off', () => {
    const { farm, record } = working();
    gap(farm, 60_000);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.advance(4_000);
    assert.deepEqual(lost(farm, record), [0, 0], 'there is Carmen to be heard');
    farm.step({ kind: 'peer', peer: CARMEN, state: 'lost' });
    farm.advance(0);
    assert.deepEqual(lost(farm, record), [1, 1]);
  });
});

describe('a member whose own time stood still', () => {
  const BELENS = { term: 5, peer: BELEN };

  it('R44: does not stand before it has heard a member', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    gap(farm, 60_000);
    farm.advance(60_000);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2 }));
    farm.advance(1_000);
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('R42, R44: has heard a member also where a pulse came once more by gossip', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    const again = { kind: 'message', from: BELEN, message: pulseOf(BELENS), gossiped: true } as const;
    assert.deepEqual(farm.step(again), []);
    gap(farm, 60_000);
    farm.step(again);
    farm.advance(5_000);
    assert.ok(
      farm.core.isCoordinator,
      'it no longer waits, and counts the silence since that pulse first came',
    );
  });

  it('R44: counts the silence of its coordinator without the gap', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(2_000);
    gap(farm, 60_000);
    farm.message(CARMEN, { kind: 'doubt', epoch: BELENS });
    farm.advance(2_999);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator, '5 s of its own time without a pulse');
  });

  it('R44: does not stand either where the only member that it reaches is the one it has to hear', () => {
    const farm = following(BELENS);
    gap(farm, 1);
    farm.advance(60_000);
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('R44: doubts nothing where no time was lost', () => {
    for (const ms of [0, -1]) {
      const farm = following(BELENS);
      farm.step({ kind: 'gap', ms });
      farm.advance(5_000);
      assert.ok(farm.core.isCoordinator);
    }
  });

  /** A second successor. It hears Carmen after its gap, which says nothing of the coordinator. */
  function second(): { farm: Farm; doubt: (ms: number) => void; standsAfter: (ms: number) => void } {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN, SELF] }));
    return {
      farm,
      doubt: (ms) => {
        gap(farm, ms);
        farm.message(CARMEN, { kind: 'doubt', epoch: BELENS });
      },
      standsAfter: (ms) => {
        farm.advance(ms - 1);
        assert.deepEqual(farm.core.epoch, BELENS);
        farm.advance(1);
        assert.ok(farm.core.isCoordinator);
      },
    };
  }

  it('R44: counts the time since a cut without the gap', () => {
    const { farm, doubt, standsAfter } = second();
    farm.advance(1_900);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    doubt(1_000);
    standsAfter(150);
  });

  it('R44: counts the time since a refused redial without the gap', () => {
    const { farm, doubt, standsAfter } = second();
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    farm.advance(100);
    doubt(1_000);
    standsAfter(50);
  });

  it('R105: counts the time since its question without the gap', () => {
    const { farm, doubt, standsAfter } = second();
    farm.advance(2_000);
    farm.message(CARMEN, { kind: 'doubt-answer', epoch: BELENS, lost: true });
    farm.advance(100);
    doubt(1_000);
    // One that doesn't answer is waited for as long as a pulse, and the second successor waits 150 ms more.
    standsAfter(550);
  });

  it('R44: looks for a coordinator so long of its own time, alone and among members', () => {
    const alone = new Farm(farmOf(BELEN)).start();
    alone.advance(1_000);
    gap(alone, 9_000);
    alone.advance(3_999);
    assert.equal(alone.core.epoch, undefined);
    alone.advance(1);
    assert.ok(alone.core.isCoordinator);
    const among = meeting(BELEN);
    among.advance(1_000);
    gap(among, 9_000);
    among.message(BELEN, beaconOf(BELEN, []));
    among.advance(1_999);
    assert.equal(among.core.epoch, undefined);
    among.advance(1);
    assert.ok(among.core.isCoordinator);
  });

  it('R52: gives back no grant whose plan may have come meanwhile', () => {
    const farm = following(BELENS, CARMEN);
    const grant = grantOf(BELENS, 1, 'jobaaaaaaaaaaaab', 0);
    farm.message(BELEN, { kind: 'grants', epoch: BELENS, grants: [grant] });
    assert.deepEqual(sentTo(BELEN, 'result', gap(farm, 60_000)), []);
    const job = learn(farm, framesPlan('1-2'), BELEN);
    assert.equal(job, grant.job);
    assert.deepEqual(farm.heldIndices(), [0]);
  });
});
