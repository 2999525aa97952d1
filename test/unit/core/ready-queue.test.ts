import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { coarseToFineOrder, sequentialOrder } from '../../../node/src/core/order.ts';
import { ReadyQueue } from '../../../node/src/core/ready-queue.ts';

const PEERS = ['ana', 'belen', 'carmen'];
const START = 3;
const COUNT = 5;

interface Task {
  isFree: boolean;
  failedOn: string[];
  notBefore: number;
}

type Deed =
  | { readonly kind: 'free'; readonly task: number; readonly times: number }
  | { readonly kind: 'take'; readonly task: number }
  | { readonly kind: 'fail'; readonly task: number; readonly on: readonly string[]; readonly pauseMs: number }
  | { readonly kind: 'pick'; readonly peer: string; readonly mayRepeat: boolean; readonly waitMs: number }
  | { readonly kind: 'look' };

const task = fc.nat({ max: COUNT - 1 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('free'), task, times: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take'), task }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fail'),
      task,
      on: fc.subarray(PEERS),
      pauseMs: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pick'),
      peer: fc.constantFrom(...PEERS, 'dolores'),
      mayRepeat: fc.boolean(),
      waitMs: fc.nat({ max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('look') }) },
);

/** What a look at every task finds: its place in the order. */
function naivePick(
  tasks: readonly Task[],
  ranks: readonly number[],
  deedOf: Extract<Deed, { kind: 'pick' }>,
  now: number,
): number | undefined {
  const { peer, mayRepeat } = deedOf;
  const free = ranks.filter((place) => tasks[place]?.isFree === true);
  const other = free.filter((place) => tasks[place]?.failedOn.includes(peer) === false);
  // Of those that failed on the same machines, this one among them, the first whose pause ends.
  const keys = new Set(free.map((place) => tasks[place]?.failedOn.join(' ')));
  const again = [...keys].flatMap((key) => {
    const same = free.filter((place) => {
      const one = tasks[place] as Task;
      return one.failedOn.join(' ') === key && one.failedOn.includes(peer);
    });
    const [first] = same.sort(
      (a, b) =>
        (tasks[a] as Task).notBefore - (tasks[b] as Task).notBefore || ranks.indexOf(a) - ranks.indexOf(b),
    );
    return first !== undefined && mayRepeat && (tasks[first] as Task).notBefore <= now ? first : [];
  });
  return [...other, ...again].sort((a, b) => ranks.indexOf(a) - ranks.indexOf(b))[0];
}

describe('a queue of tasks that are ready', () => {
  for (const [name, order] of [
    ['in sequence', sequentialOrder],
    ['from coarse to fine', coarseToFineOrder(COUNT)],
  ] as const) {
    it(`R50, R54: gives each machine the task that a look at every one would find, ${name}`, () => {
      const ranks = Array.from({ length: COUNT }, (_, rank) => order.placeAt(rank));
      fc.assert(
        fc.property(
          fc.array(fc.boolean(), { minLength: COUNT, maxLength: COUNT }),
          fc.array(deed, { maxLength: 30 }),
          (free, deeds) => {
            const tasks: Task[] = free.map((isFree) => ({ isFree, failedOn: [], notBefore: 0 }));
            const of = (index: number): Task => tasks[index - START] as Task;
            const asked: string[][] = [];
            const queue = new ReadyQueue({ start: START, count: COUNT }, order, {
              isFree: (index) => of(index).isFree,
              failedOn: (index) => of(index).failedOn,
              notBefore: (index) => of(index).notBefore,
            });
            let now = 10;
            for (const one of deeds) {
              switch (one.kind) {
                case 'free':
                  of(START + one.task).isFree = true;
                  for (let time = 0; time < one.times; time++) queue.offer(START + one.task);
                  break;
                case 'take':
                  of(START + one.task).isFree = false;
                  break;
                case 'fail':
                  Object.assign(of(START + one.task), {
                    isFree: true,
                    failedOn: [...one.on],
                    notBefore: now + one.pauseMs,
                  });
                  queue.offer(START + one.task);
                  break;
                case 'pick': {
                  now += one.waitMs;
                  const picked = queue.pick(
                    one.peer,
                    (failedOn) => (asked.push([...failedOn]), one.mayRepeat),
                    now,
                  );
                  const expected = naivePick(tasks, ranks, one, now);
                  assert.equal(picked, expected === undefined ? undefined : START + expected);
                  if (picked !== undefined) of(picked).isFree = false;
                  break;
                }
                case 'look':
                  assert.equal(
                    queue.isEmpty(),
                    tasks.every(({ isFree }) => !isFree),
                  );
              }
            }
          },
        ),
        { numRuns: 500 },
      );
    });
  }

  it('R54: gives of those whose pauses end at once the first in its order', () => {
    const free = new Set([0, 1, 2].map((place) => START + place));
    const queue = new ReadyQueue({ start: START, count: COUNT }, sequentialOrder, {
      isFree: (index) => free.has(index),
      failedOn: () => ['ana'],
      notBefore: () => 10,
    });
    for (const place of [2, 0, 1]) queue.offer(START + place);
    const pick = (now: number): number | undefined => {
      const picked = queue.pick('ana', () => true, now);
      if (picked !== undefined) free.delete(picked);
      return picked;
    };
    assert.equal(pick(9), undefined);
    assert.deepEqual([pick(10), pick(10), pick(10)], [START, START + 1, START + 2]);
  });
});
