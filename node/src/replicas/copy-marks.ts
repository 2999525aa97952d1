import type { JobId, TaskIndex } from '@cuadro/protocol';
import { copyLimits } from './copy-limits.ts';

interface Marks {
  bits: Uint8Array;
  count: number;
  /** Where the next search begins, so that one task that can't be had never hides the others. */
  cursor: number;
}

/** Tasks whose results wait for a second copy: a bit for each, since a machine alone may have a million of them. */
export class CopyMarks {
  readonly #jobs = new Map<JobId, Marks>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  jobs(): JobId[] {
    return [...this.#jobs.keys()];
  }

  add(job: JobId, index: TaskIndex): void {
    let marks = this.#jobs.get(job);
    if (marks === undefined) {
      marks = { bits: new Uint8Array(64), count: 0, cursor: 0 };
      this.#jobs.set(job, marks);
    }
    const at = index >> 3;
    if (at >= marks.bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, marks.bits.length * 2));
      grown.set(marks.bits);
      marks.bits = grown;
    }
    const bit = 1 << (index & 7);
    const byte = marks.bits[at] ?? 0;
    if ((byte & bit) !== 0) return;
    marks.bits[at] = byte | bit;
    marks.count++;
    this.#count++;
  }

  delete(job: JobId, index: TaskIndex): void {
    const marks = this.#jobs.get(job);
    const byte = marks?.bits[index >> 3] ?? 0;
    const bit = 1 << (index & 7);
    if (marks === undefined || (byte & bit) === 0) return;
    marks.bits[index >> 3] = byte & ~bit;
    marks.count--;
    this.#count--;
    if (marks.count === 0) this.#jobs.delete(job);
  }

  forget(job: JobId): void {
    this.#count -= this.#jobs.get(job)?.count ?? 0;
    this.#jobs.delete(job);
  }

  /** Takes the next marked task of a job out. */
  take(job: JobId): TaskIndex | undefined {
    const marks = this.#jobs.get(job);
    if (marks === undefined) return undefined;
    const size = marks.bits.length * 8;
    for (let step = 0; step < size; ) {
      const index = (marks.cursor + step) % size;
      const byte = marks.bits[index >> 3] ?? 0;
      if (byte === 0 && (index & 7) === 0) {
        step += 8;
        continue;
      }
      step++;
      if ((byte & (1 << (index & 7))) === 0) continue;
      marks.cursor = (index + 1) % size;
      this.delete(job, index);
      return index;
    }
    return undefined;
  }

  /** Takes out what is taken by whom it is offered to: some of each job in turn, until it is refused. */
  offer(takes: (job: JobId, index: TaskIndex) => boolean): void {
    const open = new Set(this.jobs());
    while (open.size > 0) {
      for (const job of open) {
        for (let turn = 0; turn < copyLimits.tasksPerTurn; turn++) {
          const index = this.take(job);
          if (index !== undefined && takes(job, index)) continue;
          if (index !== undefined) this.add(job, index);
          open.delete(job);
          break;
        }
      }
    }
  }
}
