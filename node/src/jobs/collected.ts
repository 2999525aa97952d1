import { join } from 'node:path';
import type { JobId } from '@cuadro/protocol';
import { standsAt } from '../blobs/collect.ts';
import { DestinationUnwritableError } from '../blobs/errors.ts';
import { nextTurn } from '../system/turn.ts';
import type { JobsComponents } from './interface.ts';
import { type CollectionNotes, entryOf } from './notes.ts';

/** Tasks looked at in one turn of the event loop. */
const TASKS_PER_TURN = 1_000;

/** Where a job's files went, and what is noted of them. */
export interface Collected {
  readonly folder: string;
  readonly notes: CollectionNotes;
}

export interface CollectionState {
  /** Files written. */
  collected: number;
  /** Files of others that were kept instead. */
  keptForeign: number;
  /** What can't be collected at the moment, and why: one sentence. */
  problem?: string;
  /** The .blend that the job was submitted from. */
  scene?: string;
}

/**
 * Why a job's files are not all in its output folder, in one sentence; undefined where they are. With `reads` each is
 * read there and compared; else what was noted counts.
 */
export async function whyNotCollected(
  { driver, blobs }: Pick<JobsComponents, 'driver' | 'blobs'>,
  {
    job,
    collected,
    reads,
    signal,
  }: { job: JobId; collected: Collected | undefined; reads: boolean; signal: AbortSignal },
): Promise<string | undefined> {
  const { queries } = driver;
  if (collected === undefined) return 'It was submitted on another machine.';
  const { folder, notes } = collected;
  for (const [i, index] of queries.tasksWithResult(job).entries()) {
    if (i % TASKS_PER_TURN === 0) await nextTurn();
    signal.throwIfAborted();
    const results = Object.values(queries.taskRecord(job, index)?.results ?? {});
    const made = results.filter(({ files }) => files.length > 0);
    if (made.length === 0) continue;
    // Of one that was damaged since in the store nothing is known any more.
    const note = reads ? await notes.get(index) : undefined;
    const isNoted = made.some((result) => notes.isCollected(index, result));
    if (!isNoted || (reads && note === undefined))
      return `${queries.plannedTask(job, index)?.name ?? `Task #${index}`} is not in its folder yet.`;
    const [kept] = notes.keptOf(index);
    if (kept !== undefined) return `A file of someone else stands in the place of ${kept}.`;
    for (const [own, blob] of Object.entries(note?.files ?? {})) {
      const name = entryOf(note?.renamed, own) ?? own;
      try {
        if ((await standsAt({ blobs }, blob, join(folder, name), { signal })) === 'same') continue;
      } catch (error) {
        if (!(error instanceof DestinationUnwritableError)) throw error;
        return `${name} can't be looked at in its folder: ${error.reason}.`;
      }
      return `${name} is in its folder no more, or was changed.`;
    }
  }
  return undefined;
}
