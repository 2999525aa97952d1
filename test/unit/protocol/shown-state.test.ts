import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobView } from '../../../protocol/src/index.ts';
import { shownState } from '../../../protocol/src/shown-state.ts';

const table: [state: JobView['state'], running: number, shown: JobView['state']][] = [
  ['queued', 0, 'queued'],
  ['queued', 1, 'active'],
  ['active', 0, 'active'],
  ['paused', 1, 'paused'],
  ['canceled', 1, 'canceled'],
  ['waiting', 0, 'waiting'],
];
for (const [state, running, shown] of table)
  test(`a job that is ${state} with ${running} running is shown as ${shown}`, () =>
    assert.equal(shownState({ state, live: { running } }), shown));
