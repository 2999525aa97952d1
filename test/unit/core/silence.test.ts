import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from './cluster.ts';
import { BELEN, CARMEN, DOLORES, SELF } from './farm.ts';
import { following, pulseOf, sentTo } from './members.ts';

const SEEDS = Array.from({ length: Number(process.env['CUADRO_SEEDS'] ?? 8) }, (_, i) => i + 1);

describe('R105: a coordinator whose cable is pulled', () => {
  for (const seed of SEEDS) {
    it(`is followed by another within 3 s, well before its connections are found dead (seed ${seed})`, () => {
      const cluster = led(5, seed);
      const before = cluster.leader() as number;
      const took = pull(cluster, [before]);
      assert.ok(took >= 1_500 && took <= 3_000, `${took} ms without one`);
    });

    it(`is followed by the second successor when the first is cut off with it (seed ${seed})`, () => {
      const cluster = led(5, seed);
      const before = cluster.leader() as number;
      cluster.kill(before);
      cluster.until('the first successor leads', () => cluster.leader() !== undefined);
      const first = cluster.leader() as number;
      cluster.start(before);
      cluster.run(5_000);
      cluster.kill(first);
      cluster.until('the second successor leads', () => cluster.leader() !== undefined);
      const second = cluster.leader() as number;
      cluster.start(first);
      cluster.run(5_000);
      assert.equal(cluster.leader(), second);
      const took = pull(cluster, [second, before]);
      assert.ok(took <= 3_000, `${took} ms without one`);
    });
  }

  it('is followed within 3 s where there are only two', () => {
    const cluster = led(2, 1);
    const took = pull(cluster, [cluster.leader() as number]);
    assert.ok(took <= 3_000, `${took} ms without one`);
  });
});

describe('R105: a successor that misses pulses', () => {
  const BELENS = { term: 5, peer: BELEN };
  const doubt = { kind: 'doubt', epoch: BELENS } as const;
  const answer = (lost: boolean) => ({ kind: 'doubt-answer', epoch: BELENS, lost }) as const;

  it('asks after four, and stands at once when all have missed theirs', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    assert.deepEqual(sentTo(CARMEN, 'doubt', farm.advance(1_999)), []);
    const asked = farm.advance(1);
    for (const peer of [CARMEN, DOLORES]) assert.deepEqual(sentTo(peer, 'doubt', asked), [doubt]);
    farm.message(CARMEN, answer(true));
    assert.deepEqual(farm.core.epoch, BELENS, 'another may still hear it');
    farm.message(DOLORES, answer(true));
    assert.ok(farm.core.isCoordinator);
  });

  it('does not stand while one of the others hears them', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(2_000);
    farm.message(CARMEN, answer(true));
    farm.message(DOLORES, answer(false));
    farm.advance(2_900);
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('waits for those that do not answer as long as one pulse', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(2_000);
    farm.message(CARMEN, answer(true));
    farm.advance(499);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });

  it('does not stand when nobody answers: then it is itself that is cut off', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(4_900);
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('forgets what it was told of a silence that has ended', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(2_000);
    farm.message(CARMEN, answer(true));
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2 }));
    farm.advance(1_999);
    farm.message(DOLORES, answer(true));
    assert.deepEqual(farm.core.epoch, BELENS);
  });

  it('asks three others, however many there are', () => {
    const others = ['E', 'F', 'G', 'H'].map((letter) => `12D3KooW${letter.repeat(12)}`);
    const farm = following(BELENS, CARMEN, ...others);
    const effects = farm.advance(2_000);
    const asked = [CARMEN, ...others].filter((peer) => sentTo(peer, 'doubt', effects).length > 0);
    assert.equal(asked.length, 3);
  });

  it('stands after five missed pulses where it reaches nobody whom it could ask', () => {
    const farm = following(BELENS);
    farm.advance(2_499);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });

  it('asks the only other one there is, too', () => {
    const farm = following(BELENS, CARMEN);
    assert.deepEqual(sentTo(CARMEN, 'doubt', farm.advance(2_000)), [doubt]);
    farm.message(CARMEN, answer(true));
    assert.ok(farm.core.isCoordinator);
  });

  it('leaves the asking to those that are named', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN] }));
    assert.deepEqual(sentTo(DOLORES, 'doubt', farm.advance(2_000)), []);
  });

  it('says itself that it misses them once it has missed three', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.advance(1_499);
    assert.deepEqual(sentTo(CARMEN, 'doubt-answer', farm.message(CARMEN, doubt)), [answer(false)]);
    farm.advance(1);
    assert.deepEqual(sentTo(CARMEN, 'doubt-answer', farm.message(CARMEN, doubt)), [answer(true)]);
  });
});

