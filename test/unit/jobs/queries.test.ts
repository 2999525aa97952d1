import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { JobView } from '@cuadro/protocol';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { withLocal } from '../../../node/src/jobs/queries.ts';

const lost = 'The file wood.png of its scene is damaged or gone here.';
const notCollected = "The files of frame 1 can't be collected: the disk is full.";
const collected = { collected: 3, keptForeign: 0 };

const cases: [what: string, local: Parameters<typeof withLocal>[1], live: Partial<JobView['live']>][] = [
  ['nothing', { collection: () => undefined, lacking: () => undefined }, {}],
  ['what was collected', { collection: () => collected, lacking: () => undefined }, collected],
  [
    "what can't be collected",
    { collection: () => ({ ...collected, problem: notCollected }), lacking: () => undefined },
    { ...collected, problem: notCollected },
  ],
  [
    "what can't be had again, before what can't be collected (SPEC R185)",
    { collection: () => ({ ...collected, problem: notCollected }), lacking: () => lost },
    { ...collected, problem: lost },
  ],
  [
    "what can't be had again of a job of another machine",
    { collection: () => undefined, lacking: (job) => (job === 'job' ? lost : undefined) },
    { problem: lost },
  ],
];
for (const [what, local, live] of cases) {
  it(`a job's view says of what this machine alone knows: ${what}`, () => {
    const job = { id: 'job', live: { running: 2 } } as JobView;
    const queries = withLocal({ job: () => job, jobs: () => [job] } as unknown as CoreQueries, local);
    assert.deepEqual(queries.job('job')?.live, { running: 2, ...live });
    assert.deepEqual(queries.jobs()[0]?.live, { running: 2, ...live });
  });
}
