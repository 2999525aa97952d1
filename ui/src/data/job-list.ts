import { shownState } from '@cuadro/protocol/shown-state';
import type { JobView } from '@cuadro/protocol';
import { ended } from '../components/tones.ts';

export const JOB_SORTS = ['order', 'name', 'state', 'progress', 'priority', 'submitted'] as const;
export type JobSort = (typeof JOB_SORTS)[number];

/** Which jobs are listed, and how: the part of it that stands in the page's address. */
export interface JobListing {
  /** A state of `shownState`; empty for all. */
  state: string;
  sort: JobSort;
  reversed: boolean;
}

/** Reads `?state=failed&sort=-name`; what is not known is left out. */
export function listingOf(search: string): JobListing {
  const query = new URLSearchParams(search);
  const text = query.get('sort') ?? '';
  const reversed = text.startsWith('-');
  const sort = JOB_SORTS.find((name) => name === text.slice(reversed ? 1 : 0));
  return { state: query.get('state') ?? '', sort: sort ?? 'order', reversed: reversed && sort !== undefined };
}

export function listingPath({ state, sort, reversed }: JobListing): string {
  const query = new URLSearchParams();
  if (state !== '') query.set('state', state);
  if (sort !== 'order' || reversed) query.set('sort', `${reversed ? '-' : ''}${sort}`);
  return query.size === 0 ? '/jobs' : `/jobs?${query}`;
}

/** As a farm works: what is at work first, what has come to its end last. */
const STATES: readonly JobView['state'][] = [
  'active',
  'queued',
  'waiting',
  'paused',
  'failed',
  'skipped',
  'canceled',
  'done',
  'deleted',
];

const progressOf = ({ counts }: JobView): number =>
  (counts.done + counts.rendered) / Math.max(1, counts.total);

/** Names as people count: shot 2 before shot 10. */
const names = new Intl.Collator(undefined, { numeric: true });

const COMPARE: Record<Exclude<JobSort, 'order'>, (a: JobView, b: JobView) => number> = {
  name: (a, b) => names.compare(a.name, b.name),
  state: (a, b) => STATES.indexOf(shownState(a)) - STATES.indexOf(shownState(b)),
  progress: (a, b) => progressOf(b) - progressOf(a),
  priority: (a, b) => b.priority - a.priority,
  submitted: (a, b) => b.submittedAt - a.submittedAt,
};

/**
 * The jobs whose name or id `text` is a part of, in the listing's order; where they are equal in it, and by `order`, as
 * they run: ended ones after the others, newest first. `jobs` stand as the node lists them.
 */
export function listJobs(jobs: readonly JobView[], text: string, listing: JobListing): JobView[] {
  const wanted = text.trim().toLowerCase();
  const matching = jobs.filter(
    (job) =>
      (wanted === '' || job.name.toLowerCase().includes(wanted) || job.id.startsWith(wanted)) &&
      (listing.state === '' || shownState(job) === listing.state),
  );
  const past = matching
    .filter(ended)
    .sort((a, b) => (b.changedAt ?? b.submittedAt) - (a.changedAt ?? a.submittedAt));
  const list = [...matching.filter((job) => !ended(job)), ...past];
  if (listing.sort !== 'order') list.sort(COMPARE[listing.sort]);
  return listing.reversed ? list.reverse() : list;
}

/** What is done to several jobs at once. */
export const JOB_CHANGES = ['resume', 'pause', 'priority', 'cancel', 'delete'] as const;
export type JobChange = (typeof JOB_CHANGES)[number];

/** Whether a change makes sense for a job: what is done or failed can be deleted, and nothing else. */
export function takesChange(job: JobView, change: JobChange): boolean {
  switch (change) {
    case 'pause':
      return !ended(job) && job.state !== 'paused';
    case 'resume':
      return job.state === 'paused' || job.state === 'canceled';
    case 'priority':
    case 'cancel':
      return !ended(job);
    case 'delete':
      return true;
  }
}

/** `selected` with everything from one job to another of the list: chosen, or not any more. */
export function withRange(
  list: readonly string[],
  selected: ReadonlySet<string>,
  { from, to, chosen }: { from: string | undefined; to: string; chosen: boolean },
): Set<string> {
  const end = list.indexOf(to);
  const begin = from === undefined ? -1 : list.indexOf(from);
  const range = begin === -1 ? [to] : list.slice(Math.min(begin, end), Math.max(begin, end) + 1);
  const next = new Set(selected);
  for (const id of range) {
    if (chosen) next.add(id);
    else next.delete(id);
  }
  return next;
}
