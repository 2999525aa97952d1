import type { JobView } from './views.ts';

/** What of one job only one machine holds. */
export interface HeldOnly {
  job: JobView;
  results: number;
  /** The scene or the plan. */
  scene: boolean;
}

/** The jobs that still need a machine, since something of them is only there; of server, commands and dashboard. */
export function heldOnlyBy(jobs: readonly JobView[], peer: string): HeldOnly[] {
  return jobs.flatMap((job) =>
    job.onlyOn.filter((only) => only.peer === peer).map(({ results, scene }) => ({ job, results, scene })),
  );
}

/** `12 results`, `its scene or plan`, `1 result and its scene or plan`. */
export function heldOnlyText({ results, scene }: Pick<HeldOnly, 'results' | 'scene'>): string {
  const counted = results === 1 ? '1 result' : `${results.toLocaleString('en-US')} results`;
  return [...(results > 0 ? [counted] : []), ...(scene ? ['its scene or plan'] : [])].join(' and ');
}

/** Whether a machine may be switched off as far as the jobs are concerned, in one sentence (SPEC R58). */
export function machineSafety(held: readonly HeldOnly[], machines: number): string {
  if (machines < 2) return 'What it holds is on it only: the farm has no other machine.';
  if (held.length === 0) return 'Safe to switch off: everything that it holds is on another machine, too.';
  const results = held.reduce((sum, only) => sum + only.results, 0);
  const scenes = held.filter(({ scene }) => scene).length;
  const parts = [
    ...(results > 0 ? [results === 1 ? '1 result' : `${results.toLocaleString('en-US')} results`] : []),
    ...(scenes > 0
      ? [scenes === 1 ? 'the scene or plan of a job' : `scenes or plans of ${scenes} jobs`]
      : []),
  ];
  const isOne = parts.length === 1 && results + scenes === 1;
  return `Not yet safe to switch off: ${parts.join(' and ')} ${isOne ? 'is' : 'are'} only there.`;
}
