import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  DEPARTURE,
  type DepartureView,
  heldOnlyBy,
  type JobView,
  leavingSentence,
  type NodeView,
} from '@cuadro/protocol';
import { choiceOf, heldSentence, leavingOf, leftOf } from '../../../ui/src/data/departure.ts';
import { JOB_A, JOB_B, jobView, nodeView, SELF } from '../api/fakes.ts';

const OTHER = 'another';

function onlyOn(peer: string, ...held: [results: number, scene: boolean][]): JobView[] {
  return held.map(([results, scene], i) =>
    jobView([JOB_A, JOB_B][i] ?? JOB_A, i, { onlyOn: [{ peer, machine: 'it', results, scene }] }),
  );
}

describe('R161, R162: how a machine stands that is to leave', () => {
  const jobs = onlyOn(OTHER, [4, true], [2, false]);
  const other = (change: Partial<NodeView['live']> = {}): NodeView => {
    const view = nodeView();
    const live = { ...view.live, idleReason: leavingSentence(DEPARTURE.moving), ...change };
    return { ...view, peer: OTHER, name: 'belen', here: false, leaving: true, live };
  };
  const own = (state: DepartureView['state'], results: number, scenes: number): DepartureView => ({
    state,
    left: { results, scenes },
    message: `It is ${state}.`,
  });

  test('one that stays stands nowhere, whatever its own node said before', () => {
    assert.equal(leavingOf({ ...other(), leaving: false }, jobs, undefined), undefined);
    assert.equal(leavingOf(nodeView(), jobs, own('moving', 1, 1)), undefined);
  });

  test('of another, what the records say is only there is left', () => {
    assert.deepEqual(leavingOf(other(), jobs, undefined), {
      isBlocked: false,
      left: 7,
      message: 'What only belen holds goes to others.',
    });
  });

  test('another is blocked where it says so, or is out of reach', () => {
    for (const why of [DEPARTURE.alone, DEPARTURE.stuck]) {
      const leaving = leavingOf(other({ idleReason: leavingSentence(why) }), jobs, undefined);
      assert.deepEqual(leaving, { isBlocked: true, left: 7, message: why });
    }
    const away = leavingOf(other({ reachable: false }), jobs, undefined);
    assert.deepEqual(away, { isBlocked: true, left: 7, message: "belen can't be reached any more." });
  });

  test('of this machine its own node tells it, which counts what has no second copy yet, too', () => {
    const here = { ...nodeView(), leaving: true };
    const mine = onlyOn(SELF, [3, true]);
    const of = (view: DepartureView | undefined) => leavingOf(here, mine, view);
    assert.deepEqual(of(undefined), { isBlocked: false, left: 4, message: DEPARTURE.looking });
    assert.deepEqual(of(own('staying', 0, 0)), { isBlocked: false, left: 4, message: DEPARTURE.looking });
    assert.deepEqual(of(own('moving', 9, 2)), { isBlocked: false, left: 11, message: 'It is moving.' });
    assert.deepEqual(of(own('blocked', 9, 0)), { isBlocked: true, left: 9, message: 'It is blocked.' });
    assert.deepEqual(of(own('left', 0, 0)), { isBlocked: false, left: 0, message: 'It is left.' });
  });

  test('a scene and its plan count as one', () => {
    assert.equal(leftOf(heldOnlyBy(jobs, OTHER)), 7);
    assert.equal(leftOf([]), 0);
  });
});

describe('whether what only a machine holds is moved or lost', () => {
  const some = heldOnlyBy(onlyOn(OTHER, [1, false]), OTHER);
  type Case = [what: string, held: typeof some, here: boolean, reachable: boolean, others: boolean];
  const table: [...Case, mayLose: boolean, mustLose: boolean][] = [
    ['another that holds nothing goes at once', [], false, true, true, false, false],
    ['another that holds nothing and is off, too', [], false, false, true, false, false],
    ['another that holds something moves it, or loses it', some, false, true, true, true, false],
    ['another that is off can only lose it', some, false, false, true, true, true],
    ['this one that holds nothing leaves', [], true, true, true, false, false],
    ['this one that holds something moves it, or loses it', some, true, true, true, true, false],
    ['this one that reaches nobody can only lose it', some, true, true, false, true, true],
    ['this one that reaches nobody leaves unheard', [], true, true, false, true, true],
  ];
  for (const [what, held, here, reachable, othersReachable, mayLose, mustLose] of table)
    test(what, () =>
      assert.deepEqual(choiceOf(held, { here, reachable, othersReachable }), { mayLose, mustLose }),
    );
});

describe('what is said of what only a machine holds', () => {
  const some = heldOnlyBy(onlyOn(OTHER, [3, true]), OTHER);
  const what = '3 results and the scene or plan of a job';
  const table: [held: typeof some, here: boolean, mustLose: boolean, sentence: string | undefined][] = [
    [[], false, false, undefined],
    [[], true, false, 'Everything that this machine holds is on another one, too.'],
    [some, false, false, `Only it holds ${what}. That goes to other machines first:`],
    [some, true, false, `Only this machine holds ${what}. That goes to other machines first:`],
    [some, true, true, `Only this machine holds ${what}, and no other machine can be reached to take it:`],
    [
      some,
      false,
      true,
      `Only it holds ${what}. It can't be reached, so that can't be moved: start it and remove it then, or lose that.`,
    ],
  ];
  test('logs of failed attempts alone', () => {
    const logs = 2;
    assert.equal(
      heldSentence([], { here: true, mustLose: false, logs }),
      'Only this machine holds logs of 2 failed attempts. That goes to other machines first.',
    );
    const reach = { here: true, reachable: true, othersReachable: true };
    assert.deepEqual(choiceOf([], { ...reach, logs }), { mayLose: true, mustLose: false });
  });
  for (const [held, here, mustLose, sentence] of table)
    test(sentence ?? 'nothing of another that holds nothing', () =>
      assert.equal(heldSentence(held, { here, mustLose }), sentence),
    );
});
