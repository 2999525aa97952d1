import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FarmView, NodeView } from '@cuadro/protocol';
import { coordinatorTerms, nodeStateText } from '../../../ui/src/machine-terms.ts';
import { nodeView } from '../api/fakes.ts';

type Desired = NodeView['desired'];

describe("a machine's state in words", () => {
  const running = [{ job: 'a', task: 0, name: 'frame 1', fraction: 0.5 }];
  const table: [reachable: boolean, owner: Desired, farm: Desired, runs: boolean, text: string][] = [
    [true, 'active', 'active', true, '1 task'],
    [true, 'active', 'active', false, 'Idle'],
    [true, 'paused', 'active', false, 'Paused by its owner'],
    [true, 'active', 'paused', false, 'Paused'],
    [true, 'draining', 'active', true, 'Finishing for its owner'],
    [true, 'active', 'draining', true, 'Finishing, then paused'],
    // The stricter of the two holds (SPEC R37).
    [true, 'draining', 'paused', false, 'Paused'],
    [true, 'paused', 'draining', false, 'Paused by its owner'],
    [false, 'paused', 'active', false, 'Not reachable'],
  ];
  for (const [reachable, ownerDesired, desired, runs, text] of table) {
    test(`${reachable ? 'reachable' : 'lost'}, owner ${ownerDesired}, farm ${desired}: ${text}`, () => {
      const view = nodeView();
      const live = { ...view.live, reachable, running: runs ? running : [] };
      assert.equal(nodeStateText({ ...view, ownerDesired, desired, live }), text);
    });
  }
});

test('a machine that leaves the farm says so before all else, unless it is lost', () => {
  const view = { ...nodeView(), leaving: true, desired: 'paused' as const };
  assert.equal(nodeStateText(view), 'Leaving the farm');
  assert.equal(nodeStateText({ ...view, live: { ...view.live, reachable: false } }), 'Not reachable');
});

describe('why a machine coordinates, in words', () => {
  const reign = (cause: FarmView['coordinators'][number]['cause']) => ({
    peer: 'a',
    name: 'studio',
    term: 2,
    at: 0,
    cause,
    leaderlessMs: 0,
  });
  const table: [cause: ReturnType<typeof reign>, before: string | undefined, text: string][] = [
    [reign('first'), undefined, 'Nobody led, so it stood.'],
    [reign('found'), undefined, 'It led already when this machine found it.'],
    [reign('lost'), 'attic', 'It took over: attic was lost.'],
    [reign('lost'), undefined, 'It took over: the one before was lost.'],
    [reign('yielded'), 'attic', 'Two led at once, and met: attic gave way.'],
  ];
  for (const [one, before, text] of table)
    test(`${one.cause} after ${before ?? 'nobody'}`, () =>
      assert.equal(coordinatorTerms.cause(one, before), text));
});
