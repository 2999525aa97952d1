import type { BlobHash, TaskIndex } from '@cuadro/protocol';
import { THUMBNAILS_SHOWN, THUMBNAILS_SOUGHT_MAX } from './options.ts';

interface Kept {
  readonly index: TaskIndex;
  /** Wall-clock milliseconds of its result. */
  readonly at: number;
}

/** What counts of a job's tasks. */
export interface CountingResults {
  /** Tasks with a record. */
  readonly count: number;
  indices(): Iterable<TaskIndex>;
  result(index: TaskIndex): { readonly wallTime: number; readonly thumbnail?: BlobHash } | undefined;
}

/**
 * The thumbnails of a job's newest results. They are the same in whatever order the records came: where one of them was
 * discarded, or another result of its task counts by now, all are looked at again, but in a job with very many tasks.
 */
export class NewestThumbnails {
  #kept: Kept[] = [];
  /** One became older, and one that was left out may have its place. */
  #hasGap = false;

  keep(index: TaskIndex, at: number): void {
    const kept = this.#kept;
    const known = kept.findIndex((other) => other.index === index);
    const [before] = known < 0 ? [] : kept.splice(known, 1);
    if (before !== undefined && at < before.at) this.#hasGap = true;
    // Newest first, and of one time the later task.
    const place = kept.findIndex((other) => at > other.at || (at === other.at && index > other.index));
    kept.splice(place < 0 ? kept.length : place, 0, { index, at });
    if (kept.length > THUMBNAILS_SHOWN) kept.pop();
  }

  /** Newest first. */
  of(results: CountingResults): { task: TaskIndex; blob: BlobHash }[] {
    const isRight = ({ index, at }: Kept): boolean => {
      const result = results.result(index);
      return result?.thumbnail !== undefined && result.wallTime === at;
    };
    if (this.#hasGap || !this.#kept.every(isRight)) this.#seek(results);
    return this.#kept.flatMap(({ index }) => {
      const blob = results.result(index)?.thumbnail;
      return blob === undefined ? [] : { task: index, blob };
    });
  }

  #seek(results: CountingResults): void {
    this.#hasGap = false;
    if (results.count > THUMBNAILS_SOUGHT_MAX) return;
    this.#kept = [];
    for (const index of results.indices()) {
      const result = results.result(index);
      if (result?.thumbnail !== undefined) this.keep(index, result.wallTime);
    }
  }
}
