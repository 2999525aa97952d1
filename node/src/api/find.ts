import { isAbsolute } from 'node:path';
import { CuadroError, jobControls, type JobId, type PeerId, type TaskIndex } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';

/** How people's names for things become ids: `#12`, `12`, the first letters of an id, `frame 7`, `here`. */

/** How many candidates an ambiguous name lists. */
const matchesShown = 5;

type JobQueries = Pick<CoreQueries, 'jobIds' | 'jobRecord'>;

/**
 * A job by its id, its order number (`#12` or `12`), a beginning of its id that no other job has, or else its name.
 * @throws CuadroError `job-not-found`, `job-ambiguous`, `job-deleted`.
 */
export function findJob(queries: JobQueries, text: string): JobId {
  const name = text.trim().toLowerCase();
  const exact = queries.jobRecord(name);
  if (exact?.deleted !== undefined) throw new CuadroError('job-deleted', { job: name });
  if (exact !== undefined) return name;
  const number = /^#?(\d{1,15})$/.exec(name)?.[1];
  if (number !== undefined) {
    const numbered = liveJobs(queries).filter((id) => queries.jobRecord(id)?.spec.order === Number(number));
    if (numbered.length === 1) return numbered[0] as JobId;
    if (numbered.length > 1) throw ambiguous(text, numbered);
  }
  if (name === '') throw new CuadroError('job-not-found', { job: text });
  const begun = liveJobs(queries).filter((id) => id.startsWith(name));
  const matches = begun.length > 0 ? begun : jobsNamed(queries, name);
  if (matches.length > 1) throw ambiguous(text, matches);
  if (matches[0] === undefined) throw new CuadroError('job-not-found', { job: text });
  return matches[0];
}

function liveJobs(queries: JobQueries): JobId[] {
  return queries.jobIds().filter((id) => queries.jobRecord(id)?.deleted === undefined);
}

/** Names are people's own, so several jobs may have one. */
function jobsNamed(queries: JobQueries, name: string): JobId[] {
  return liveJobs(queries).filter((id) => {
    const record = queries.jobRecord(id);
    return record !== undefined && jobControls(record).name.trim().toLowerCase() === name;
  });
}

function ambiguous(text: string, matches: readonly JobId[]): CuadroError {
  return new CuadroError('job-ambiguous', { job: text, matches: shortList(matches) });
}

function shortList(ids: readonly string[]): string {
  const shown = ids.slice(0, matchesShown).join(', ');
  return ids.length > matchesShown ? `${shown} and ${ids.length - matchesShown} more` : shown;
}

/** @throws CuadroError `task-not-found`. */
export function findTask(queries: Pick<CoreQueries, 'findTask'>, job: JobId, text: string): TaskIndex {
  const index = queries.findTask(job, text);
  if (index === undefined) throw new CuadroError('task-not-found', { job, task: text });
  return index;
}

/**
 * A machine by `here`, its peer id, its name, or a beginning of its peer id that no other has.
 * @throws CuadroError `node-not-found`, `node-ambiguous`.
 */
export function findNode(queries: Pick<CoreQueries, 'self' | 'nodes'>, text: string): PeerId {
  if (text === 'here' || text === queries.self) return queries.self;
  const nodes = queries.nodes();
  const exact = nodes.find((node) => node.peer === text);
  if (exact !== undefined) return exact.peer;
  const named = nodes.filter((node) => node.name.toLowerCase() === text.toLowerCase());
  const matches = named.length > 0 ? named : nodes.filter((node) => node.peer.startsWith(text));
  if (matches.length > 1) {
    const peers = matches.map(({ peer }) => peer);
    throw new CuadroError('node-ambiguous', { node: text, matches: shortList(peers) });
  }
  if (matches[0] === undefined) throw new CuadroError('node-not-found', { node: text });
  return matches[0].peer;
}

/**
 * The node has another working folder than its clients, so only absolute paths mean anything to it.
 * @throws CuadroError `request-invalid`.
 */
export function requireAbsolute(what: string, path: string | undefined): void {
  if (path !== undefined && !isAbsolute(path)) {
    throw new CuadroError('request-invalid', {
      why: `${what} must be an absolute path, and "${path}" is not`,
    });
  }
}
