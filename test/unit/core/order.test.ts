import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Plan } from '@cuadro/protocol';
import { coarseToFineOrder } from '../../../node/src/core/order.ts';
import {
  BELEN,
  capabilities,
  CARMEN,
  deleted,
  DOLORES,
  Farm,
  framesPlan,
  grantsTo,
  withControl,
} from './farm.ts';

const bare = (): Farm => {
  const farm = new Farm();
  farm.step({ kind: 'start' });
  return farm;
};

describe('claims', () => {
  const wantsOf = (farm: Farm): number => grantsTo(BELEN, farm.effects).length;

  it('R50: stand until the same peer replaces them, however much is granted and however long it takes', () => {
    const farm = bare();
    farm.claim(BELEN);
    farm.submit(framesPlan('1-50'));
    for (let ended = 0; ended < 48; ended++) {
      const next = grantsTo(BELEN, farm.effects)[ended];
      assert.ok(next, `grant ${ended} came without a further claim`);
      farm.ended(BELEN, next, 'result');
    }
    assert.equal(wantsOf(farm), 50);
  });

  for (const [what, sequence, replaces] of [
    ['a higher', 8, true],
    ['the same', 7, false],
    ['a lower', 6, false],
  ] as const) {
    it(`R50: are ${replaces ? '' : 'not '}replaced by one of ${what} sequence`, () => {
      const farm = bare();
      farm.claim(BELEN, { slots: 1, sequence: 7 });
      farm.claim(BELEN, { slots: 3, sequence });
      farm.submit(framesPlan('1-50'));
      assert.equal(wantsOf(farm), replaces ? 6 : 2);
      assert.equal(farm.core.ignored()['stale-claim'] ?? 0, replaces ? 0 : 1);
    });
  }

  it('R50: are replaced by nobody else', () => {
    const farm = bare();
    farm.claim(BELEN, { slots: 1 });
    const claim = {
      kind: 'claim',
      peer: BELEN,
      sequence: 9,
      wants: 8,
      slots: 4,
      capabilities: capabilities(),
      bundles: [],
    };
    farm.message(CARMEN, claim as never);
    farm.submit(framesPlan('1-50'));
    assert.equal(wantsOf(farm), 2);
  });

  it('R50: that want fewer take nothing back and are granted less', () => {
    const farm = bare();
    farm.claim(BELEN, { slots: 2 });
    farm.submit(framesPlan('1-50'));
    assert.equal(wantsOf(farm), 4);
    farm.claim(BELEN, { slots: 1, wants: 0, sequence: 2 });
    for (const grant of grantsTo(BELEN, farm.effects)) farm.ended(BELEN, grant, 'result');
    assert.equal(wantsOf(farm), 4);
  });
});

describe('the order of jobs', () => {
  const one = framesPlan('1');
  /** In the order in which they are to be granted; submitted the other way round. */
  const ordered: Parameters<Farm['submit']>[1][] = [
    { id: 9, priority: 90, order: 9, author: DOLORES },
    { id: 8, priority: 51, order: 1 },
    { id: 7, order: 1, author: DOLORES },
    { id: 6, order: 2, author: BELEN },
    { id: 1, order: 2, author: CARMEN },
    { id: 4, order: 2, author: DOLORES },
    { id: 5, order: 2, author: DOLORES },
    { id: 3, order: 10 },
    { id: 2, priority: 0, order: 0 },
  ];

  it('R50: is their priority, then the counter, then the submitter, then the id', () => {
    const farm = bare();
    for (const changes of [...ordered].reverse()) farm.submit(one, changes);
    farm.work();
    const order: string[] = [];
    for (let run = farm.held()[0]; run !== undefined; run = farm.held()[0]) {
      order.push(run.job.spec.name);
      farm.finish(run.grant.attempt);
    }
    assert.deepEqual(
      order,
      ordered.map((changes) => `job ${changes?.id}`),
    );
    assert.deepEqual(
      farm.core.jobs().map(({ name }) => name),
      order,
      'as they are listed',
    );
  });

  it('R50: follows a priority that is changed later', () => {
    const farm = bare();
    farm.submit(framesPlan('1-5'), { id: 1 });
    const second = farm.submit(framesPlan('1-5'), { id: 2 });
    farm.claim(BELEN);
    farm.records(withControl(second, 'priority', 80));
    const [first] = grantsTo(BELEN, farm.effects);
    assert.ok(first);
    const next = grantsTo(BELEN, farm.ended(BELEN, first, 'result'));
    assert.deepEqual(
      next.map(({ job }) => job),
      [second.id],
    );
  });

  it('R50: counts a new job one above the highest seen, also of deleted ones and after a restart', () => {
    const farm = bare();
    assert.equal(farm.core.nextOrder(), 1);
    farm.submit(one, { id: 1, order: 41 });
    const last = farm.submit(one, { id: 2, order: 77, author: BELEN });
    farm.submit(one, { id: 3, order: 5 });
    assert.equal(farm.core.nextOrder(), 78);
    farm.records(deleted(last));
    assert.equal(farm.core.nextOrder(), 78);
    assert.equal(new Farm([...farm.stored.values()], {}, 1).core.nextOrder(), 78);
  });
});

