/** Bounds of the local API, each with its reason. */

/** The listener's address: the API never leaves the machine (DESIGN.md section 8). */
export const LISTEN_HOST = '127.0.0.1';
/** The largest request body: a requeue that names 10,000 tasks is 200 KB. */
export const REQUEST_BYTES_MAX = 1_048_576;
/** Time for a request to arrive whole; requests come from the same machine, so more is a stuck client. */
export const REQUEST_ARRIVAL_MS = 30_000;
/** The longest single parameter of a path: what the routes' own schemas allow, percent-encoded. */
export const PATH_PARAMETER_LENGTH_MAX = 1_024;
/** How long a stopping server lets answers finish before it tells those who wait that the node is stopping. */
export const STOP_GRACE_MS = 1_000;
/** How long it then waits for them to be told before it cuts their connections. */
export const STOP_CUT_MS = 500;

/** A comment on a quiet event stream, so that a dead connection is noticed within two of them. */
export const EVENT_HEARTBEAT_MS = 15_000;
/** Events that a slow client may have queued; then it is cut, and resumes from what it has seen. */
export const EVENT_CLIENT_BUFFER_BYTES = 4 * 1_048_576;
/** Event streams at the same time: many tabs and watchers, never an accident's thousands. */
export const EVENT_CLIENTS_MAX = 256;
/** How soon a cut client comes back, in milliseconds. */
export const EVENT_RETRY_MS = 1_000;

/** Events kept for clients that resume: some minutes of a busy farm. */
export const EVENTS_KEPT = 2_000;
/** Task views kept in these events altogether, about 400 bytes each: 4 MB at most. */
export const EVENT_TASKS_KEPT = 10_000;
/** Changes are gathered this long before the first of them is told: a step of the core changes several things. */
export const GATHER_MS = 5;
/** Then at most one batch in this time: people see no difference, and 4,000 tasks/s cost ten batches. */
export const BATCH_INTERVAL_MS = 100;
/** Task views in one batch; with the interval 5,000 a second, more than the farm's budget of dispatch. */
export const BATCH_TASKS_MAX = 500;
/** Changed tasks that may wait; beyond, reading everything anew is cheaper than being told one by one. */
export const PENDING_TASKS_MAX = 20_000;
/** How long changes are still gathered after the last listener left, so that a short break can be resumed. */
export const LISTENER_GRACE_MS = 30_000;
