import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, emptyTask, type Plan, type TaskRecord } from '@cuadro/protocol';
import {
  BELEN,
  capabilities,
  CARMEN,
  DOLORES,
  Farm,
  framesPlan,
  grantsTo,
  jobIdOf,
  withRequest,
} from './farm.ts';

const OLD = capabilities({ engines: { blender: '3.4.1', node: '1' } });
const NEW = capabilities({ engines: { blender: '4.2.0', node: '2' } });

const rendering = (engine = 'blender', frames = '1-9'): Plan => {
  const plan = framesPlan(frames);
  return { ...plan, groups: plan.groups.map((group) => ({ ...group, requires: { engine } })) };
};

const bare = (): Farm => {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  return farm;
};

/** A result as another coordinator's half of the farm made it. */
const resultBy = (term: number, version: string, index: number): TaskRecord => {
  const attempt = { epoch: { term, peer: DOLORES }, sequence: 1 };
  return {
    ...emptyTask(jobIdOf(1), index),
    results: {
      [attemptKey(attempt)]: {
        attempt,
        peer: DOLORES,
        state: 'rendered',
        files: [],
        holders: { [DOLORES]: { held: true, counter: 1 } },
        renderMs: 1,
        engineVersion: version,
        wallTime: 1,
      },
    },
  };
};

const MIXED =
  'For the job job 1: The job was begun with Blender 3.4.1, and it has 4.2.0; versions are never mixed.';
const reasonOf = (farm: Farm, peer: string): string | undefined =>
  farm.core.nodes().find((node) => node.peer === peer)?.live.idleReason;

describe('a job and the version of its engine', () => {
  it('R51: are bound by the first grant, so that no other version takes part', () => {
    const farm = bare();
    farm.claim(BELEN, { can: OLD });
    farm.submit(rendering());
    farm.claim(CARMEN, { can: NEW });
    farm.claim(DOLORES, { can: OLD });
    assert.equal(grantsTo(BELEN, farm.effects).length, 2);
    assert.deepEqual(grantsTo(CARMEN, farm.effects), []);
    assert.equal(reasonOf(farm, CARMEN), MIXED);
    assert.equal(grantsTo(DOLORES, farm.effects).length, 2);
  });

  it('R51: are bound by results, also when nothing runs any more and after a restart', () => {
    const farm = bare();
    farm.submit(rendering());
    farm.records(resultBy(1, '3.4.1', 4));
    farm.claim(CARMEN, { can: NEW });
    assert.deepEqual(grantsTo(CARMEN, farm.effects), []);
    assert.equal(reasonOf(farm, CARMEN), MIXED);
    const restarted = new Farm([...farm.stored.values()], {}, 1);
    restarted.step({ kind: 'start' });
    restarted.step({ kind: 'plan', job: jobIdOf(1), plan: rendering() });
    restarted.claim(CARMEN, { can: NEW });
    assert.equal(reasonOf(restarted, CARMEN), MIXED);
  });

  it('R51: are bound by the oldest of results of two versions, in any order', () => {
    const [first, second] = [resultBy(3, '3.4.1', 5), resultBy(4, '4.2.0', 6)];
    for (const results of [
      [first, second],
      [second, first],
    ]) {
      const farm = bare();
      farm.submit(rendering());
      for (const result of results) farm.records(result);
      farm.claim(CARMEN, { can: NEW });
      assert.equal(reasonOf(farm, CARMEN), MIXED);
      farm.claim(BELEN, { can: OLD });
      assert.equal(grantsTo(BELEN, farm.effects).length, 2);
    }
  });

  it('R51: are bound by a result rather than by a grant, even by one that was granted earlier', () => {
    const farm = bare();
    farm.claim(CARMEN, { can: NEW });
    farm.submit(rendering());
    const [first, second] = grantsTo(CARMEN, farm.effects);
    assert.ok(first && second);
    // The other half of the farm rendered with 3.4.1, under a later reign.
    farm.records(resultBy(50, '3.4.1', 6));
    farm.ended(CARMEN, first, 'failure');
    farm.ended(CARMEN, second, 'failure');
    assert.equal(grantsTo(CARMEN, farm.effects).length, 2, 'nothing further of another version');
    assert.equal(reasonOf(farm, CARMEN), MIXED);
    farm.claim(BELEN, { can: OLD });
    assert.equal(grantsTo(BELEN, farm.effects).length, 2);
  });

  it('R51: are unbound when there is neither a result nor a grant', () => {
    const farm = bare();
    farm.claim(BELEN, { can: OLD });
    farm.submit(rendering());
    for (const grant of grantsTo(BELEN, farm.effects)) {
      farm.claim(BELEN, { can: OLD, wants: 0, sequence: 2 });
      farm.ended(BELEN, grant, 'stopped');
    }
    farm.claim(CARMEN, { can: NEW });
    assert.equal(grantsTo(CARMEN, farm.effects).length, 2);
  });

  it('R51: are unbound by a redo of all that was made', () => {
    const farm = bare();
    const record = farm.submit(rendering('blender', '1-2'));
    farm.records(resultBy(1, '3.4.1', 0));
    farm.claim(CARMEN, { can: NEW });
    assert.deepEqual(grantsTo(CARMEN, farm.effects), []);
    farm.records(withRequest(record, 'redo', [0, 1], 1));
    assert.equal(grantsTo(CARMEN, farm.effects).length, 2);
  });

  it('R51: are free of each other where the version does not show', () => {
    const farm = bare();
    farm.claim(BELEN, { can: OLD });
    farm.submit(rendering('node'));
    farm.claim(CARMEN, { can: NEW });
    assert.equal(grantsTo(BELEN, farm.effects).length, 2);
    assert.equal(grantsTo(CARMEN, farm.effects).length, 2);
  });
});
