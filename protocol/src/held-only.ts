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
  return [...resultsText(results), ...(scene ? ['its scene or plan'] : [])].join(' and ');
}

const all = new Intl.ListFormat('en-GB', { type: 'conjunction' });

/**
 * The same of all jobs together: `13 results and the scene or plan of a job`. Logs are
 * counted for a machine that leaves or is removed only: nothing else waits for their copies (SPEC R133).
 */
export function heldOnlyInAll(held: readonly HeldOnly[], logs = 0): string {
  const results = held.reduce((sum, only) => sum + only.results, 0);
  const scenes = held.filter(({ scene }) => scene).length;
  const ofJobs = scenes === 1 ? 'the scene or plan of a job' : `scenes or plans of ${scenes} jobs`;
  const ofFailures = logs === 1 ? 'the log of a failed attempt' : `logs of ${logs} failed attempts`;
  return all.format([
    ...resultsText(results),
    ...(scenes > 0 ? [ofJobs] : []),
    ...(logs > 0 ? [ofFailures] : []),
  ]);
}

function resultsText(results: number): string[] {
  if (results === 0) return [];
  return [results === 1 ? '1 result' : `${results.toLocaleString('en-US')} results`];
}

/** Whether a machine may be switched off as far as the jobs are concerned, in one sentence (SPEC R58). */
export function machineSafety(held: readonly HeldOnly[], machines: number): string {
  if (machines < 2) return 'What it holds is on it only: the farm has no other machine.';
  const [first, ...more] = held;
  if (first === undefined) return 'Safe to switch off: everything that it holds is on another machine, too.';
  const isOne = more.length === 0 && first.results + (first.scene ? 1 : 0) === 1;
  return `Not yet safe to switch off: ${heldOnlyInAll(held)} ${isOne ? 'is' : 'are'} only there.`;
}

/** How a machine stands that leaves (SPEC R162), in its own words; others read them as why it doesn't render. */
export const DEPARTURE = {
  looking: 'It looks for what only this machine holds.',
  moving: 'What only this machine holds goes to others.',
  moved: 'Everything is elsewhere, too.',
  alone: 'No other machine that stays can be reached.',
  stuck: 'No other machine takes what is left: none has room for it, or its files can be read nowhere.',
} as const;

const LEAVING = 'It is leaving the farm.';

/** What a machine that leaves says of itself to others. */
export const leavingSentence = (message?: string): string =>
  message === undefined ? LEAVING : `${LEAVING} ${message}`;

/** Why a machine that leaves can't, as others hear it; undefined where nothing is in its way. */
export function whyStuck(idleReason: string | undefined): string | undefined {
  return [DEPARTURE.alone, DEPARTURE.stuck].find((why) => idleReason === leavingSentence(why));
}
