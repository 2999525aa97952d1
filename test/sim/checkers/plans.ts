import type { Plan } from '@cuadro/protocol';

/** What tasks of a plan are made from, worked out once more from SPEC R70, and not by the code that is judged. */
export class Dependents {
  /** By task, the tasks that wait for it. */
  readonly #after = new Map<number, number[]>();
  readonly #sources = new Map<number, number[]>();
  readonly count: number;

  constructor(plan: Plan) {
    const groups: { first: number; numbers: number[] }[] = [];
    let index = 0;
    for (const { numbers } of plan.groups) {
      const all: number[] = [];
      for (const { start, end, step } of numbers) for (let n = start; n <= end; n += step) all.push(n);
      groups.push({ first: index, numbers: all });
      index += all.length;
    }
    this.count = index;
    for (const [g, { after }] of plan.groups.entries()) {
      for (const { group, match } of after) {
        for (const [i, number] of groups[g]?.numbers.entries() ?? []) {
          const of = groups[group];
          for (const [k, other] of of?.numbers.entries() ?? [])
            if (match === 'all' || other === number)
              this.#add((of?.first ?? 0) + k, (groups[g]?.first ?? 0) + i);
        }
      }
    }
  }

  #add(source: number, made: number): void {
    this.#after.set(source, [...(this.#after.get(source) ?? []), made]);
    this.#sources.set(made, [...(this.#sources.get(made) ?? []), source]);
  }

  /** These tasks and all that is made from them. */
  closure(tasks: Iterable<number>): Set<number> {
    const all = new Set(tasks);
    for (const task of all) for (const made of this.#after.get(task) ?? []) all.add(made);
    return all;
  }

  sources(task: number): readonly number[] {
    return this.#sources.get(task) ?? [];
  }
}
