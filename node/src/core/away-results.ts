import type { TaskIndex } from '@cuadro/protocol';

/** A task whose results are all held by machines out of reach. */
export interface AwayResult {
  group: number;
  /** Monotonic time since which none of the holders is within reach. */
  since: number;
  /** Since when a task that could run otherwise waits for it. */
  neededSince?: number;
  /** Substitutes that failed, and the time before which none is tried again. */
  failed: number;
  notBefore: number;
}

/** Of one job, as its coordinator sees it now (SPEC R59): live, never a record. */
export class AwayResults {
  readonly #entries = new Map<TaskIndex, AwayResult>();
  readonly #inGroup = new Map<number, number>();
  /** Those of which a substitute may be granted. */
  readonly substitutes = new Set<TaskIndex>();

  get size(): number {
    return this.#entries.size;
  }

  indices(): TaskIndex[] {
    return [...this.#entries.keys()];
  }

  entries(): IterableIterator<[TaskIndex, AwayResult]> {
    return this.#entries.entries();
  }

  get(index: TaskIndex): AwayResult | undefined {
    return this.#entries.get(index);
  }

  has(index: TaskIndex): boolean {
    return this.#entries.has(index);
  }

  countIn(group: number): number {
    return this.#inGroup.get(group) ?? 0;
  }

  /** True where it wasn't known. */
  add(index: TaskIndex, group: number, since: number): boolean {
    const known = this.#entries.get(index);
    if (known !== undefined) {
      known.since = since;
      return false;
    }
    this.#entries.set(index, { group, since, failed: 0, notBefore: 0 });
    this.#inGroup.set(group, this.countIn(group) + 1);
    return true;
  }

  delete(index: TaskIndex): boolean {
    const known = this.#entries.get(index);
    if (known === undefined) return false;
    this.#entries.delete(index);
    this.substitutes.delete(index);
    this.#inGroup.set(known.group, this.countIn(known.group) - 1);
    return true;
  }
}
