import type { JobView, RetentionView } from '@cuadro/protocol';

export type Collected = RetentionView['jobs'][number];

/** What could be freed now, the largest first, and why the others stay. */
export interface Freeable {
  goes: readonly Collected[];
  stays: readonly Collected[];
  freesBytes: number;
}

/** `bySetting`: the same after the days that are set; it tells when a job goes by itself. */
export function freeableOf(now: RetentionView, bySetting: RetentionView | undefined): Freeable {
  const later = new Map(bySetting?.jobs.map(({ job, why }) => [job, why]));
  const largestFirst = now.jobs.toSorted((a, b) => b.sizeBytes - a.sizeBytes || a.order - b.order);
  return {
    goes: largestFirst
      .filter(({ goes }) => goes)
      .map((job) => {
        const why = later.get(job.job);
        return why === undefined ? job : { ...job, why };
      }),
    stays: largestFirst.filter(({ goes }) => !goes),
    freesBytes: now.freesBytes,
  };
}

/** Changes whenever something may be freed that was not, or is gone: jobs of a machine that are done, and collected. */
export function doneKey(jobs: readonly JobView[], peer: string): string {
  return jobs
    .filter(({ state, submitter }) => state === 'done' && submitter === peer)
    .map(({ id, live }) => `${id} ${live.collected ?? 0}`)
    .sort()
    .join();
}
