import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHours, type NodeView, type RouteBody } from '@cuadro/protocol';
import { jobChanged, nodeChanged } from '../../../node/src/jobs/words.ts';

describe('what a change did to a job, in words', () => {
  const table: [change: RouteBody<'setJob'>, text: string][] = [
    [{ desired: 'paused' }, 'The job is paused; running tasks end.'],
    [{ desired: 'active', priority: 80 }, "The job goes on. The job's priority is 80."],
    [{ name: 'shot 02' }, 'The job is called shot 02.'],
    [{ machineLimit: 1 }, 'At most 1 machine works on the job at once.'],
    [{ machineLimit: 3 }, 'At most 3 machines work on the job at once.'],
    [{ machineLimit: 0 }, 'Any number of machines may work on the job.'],
    [{ failureShare: 0.25 }, 'The job is given up when 25 % of its tasks have failed.'],
    [{}, 'Nothing is changed.'],
  ];
  for (const [change, text] of table) it(text, () => assert.equal(jobChanged(change), text));
});

describe('what a change did to a machine, in words (SPEC R37)', () => {
  type Desired = NodeView['desired'];
  const table: [after: [farm: Desired, owner: Desired], change: RouteBody<'setNode'>, text: string][] = [
    [['active', 'active'], { desired: 'active' }, 'attic takes work.'],
    [['paused', 'active'], { desired: 'paused' }, 'attic is paused: what it rendered is rendered elsewhere.'],
    [['draining', 'active'], { desired: 'draining' }, 'attic ends what it renders, and takes nothing new.'],
    [
      ['active', 'paused'],
      { desired: 'active' },
      'attic is paused: what it rendered is rendered elsewhere; only its owner can let it go on.',
    ],
    [
      ['active', 'draining'],
      { desired: 'active' },
      'attic ends what it renders, and takes nothing new; only its owner can let it go on.',
    ],
    [
      ['draining', 'paused'],
      { ownerDesired: 'paused' },
      'attic is paused: what it rendered is rendered elsewhere.',
    ],
    [
      ['active', 'paused'],
      { ownerDesired: 'paused' },
      'attic is paused: what it rendered is rendered elsewhere.',
    ],
    [['active', 'active'], { tags: ['gpu', 'fast'] }, 'attic has the tags gpu, fast.'],
    [['active', 'active'], { tags: [] }, 'attic has no tags of ours any more.'],
    [['active', 'active'], { slots: 2 }, 'attic runs at most 2 tasks at a time.'],
    [['active', 'active'], { hours: { spans: [] } }, 'attic works at any time.'],
  ];
  for (const [[desired, ownerDesired], change, text] of table) {
    it(`${text} (farm ${desired}, owner ${ownerDesired})`, () => {
      assert.equal(nodeChanged({ name: 'attic', desired, ownerDesired }, change), text);
    });
  }
  it('tells hours as people write them', () => {
    const hours = parseHours('Mon-Fri 19-7');
    assert.ok(hours !== undefined);
    const text = nodeChanged({ name: 'attic', desired: 'active', ownerDesired: 'active' }, { hours });
    assert.equal(text, 'attic works Mon–Fri 19:00–07:00, by its own clock.');
  });
});
