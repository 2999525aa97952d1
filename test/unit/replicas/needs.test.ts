import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attemptKey, type TaskRecord, type TaskResult } from '@cuadro/protocol';
import { resultToCallDone, resultToCopy } from '../../../node/src/replicas/needs.ts';

const [HERE, AWAY, OTHER] = ['12D3KooWHere', '12D3KooWAway', '12D3KooWOther'] as const;

function resultOf(sequence: number, state: TaskResult['state'], ...holders: string[]): TaskResult {
  return {
    attempt: { epoch: { term: 1, peer: HERE }, sequence },
    peer: holders[0] ?? HERE,
    state,
    files: [],
    holders: Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }])),
    renderMs: 1,
    wallTime: 1,
  };
}

const taskOf = (...results: TaskResult[]): TaskRecord => ({
  kind: 'task',
  job: 'j'.repeat(16),
  index: 0,
  redo: 0,
  retry: 0,
  results: Object.fromEntries(results.map((result) => [attemptKey(result.attempt), result])),
  failures: {},
});

const copied = (...results: TaskResult[]): number | undefined =>
  resultToCopy(taskOf(...results), HERE, { isLive: () => true, copies: 2 })?.attempt.sequence;
const called = (...results: TaskResult[]): number | undefined =>
  resultToCallDone(taskOf(...results), HERE)?.attempt.sequence;

describe('what needs a second copy', () => {
  it('R57: is the result that counts, where this machine alone holds it', () => {
    assert.equal(copied(resultOf(1, 'rendered', HERE)), 1);
    assert.equal(copied(resultOf(1, 'rendered', AWAY)), undefined);
    assert.equal(copied(resultOf(1, 'done', HERE, OTHER)), undefined);
  });

  it('R59: is a substitute of what another machine alone holds, so that it counts before that one', () => {
    const only = resultOf(1, 'rendered', AWAY);
    assert.equal(copied(only, resultOf(2, 'rendered', HERE)), 2);
    assert.equal(called(only, resultOf(2, 'rendered', HERE, OTHER)), 2);
  });

  it('R59: is a substitute of what was done, where one alone holds that by now', () => {
    const done = resultOf(1, 'done', AWAY, OTHER);
    const left = { ...done.holders, [OTHER]: { held: false, counter: 2 } };
    assert.equal(copied({ ...done, holders: left }, resultOf(2, 'rendered', HERE)), 2);
  });

  it('R59: is no substitute of what two hold: it is in use only until one of them is back', () => {
    assert.equal(copied(resultOf(1, 'done', AWAY, OTHER), resultOf(2, 'rendered', HERE)), undefined);
  });
});
