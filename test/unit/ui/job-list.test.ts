import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JobView } from '@cuadro/protocol';
import {
  JOB_CHANGES,
  type JobListing,
  listingOf,
  listingPath,
  listJobs,
  takesChange,
  withRange,
} from '../../../ui/src/data/job-list.ts';
import { jobView } from '../api/views.ts';

const counts = (done: number, failed = 0): JobView['counts'] => ({
  total: 10,
  open: 10 - done - failed,
  rendered: 0,
  done,
  failed,
  skipped: 0,
});
const make = (name: string, order: number, change: Partial<JobView>): JobView =>
  jobView(`${name.replace(' ', '')}00000000`, order, { name, live: { running: 0 }, ...change });

/** As a node lists them: by priority, then by number. */
const JOBS = [
  make('shot 10', 3, { state: 'queued', priority: 80, counts: counts(0), submittedAt: 30 }),
  make('shot 2', 1, { state: 'done', counts: counts(10), submittedAt: 10, changedAt: 100 }),
  make('Shot 1', 2, { state: 'paused', counts: counts(4), submittedAt: 20 }),
  make('dance', 4, { state: 'failed', counts: counts(6, 4), submittedAt: 40, changedAt: 200 }),
];
const shown = (listing: Partial<JobListing>, text = ''): string =>
  listJobs(JOBS, text, { state: '', sort: 'order', reversed: false, ...listing })
    .map(({ order }) => order)
    .join(' ');

describe('the list of jobs', () => {
  const table: [what: string, listing: Partial<JobListing>, orders: string][] = [
    ['as they run, ended ones after the others, newest first', {}, '3 2 4 1'],
    ['the other way round', { reversed: true }, '1 4 2 3'],
    ['by name, as people count', { sort: 'name' }, '4 2 1 3'],
    ['by state, what is at work first', { sort: 'state' }, '3 2 4 1'],
    ['by progress, the furthest first', { sort: 'progress' }, '1 4 2 3'],
    ['by priority, the highest first, and then as they run', { sort: 'priority' }, '3 2 4 1'],
    ['by submission, the newest first', { sort: 'submitted' }, '4 3 2 1'],
    ['by submission, the oldest first', { sort: 'submitted', reversed: true }, '1 2 3 4'],
    ['of one state', { state: 'failed' }, '4'],
  ];
  for (const [what, listing, orders] of table) {
    test(what, () => assert.equal(shown(listing), orders));
  }

  test('of a name, in any case', () => assert.equal(shown({ sort: 'name' }, ' SHOT '), '2 1 3'));

  test('a queued job of which something runs is shown, and found, as being rendered', () => {
    const jobs = [make('now', 9, { state: 'queued', live: { running: 1 } })];
    const of = (state: string): number =>
      listJobs(jobs, '', { state, sort: 'order', reversed: false }).length;
    assert.deepEqual([of('active'), of('queued')], [1, 0]);
  });
});

describe('the address of the list', () => {
  const table: [search: string, listing: JobListing, path: string][] = [
    ['', { state: '', sort: 'order', reversed: false }, '/jobs'],
    ['?sort=name', { state: '', sort: 'name', reversed: false }, '/jobs?sort=name'],
    [
      '?state=failed&sort=-progress',
      { state: 'failed', sort: 'progress', reversed: true },
      '/jobs?state=failed&sort=-progress',
    ],
    ['?sort=-order', { state: '', sort: 'order', reversed: true }, '/jobs?sort=-order'],
    ['?sort=-colour&state=', { state: '', sort: 'order', reversed: false }, '/jobs'],
  ];
  for (const [search, listing, path] of table) {
    test(search || 'plain', () => {
      assert.deepEqual(listingOf(search), listing);
      assert.equal(listingPath(listing), path);
    });
  }
});

test('only what makes sense is done to a job', () => {
  const takes = (state: JobView['state']): string =>
    JOB_CHANGES.filter((change) => takesChange(jobView('a', 1, { state }), change)).join(' ');
  assert.equal(takes('active'), 'pause priority cancel delete');
  assert.equal(takes('paused'), 'resume priority cancel delete');
  assert.equal(takes('canceled'), 'resume delete');
  assert.equal(takes('done'), 'delete');
  assert.equal(takes('failed'), 'delete');
});

test('a range follows the job that was clicked before, in both directions, for choosing and for letting go', () => {
  const list = ['a', 'b', 'c', 'd', 'e'];
  const after = (selected: string[], from: string | undefined, to: string, chosen: boolean): string =>
    [...withRange(list, new Set(selected), { from, to, chosen })].sort().join('');
  assert.equal(after(['b'], 'b', 'd', true), 'bcd');
  assert.equal(after(['d'], 'd', 'a', true), 'abcd');
  assert.equal(after(['a', 'b', 'c'], 'c', 'b', false), 'a');
  assert.equal(after(['a'], undefined, 'd', true), 'ad');
  // The one before is filtered out by now.
  assert.equal(after(['x'], 'x', 'c', true), 'cx');
});