describe('R44: a successor whose connection to its coordinator is reset', () => {
  const BELENS = { term: 5, peer: BELEN };
  const doubt = { kind: 'doubt', epoch: BELENS } as const;
  const answer = (lost: boolean) => ({ kind: 'doubt-answer', epoch: BELENS, lost }) as const;
  const reset = { kind: 'peer', peer: BELEN, state: 'lost' } as const;

  it('asks others as the first, and stands at once when all have lost it, too', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    const asked = farm.step(reset);
    for (const peer of [CARMEN, DOLORES]) assert.deepEqual(sentTo(peer, 'doubt', asked), [doubt]);
    farm.message(CARMEN, answer(true));
    assert.deepEqual(farm.core.epoch, BELENS, 'another may still hear it');
    farm.message(DOLORES, answer(true));
    assert.ok(farm.core.isCoordinator);
  });

  it('stands at once when the only other one there is has lost it, too', () => {
    const farm = following(BELENS, CARMEN);
    farm.step(reset);
    farm.message(CARMEN, answer(true));
    assert.ok(farm.core.isCoordinator);
  });

  for (const [what, answers] of [
    ['others have not lost it', [false, false]],
    ['one of them has not lost it', [true, false]],
    ['nobody answers', []],
  ] as const) {
    it(`waits for three missed pulses when ${what}`, () => {
      const farm = following(BELENS, CARMEN, DOLORES);
      farm.step(reset);
      for (const [index, lost] of answers.entries())
        farm.message([CARMEN, DOLORES][index] ?? '', answer(lost));
      farm.advance(1_499);
      assert.deepEqual(farm.core.epoch, BELENS);
      farm.advance(1);
      assert.ok(farm.core.isCoordinator);
    });
  }

  it('waits for three missed pulses where there is nobody to ask', () => {
    const farm = following(BELENS);
    farm.step(reset);
    farm.advance(1_499);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });

  it('asks nobody as the second, and stands 150 ms later', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN, SELF] }));
    assert.deepEqual(sentTo(DOLORES, 'doubt', farm.step(reset)), []);
    farm.advance(1_649);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });

  it('asks nobody about a silence that the cut explains', () => {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN, DOLORES, SELF] }));
    farm.advance(1_900);
    farm.step(reset);
    assert.deepEqual(sentTo(CARMEN, 'doubt', farm.advance(200)), []);
    farm.advance(99);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  });
});

describe('R44: the second successor', () => {
  const BELENS = { term: 5, peer: BELEN };
  const answer = { kind: 'doubt-answer', epoch: BELENS, lost: true } as const;

  /** This machine comes after Carmen. */
  function second(): ReturnType<typeof following> {
    const farm = following(BELENS, CARMEN, DOLORES);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN, SELF] }));
    return farm;
  }

  function standsAfter(farm: ReturnType<typeof following>, ms: number): void {
    farm.advance(ms - 1);
    assert.deepEqual(farm.core.epoch, BELENS);
    farm.advance(1);
    assert.ok(farm.core.isCoordinator);
  }

  it('stands 150 ms after a redial was refused', () => {
    const farm = second();
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.advance(300);
    farm.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    standsAfter(farm, 150);
  });

  it('stands 150 ms after the question when all have missed the pulses, too', () => {
    const farm = second();
    farm.advance(2_000);
    for (const peer of [CARMEN, DOLORES]) farm.message(peer, answer);
    standsAfter(farm, 150);
  });

  it('stands 150 ms after a cut when all have said that they lost it, too', () => {
    const farm = second();
    farm.advance(2_000);
    for (const peer of [CARMEN, DOLORES]) farm.message(peer, answer);
    farm.advance(50);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    standsAfter(farm, 150);
  });

  it('counts from the first cut and the first refusal, whatever follows', () => {
    const farm = second();
    farm.advance(1_900);
    farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    farm.advance(100);
    farm.step({ kind: 'peer', peer: BELEN, state: 'silent' });
    standsAfter(farm, 50);
    const other = second();
    other.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    other.advance(100);
    other.step({ kind: 'peer', peer: BELEN, state: 'refused' });
    standsAfter(other, 50);
  });

  it('tells those that asked once it is cut off itself, each once', () => {
    const farm = second();
    farm.message(CARMEN, { kind: 'doubt', epoch: BELENS });
    const told = farm.step({ kind: 'peer', peer: BELEN, state: 'lost' });
    assert.deepEqual(sentTo(CARMEN, 'doubt-answer', told), [answer]);
    assert.deepEqual(sentTo(DOLORES, 'doubt-answer', told), []);
    const again = farm.step({ kind: 'peer', peer: BELEN, state: 'silent' });
    assert.deepEqual(sentTo(CARMEN, 'doubt-answer', again), []);
  });

  it('gives others their time before it where it is no successor, after 5 s and 150 ms for each before it', () => {
    const early = '12D3KooW111111111111';
    const farm = following(BELENS, early, CARMEN);
    farm.message(BELEN, pulseOf(BELENS, { sequence: 2, successors: [CARMEN] }));
    standsAfter(farm, 5_150);
  });
});

/** A farm that has been led for a while. */
function led(count: number, seed: number): Cluster {
  const cluster = new Cluster(count, { seed }).startAll();
  cluster.until('one coordinator', () => cluster.leader() !== undefined, 6_000);
  cluster.run(5_000);
  return cluster;
}

/** Cuts these nodes off each and all, and returns after how long the others follow one of them. */
function pull(cluster: Cluster, gone: readonly number[]): number {
  for (const node of gone) cluster.split([node]);
  const others = [...cluster.nodes.keys()].filter((index) => !gone.includes(index));
  return cluster.until('another coordinator', () => {
    const epochs = new Set(others.map((index) => cluster.node(index).core.epoch?.peer));
    const leader = others.find((index) => cluster.node(index).core.isCoordinator);
    return epochs.size === 1 && leader !== undefined && epochs.has(cluster.node(leader).peer);
  });
}
