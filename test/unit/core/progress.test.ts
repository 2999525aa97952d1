import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import { BELEN, Farm, framesPlan, SELF } from './farm.ts';
import { following, grantOf, learn, pulseOf, sentTo } from './members.ts';

/** This machine runs a task of its own farm. */
function running() {
  const farm = new Farm().start();
  const { id } = farm.submit(framesPlan('1-3'));
  const [run] = farm.held();
  assert.ok(run);
  const tell = (fraction: number, more: { remainingMs?: number; text?: string } = {}): CoreEffect[] =>
    farm.step({ kind: 'progress', attempt: run.grant.attempt, fraction, ...more });
  const live = () => farm.core.task(id, 0)?.live;
  return { farm, job: id, run, tell, live };
}

describe("R117: this machine's beacon", () => {
  it('counts on, says whom it follows, and what its records are once that is known', () => {
    const epoch = { term: 5, peer: BELEN };
    const farm = following(epoch);
    const told = [[...farm.effects], farm.advance(1_000), farm.advance(1_000)].flatMap((effects) =>
      sentTo(BELEN, 'beacon', effects),
    );
    assert.deepEqual(
      told.map(({ sequence, follows, ...more }) => [sequence, follows, 'root' in more]),
      [1, 2, 3].map((sequence) => [sequence, epoch, false]),
    );
    farm.message(BELEN, pulseOf(epoch, { sequence: 2 }));
    farm.step({ kind: 'root', root: 'f'.repeat(32) });
    const [next] = sentTo(BELEN, 'beacon', farm.advance(1_000));
    assert.deepEqual([next?.sequence, next?.root], [4, 'f'.repeat(32)]);
  });
});

describe('what a worker tells of its progress', () => {
  it('shows, as a share between nothing and all', () => {
    const { tell, live } = running();
    for (const [told, shown] of [
      [0.25, 0.25],
      [-1, 0],
      [0, 0],
      [1, 1],
      [2, 1],
    ] as const) {
      tell(told);
      assert.equal(live()?.fraction, shown);
    }
  });

  it('keeps the time left where it is not told anew, and changes its task and machine in view', () => {
    const { farm, job, tell, live } = running();
    assert.equal(live()?.remainingMs, undefined);
    tell(0.5, { remainingMs: 700 });
    const effects = tell(0.6);
    assert.equal(live()?.remainingMs, 700);
    const [changed] = effects.flatMap((effect) => (effect.kind === 'changed' ? effect.changes : []));
    assert.deepEqual(changed?.tasks, [{ job, indices: [0] }]);
    assert.deepEqual(changed?.nodes, [SELF]);
    assert.equal(farm.core.ignored()['unknown-attempt'], undefined);
  });

  it('is ignored and counted where this machine holds no such attempt', () => {
    const { farm, run } = running();
    const attempt = { ...run.grant.attempt, sequence: 99 };
    farm.step({ kind: 'progress', attempt, fraction: 0.5 });
    assert.deepEqual(farm.core.ignored(), { 'unknown-attempt': 1 });
  });

  it("goes to the coordinator with this machine's beacon", () => {
    const epoch = { term: 5, peer: BELEN };
    const farm = following(epoch);
    const job = learn(farm, framesPlan('1-3'), BELEN);
    const [grant, other] = [
      grantOf(epoch, 1, job, 0),
      { ...grantOf(epoch, 2, job, 1), substitute: true as const },
    ];
    farm.message(BELEN, { kind: 'grants', epoch, grants: [grant, other] });
    const { attempt } = grant;
    const [first] = sentTo(BELEN, 'beacon', farm.advance(1_000));
    assert.deepEqual(
      first?.held.map(({ running: isRunning, fraction }) => [isRunning, fraction]),
      [
        [true, 0],
        [false, 0],
      ],
      'one slot, and nothing done yet',
    );
    farm.step({ kind: 'progress', attempt, fraction: 0.5, remainingMs: 700, text: 'Sample 3 of 8' });
    const [beacon] = sentTo(BELEN, 'beacon', farm.advance(1_000));
    const common = { job, redo: 0, retry: 0 };
    assert.deepEqual(beacon?.held, [
      { ...common, attempt, task: 0, running: true, fraction: 0.5, remainingMs: 700, text: 'Sample 3 of 8' },
      { ...common, attempt: other.attempt, task: 1, running: false, fraction: 0, substitute: true },
    ]);
  });
});
