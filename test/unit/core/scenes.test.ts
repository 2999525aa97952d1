import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Grant, Plan } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, CARMEN, type Farm, framesPlan, grantsTo, withControl } from './farm.ts';
import { leading } from './members.ts';

const inBlender = (frames: string): Plan => {
  const plan = framesPlan(frames);
  return { ...plan, groups: plan.groups.map((group) => ({ ...group, requires: { engine: 'blender' } })) };
};

/** A farm whose only worker is Belén, with two jobs; she holds two frames of the first. */
class Two {
  readonly farm: Farm = leading(BELEN);
  readonly first = this.farm.submit(inBlender('1-20'), { id: 1 });
  readonly held: Grant[] = grantsTo(BELEN, this.farm.effects);
  readonly second = this.farm.submit(inBlender('1-20'), { id: 2 });

  /** Of which jobs she is granted frames by these effects. */
  #given(effects: CoreEffect[]): string[] {
    const grants = grantsTo(BELEN, effects);
    this.held.push(...grants);
    return grants.map(({ job }) => (job === this.first.id ? 'first' : 'second'));
  }

  /** Time passes in which she goes on saying what she holds. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1_000) {
      this.#given(this.farm.advance(Math.min(left, 1_000)));
      this.#given(this.farm.beacon(BELEN, this.held));
    }
  }

  finish(): string[] {
    return this.#given(this.farm.ended(BELEN, this.held.shift() as Grant, 'result'));
  }

  /** She could get the scene from nobody. */
  lack(): string[] {
    const { attempt, job, task, redo, retry } = this.held.shift() as Grant;
    const outcome = { kind: 'stopped', reason: 'No scene.', lacks: 'scene' } as const;
    return this.#given(
      this.farm.message(BELEN, { kind: 'result', job, task, redo, retry, attempt, outcome }),
    );
  }
}

describe('R116: a machine that could get a scene from nobody', () => {
  it('gets frames of other jobs meanwhile, and of this one again after a pause that grows', () => {
    const two = new Two();
    assert.deepEqual(two.held.length, 2);
    assert.deepEqual([...two.lack(), ...two.lack()], ['second', 'second'], 'the other job goes on');
    two.pass(29_000);
    assert.deepEqual(two.finish(), ['second']);
    const why = two.farm.core.task(two.first.id, 0)?.why;
    assert.match(why ?? '', /No machine that has the scene could be reached from it; it tries again\./);
    two.pass(1_000);
    assert.deepEqual(two.finish(), ['first']);
    for (const pauseMs of [60_000, 120_000, 120_000]) {
      two.held.reverse();
      assert.deepEqual(two.lack(), ['second'], 'again nobody had it');
      two.pass(pauseMs - 1_000);
      assert.deepEqual(two.finish(), ['second']);
      two.pass(1_000);
      assert.deepEqual(two.finish(), ['first'], `after ${pauseMs} ms`);
    }
  });

  it('gets them at once when somebody comes within reach, or the job’s record changes', () => {
    for (const change of ['reach', 'record'] as const) {
      const two = new Two();
      two.lack();
      two.lack();
      assert.deepEqual(two.finish(), ['second']);
      if (change === 'reach') two.farm.step({ kind: 'peer', peer: CARMEN, state: 'reachable' });
      else two.farm.records(withControl(two.first, 'priority', 60));
      assert.deepEqual(two.finish(), ['first'], change);
    }
  });

  it('is not believed of an attempt that it does not hold', () => {
    const two = new Two();
    const [one] = two.held;
    two.finish();
    two.held.unshift(one as Grant);
    two.lack();
    assert.deepEqual(two.finish(), ['first']);
  });
});
