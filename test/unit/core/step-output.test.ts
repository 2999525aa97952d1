import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Changes } from '../../../node/src/core/interface.ts';
import { StepOutput } from '../../../node/src/core/step-output.ts';
import { farmRecord } from './members.ts';

const NONE: Changes = { jobs: [], removed: [], tasks: [], nodes: [], farm: false };

describe('what a step gives', () => {
  for (const [what, put, changes] of [
    ['an effect', (out) => out.send('b', { kind: 'doubt', epoch: { term: 1, peer: 'a' } }), undefined],
    ['gossip', (out) => out.gossip('pulse', { kind: 'doubt', epoch: { term: 1, peer: 'a' } }), undefined],
    ['a term', (out) => (out.term = 3), undefined],
    ['a record', (out) => out.persist.set('farm/x', farmRecord()), undefined],
    ['a key that goes', (out) => out.removed.add('task/x'), undefined],
    ['a record of its own', (out) => out.own.add('farm/x'), undefined],
    ['a grant', (out) => out.grants.set('b', []), undefined],
    ['a stop', (out) => out.stops.push({ peer: 'b', attempt: {} as never, reason: 'x' }), undefined],
    ['a job', (out) => out.job('one'), { ...NONE, jobs: ['one'] }],
    ['a job that is gone', (out) => out.jobRemoved('one'), { ...NONE, removed: ['one'] }],
    ['a task', (out) => out.task('one', 4), { ...NONE, tasks: [{ job: 'one', indices: [4] }] }],
    ['a machine', (out) => out.node('b'), { ...NONE, nodes: ['b'] }],
    ['the farm', (out) => (out.farm = true), { ...NONE, farm: true }],
    ['a page of a diary', (out) => (out.diary = true), { ...NONE, diary: true }],
    [
      'a member, of whom the farm shows something',
      (out) => Object.assign(out, { members: true, farm: true }),
      { ...NONE, farm: true, members: true },
    ],
  ] as readonly [string, (out: StepOutput) => unknown, Changes | undefined][]) {
    it(`is ${what} alone, and nothing before`, () => {
      const out = new StepOutput();
      assert.deepEqual([out.isEmpty, out.changes()], [true, undefined]);
      put(out);
      assert.equal(out.isEmpty, false);
      assert.deepEqual(out.changes(), changes);
    });
  }

  it('is not empty where several things are there, whichever two', () => {
    const puts: readonly ((out: StepOutput) => unknown)[] = [
      (out) => out.persist.set('farm/x', farmRecord()),
      (out) => out.removed.add('task/x'),
      (out) => out.own.add('farm/x'),
      (out) => out.grants.set('b', []),
      (out) => out.stops.push({ peer: 'b', attempt: {} as never, reason: 'x' }),
    ];
    for (const one of puts) {
      for (const other of puts) {
        const out = new StepOutput();
        one(out);
        other(out);
        assert.equal(out.isEmpty, false);
      }
    }
  });

  it('is not empty where a member changed and nothing else', () => {
    const out = new StepOutput();
    out.members = true;
    assert.equal(out.isEmpty, false);
  });

  it('is each change once, and of a job that is gone only that', () => {
    const out = new StepOutput();
    for (const index of [3, 1, 3]) out.task('one', index);
    for (const job of ['one', 'two', 'one', 'three']) out.job(job);
    out.task('two', 0);
    out.jobRemoved('two');
    out.node('b');
    out.node('b');
    assert.deepEqual(out.changes(), {
      ...NONE,
      jobs: ['one', 'three'],
      removed: ['two'],
      tasks: [{ job: 'one', indices: [3, 1] }],
      nodes: ['b'],
    });
    assert.deepEqual([...out.nodes], ['b']);
  });
});
