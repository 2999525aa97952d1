import { countingResult } from './derive.ts';
import { heldBy, type Holders } from './fields.ts';
import type { PeerId } from './ids.ts';
import type { Failure, JobRecord, TaskRecord, TaskResult } from './records.ts';

/** A file that a result names: one that whoever holds the result holds, or one that only helps to look at it. */
export interface NamedBlob {
  hash: string;
  sizeBytes?: number;
  needed: boolean;
}

/**
 * Everything that a result names, each file once (SPEC R137). Previews are needed as the files are, since a film is made
 * of them where the frames are no pictures that it can take. A thumbnail's or a log's loss loses nothing.
 */
export function blobsOfResult(result: TaskResult): NamedBlob[] {
  const named = new Map<string, NamedBlob>();
  for (const { blob, sizeBytes } of result.files) named.set(blob, { hash: blob, sizeBytes, needed: true });
  const add = (hash: string | undefined, needed: boolean): void => {
    if (hash !== undefined && !named.has(hash)) named.set(hash, { hash, needed });
  };
  for (const { preview } of result.files) add(preview, true);
  for (const hash of [result.thumbnail, result.log]) add(hash, false);
  return [...named.values()];
}

/** What a machine promises that says it holds the result: of these it lacks none, or it doesn't hold it. */
export const promisedBlobs = (result: TaskResult): string[] =>
  blobsOfResult(result).flatMap(({ hash, needed }) => (needed ? [hash] : []));

/** The holders once a peer has taken its word back: only it writes its entry, with a higher counter (SPEC R24). */
export function withdrawnBy(holders: Holders, peer: PeerId): Holders {
  return { ...holders, [peer]: { held: false, counter: (holders[peer]?.counter ?? 0) + 1 } };
}

/** The log of a failure of which the record says that the machine holds it (SPEC R132). */
export const heldLog = ({ log, holders }: Failure, peer: PeerId): string | undefined =>
  holders?.[peer]?.held === true ? log : undefined;

/** Everything of a task of which its record says that the machine holds it: of results, and logs of failures. */
export function heldOfTask(task: TaskRecord, peer: PeerId): string[] {
  const results = Object.values(task.results).filter(({ holders }) => holders[peer]?.held === true);
  const logs = Object.values(task.failures).map((failure) => heldLog(failure, peer));
  return [...results.flatMap(promisedBlobs), ...logs.filter((log) => log !== undefined)];
}

/** What would be left of a job without one machine (SPEC R58). */
export interface Safety {
  /** Machines, other than that one, that hold whatever is held by fewest; counted up to two. */
  machines: 0 | 1 | 2;
  /** Plan or bundle that fewer than two others hold. */
  job: boolean;
  /** Results that fewer than two others hold, and those that no other holds. */
  resultsOnOne: number;
  resultsOnNone: number;
}

/**
 * Whether a machine may be switched off for good as far as a job is concerned: its plan, its bundle and the results
 * so far, each on how many others. A holder has the records as well (R57). `tasks` are the job's records at the levels
 * that count.
 */
export function safetyWithout(job: JobRecord, tasks: Iterable<TaskRecord>, peer: PeerId): Safety {
  const results = { onNone: 0, onOne: 0 };
  for (const task of tasks) {
    const result = countingResult(task);
    if (result === undefined) continue;
    const machines = othersThan(peer, result.holders);
    if (machines === 0) results.onNone++;
    if (machines === 1) results.onOne++;
  }
  return safetyFrom(job, results, peer);
}

/** The same from counted results: how many no other machine holds, and how many exactly one other. */
export function safetyFrom(job: JobRecord, results: { onNone: number; onOne: number }, peer: PeerId): Safety {
  const ofJob = Math.min(
    othersThan(peer, job.holders.plan),
    job.spec.bundle === undefined ? Number.POSITIVE_INFINITY : othersThan(peer, job.holders.bundle),
  );
  const ofResults = results.onNone > 0 ? 0 : results.onOne > 0 ? 1 : 2;
  return {
    machines: atMostTwo(Math.min(ofJob, ofResults)),
    job: ofJob < 2,
    resultsOnOne: results.onOne,
    resultsOnNone: results.onNone,
  };
}

const othersThan = (peer: PeerId, holders: Holders): number =>
  heldBy(holders).filter((holder) => holder !== peer).length;

function atMostTwo(count: number): 0 | 1 | 2 {
  if (count >= 2) return 2;
  return count === 1 ? 1 : 0;
}
