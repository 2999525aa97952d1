import type { PeerId } from './ids.ts';
import type { FarmMembers } from './membership.ts';
import type { JobRecord, JobSpec } from './records.ts';

/**
 * Whose word a job stands by (SPEC R143). A key goes on signing after its machine was removed, and whoever has not heard
 * of that yet takes in what it signs: only what the remover names is known to be older.
 */

/** Where a signature's second half begins, and how much of that is a mark. */
const MARK_START = 32;
export const JOB_MARK_BYTES = 16;

/**
 * What a removal names a job by: a part of the signature of its spec that follows from the content, unlike the first half,
 * which the author chooses. So another spec under the same id (SPEC R31) has another mark.
 */
export const jobMark = ({ signature }: JobSpec): Uint8Array =>
  signature.slice(MARK_START, MARK_START + JOB_MARK_BYTES);

/** A mark as the key of a set. */
export const markKey = (mark: Uint8Array): string => String.fromCharCode(...mark);

/** The marks of the jobs that stand by the word of `peer`, those of the highest order first: what its removal must name. */
export function marksOf(peer: PeerId, jobs: Iterable<JobRecord>, most: number): Uint8Array[] {
  return [...jobs]
    .filter(({ spec, control, deleted }) => {
      const isItsWord = spec.author === peer || control.desired?.peer === peer;
      return isItsWord && deleted === undefined;
    })
    .sort((a, b) => b.spec.order - a.spec.order)
    .slice(0, most)
    .map(({ spec }) => jobMark(spec));
}

/**
 * Whether nobody of the farm stands for a job: its author is no member, and its removal, if there is one, does not name
 * the job; and nobody for whom it is otherwise has said what is to become of the job.
 */
export function isUnclaimed({ spec, control }: JobRecord, { members, removed }: FarmMembers): boolean {
  const stands = (peer: PeerId): boolean => {
    if (members.has(peer)) return true;
    const gone = removed.get(peer);
    return gone !== undefined && (gone.jobs === undefined || gone.jobs.has(markKey(jobMark(spec))));
  };
  return !stands(spec.author) && !(control.desired !== undefined && stands(control.desired.peer));
}