describe('the order of tasks', () => {
  const twoGroups = (order: Plan['order']): Plan => {
    const [frames] = framesPlan('1-9').groups;
    const [more] = framesPlan('1-3').groups;
    assert.ok(frames && more);
    return { version: 1, order, groups: [frames, { ...more, name: 'still' }] };
  };

  for (const [order, expected] of [
    ['sequential', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    ['coarse-to-fine', [0, 8, 4, 2, 6, 1, 3, 5, 7, 9, 11, 10]],
  ] as const) {
    it(`R50: is that of the groups, and in each ${order}`, () => {
      const farm = new Farm().start();
      farm.submit(twoGroups(order));
      assert.deepEqual(farm.finishAll(), expected);
    });
  }

  it('R50: coarse to fine is first, last, middle, then the middles between, each once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
        const order = coarseToFineOrder(count);
        const places = Array.from({ length: count }, (_, rank) => order.placeAt(rank));
        assert.deepEqual(
          [...places].sort((a, b) => a - b),
          Array.from({ length: count }, (_, i) => i),
        );
        places.forEach((place, rank) => assert.equal(order.rankOf(place), rank));
        assert.deepEqual(places.slice(0, 3), [...new Set([0, count - 1, (count - 1) >> 1])]);
        // After 2^k + 1 tasks no gap is wider than it must be.
        for (let known = 3; known <= count; known = 2 * known - 1) {
          const sorted = places.slice(0, known).sort((a, b) => a - b);
          const gaps = sorted.slice(1).map((place, i) => place - (sorted[i] as number));
          assert.ok(Math.max(...gaps) <= Math.ceil((count - 1) / (known - 1)), `${known} of ${count}`);
        }
      }),
    );
  });

  it('R50: a task that comes back stands where it stood', () => {
    const farm = bare();
    farm.claim(BELEN);
    farm.submit(framesPlan('1-9'));
    const [first, second] = grantsTo(BELEN, farm.effects);
    assert.ok(first && second);
    assert.deepEqual(
      grantsTo(BELEN, farm.ended(BELEN, first, 'stopped')).map(({ task }) => task),
      [first.task],
    );
  });
});

describe('running places', () => {
  const granted = (farm: Farm) =>
    [BELEN, CARMEN, DOLORES].map((peer) => grantsTo(peer, farm.effects).map(({ task }) => task));

  for (const [frames, expected] of [
    ['1-2', [[0], [1], []]],
    ['1-3', [[0], [1], [2]]],
    ['1-4', [[0, 3], [1], [2]]],
    // Only now is anything ahead: Belén has two slots, and each has one more for each slot.
    ['1-5', [[0, 3, 4], [1], [2]]],
    [
      '1-8',
      [
        [0, 3, 4, 7],
        [1, 5],
        [2, 6],
      ],
    ],
    [
      '1-20',
      [
        [0, 3, 4, 7],
        [1, 5],
        [2, 6],
      ],
    ],
  ] as const) {
    it(`R50: of all machines are filled before anything is granted ahead: frames ${frames}`, () => {
      const farm = bare();
      farm.claim(BELEN, { slots: 2 });
      farm.claim(CARMEN);
      farm.claim(DOLORES);
      farm.submit(framesPlan(frames));
      assert.deepEqual(granted(farm), expected);
    });
  }
});
