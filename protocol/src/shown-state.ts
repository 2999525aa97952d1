import type { JobView } from './views.ts';

/**
 * The state as a person sees it: by its records a job is queued until its first result, and a first frame may take an
 * hour. What runs, no record says, so the node's answer has both.
 */
export function shownState({ state, live }: Pick<JobView, 'state' | 'live'>): JobView['state'] {
  return state === 'queued' && live.running > 0 ? 'active' : state;
}
