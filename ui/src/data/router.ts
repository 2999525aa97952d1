import { type JobListing, listingOf, listingPath } from './job-list.ts';

/** Where in the dashboard one is. Addresses are plain paths; the node answers all of them with the page. */
export type Route =
  | { page: 'farm' }
  | { page: 'jobs'; listing: JobListing }
  | { page: 'job'; job: string; tab: JobTab; task?: number; attempt?: string }
  | { page: 'machines'; machine?: string }
  | { page: 'night' }
  | { page: 'swarm' }
  | { page: 'door' }
  | { page: 'docs'; name: string }
  | { page: 'unknown'; path: string };

export const JOB_TABS = ['frames', 'tasks', 'times', 'film', 'details'] as const;
export type JobTab = (typeof JOB_TABS)[number];

export function parsePath(path: string, search = ''): Route {
  const parts = path.split('/').filter(Boolean).map(decodePart);
  const [first, second, third] = parts;
  if (first === undefined) return { page: 'farm' };
  if (first === 'jobs' && second === undefined) return { page: 'jobs', listing: listingOf(search) };
  if (first === 'jobs' && second !== undefined) {
    const tab = JOB_TABS.find((name) => name === third) ?? 'frames';
    const query = new URLSearchParams(search);
    const task = query.get('task');
    const attempt = query.get('attempt');
    const index = task !== null && /^\d{1,10}$/.test(task) ? Number(task) : undefined;
    return {
      page: 'job',
      job: second,
      tab,
      ...(index !== undefined && { task: index }),
      ...(attempt !== null && { attempt }),
    };
  }
  if (first === 'machines') return { page: 'machines', ...(second !== undefined && { machine: second }) };
  if (first === 'night') return { page: 'night' };
  if (first === 'swarm') return { page: 'swarm' };
  if (first === 'door') return { page: 'door' };
  if (first === 'docs') return { page: 'docs', name: second ?? 'getting-started' };
  return { page: 'unknown', path };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const paths = {
  farm: '/',
  jobs: '/jobs',
  jobList: listingPath,
  machines: '/machines',
  machine: (peer: string) => `/machines/${encodeURIComponent(peer)}`,
  night: '/night',
  swarm: '/swarm',
  door: '/door',
  docs: (name?: string) => (name === undefined ? '/docs' : `/docs/${name}`),
  /** `attempt` is one of the task, whose log is then open. */
  job: (job: string, tab?: JobTab, task?: number, attempt?: string) => {
    const part = tab === undefined || tab === 'frames' ? '' : `/${tab}`;
    const log = attempt === undefined ? '' : `&attempt=${encodeURIComponent(attempt)}`;
    return `/jobs/${encodeURIComponent(job)}${part}${task === undefined ? '' : `?task=${task}${log}`}`;
  },
};

/** Goes to an address of the dashboard; `replace` leaves no entry in the history. */
export function go(path: string, replace = false): void {
  if (path === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  dispatchEvent(new PopStateEvent('popstate'));
}

/** Lets plain links of the page change the route without loading it again. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  if (link === undefined || link.target !== '' || link.hasAttribute('download')) return;
  if (link.origin !== location.origin || link.pathname.startsWith('/api/')) return;
  if (link.hash !== '' && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
