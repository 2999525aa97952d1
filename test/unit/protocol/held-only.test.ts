import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { heldOnlyBy, heldOnlyInAll, heldOnlyText, machineSafety, type HeldOnly } from '@cuadro/protocol';
import { JOB_A, JOB_B } from '../api/fakes.ts';
import { jobView } from '../api/views.ts';

const only = (peer: string, results: number, scene = false) => ({ peer, machine: peer, results, scene });
const jobs = [
  jobView(JOB_A, 1, { onlyOn: [only('studio', 12), only('attic', 1, true)] }),
  jobView(JOB_B, 2, { onlyOn: [only('studio', 1, true)] }),
];

describe('R58: whether a machine may be switched off, as far as all jobs are concerned', () => {
  const table: [held: HeldOnly[], members: number, sentence: string][] = [
    [[], 3, 'Safe to switch off: everything that it holds is on another machine, too.'],
    [
      heldOnlyBy(jobs, 'studio'),
      2,
      'Not yet safe to switch off: 13 results and the scene or plan of a job are only there.',
    ],
    [
      heldOnlyBy(jobs, 'laptop'),
      2,
      'Safe to switch off: everything that it holds is on another machine, too.',
    ],
    [
      heldOnlyBy([jobView(JOB_A, 1, { onlyOn: [only('attic', 1)] })], 'attic'),
      2,
      'Not yet safe to switch off: 1 result is only there.',
    ],
    [
      heldOnlyBy(
        jobs.map((job) => ({ ...job, onlyOn: [only('attic', 0, true)] })),
        'attic',
      ),
      2,
      'Not yet safe to switch off: scenes or plans of 2 jobs are only there.',
    ],
    [heldOnlyBy(jobs, 'studio'), 1, 'What it holds is on it only: the farm has no other machine.'],
  ];
  for (const [held, members, sentence] of table) {
    test(sentence, () => assert.equal(machineSafety(held, members), sentence));
  }
});

test('what one machine alone holds is told job by job', () => {
  const told = heldOnlyBy(jobs, 'studio').map((held) => `${held.job.name}: ${heldOnlyText(held)}`);
  assert.deepEqual(told, ['job 1: 12 results', 'job 2: 1 result and its scene or plan']);
});

test('logs of failed attempts are told beside them', () => {
  const held = heldOnlyBy(jobs, 'studio');
  assert.equal(
    heldOnlyInAll(held, 2),
    '13 results, the scene or plan of a job and logs of 2 failed attempts',
  );
  assert.equal(heldOnlyInAll([], 1), 'the log of a failed attempt');
});
