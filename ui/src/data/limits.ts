/** Bounds of the dashboard's data, each with its reason. */

/** Tasks read by one request: what the route allows. */
export const TASK_PAGE_SIZE = 5_000;
/** Tasks of one job held in the page: each is about 1 KB; more frames than anyone looks at one by one. */
export const TASKS_HELD_MAX = 50_000;
/** Jobs whose tasks stay in memory after they were looked at. */
export const JOBS_WITH_TASKS_MAX = 4;
/** First wait before a lost connection is tried again, in milliseconds. */
export const RETRY_FIRST_MS = 250;
/** Longest wait between tries, in milliseconds: a person who restarts the node sees it at once. */
export const RETRY_MAX_MS = 4_000;
/** The connection bar appears after this long, so that a short break doesn't flash, in milliseconds. */
export const LOST_SHOWN_AFTER_MS = 400;
/** This machine's figures are read again at most this often while its node reports changes, in milliseconds. */
export const HERE_INTERVAL_MS = 1_000;
/** A job of which nothing runs is asked anew what it waits for at most this often, while machines change. */
export const WAITS_INTERVAL_MS = 1_000;
/** What is bad for less than this is not shown, in milliseconds: a second copy of a frame takes a part of a second. */
export const ALARM_AFTER_MS = 2_000;
/** What the machines did in the last hours is read again so often, in milliseconds: a bar is minutes. */
export const ACTIVITY_INTERVAL_MS = 30_000;
/** What the night did is read again at most this often while the stream tells of changes, in milliseconds. */
export const NIGHT_INTERVAL_MS = 2_000;
/** What travels is read again at most this often while the stream tells of changes, in milliseconds. */
export const SWARM_INTERVAL_MS = 1_000;
/** How often this machine's node is asked how far it is with leaving, in milliseconds: each answer moves a bar. */
export const DEPARTURE_INTERVAL_MS = 500;
/** What could be freed is read again at most this often while jobs end: each time all their files are gone through. */
export const RETENTION_INTERVAL_MS = 2_000;
/** Jobs that are changed at the same time: each waits for the disks of two machines, and they sync for several at once. */
export const CHANGES_AT_ONCE = 4;
/** Events that wait while the lists are read; beyond it the lists are read again. */
export const EVENTS_WAITING_MAX = 20_000;
/** Characters of a log that are shown; the whole file can be saved. */
export const LOG_LENGTH_MAX = 1_000_000;

/** How often the countdown of an open door is drawn anew. */
export const DOOR_TICK_MS = 1_000;
