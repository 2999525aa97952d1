import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';

const ENDS = new Set(['done', 'failed', 'canceled', 'skipped', 'deleted']);

/** Every task ends, one node leads, and replicas are the same (DESIGN.md section 1, promises 2 and 4). */
export class Ending implements Checker {
  readonly #farm: SimFarm;

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  settled(): void {
    if (this.#farm.leader() === undefined) throw new Violation('one coordinator', this.#whoLeads());
  }

  end(isAtRest: boolean, boundMs: number): void {
    if (!isAtRest) throw new Violation('every task ends', `Not within ${boundMs} ms: ${this.#openWork()}`);
    this.#sameEverywhere();
    if (this.#farm.leader() === undefined) throw new Violation('one coordinator', this.#whoLeads());
  }

  #whoLeads(): string {
    return this.#farm
      .up()
      .map(({ name, queries }) => {
        const epoch = queries?.epoch;
        const leader = epoch === undefined ? 'nobody' : `${this.#farm.of(epoch.peer)?.name} (${epoch.term})`;
        return `${name}${queries?.isCoordinator === true ? ' leads and' : ''} follows ${leader}`;
      })
      .join('; ');
  }

  #openWork(): string {
    const open = this.#farm.up().flatMap((machine) =>
      (machine.queries?.jobs() ?? [])
        .filter(({ state, live }) => !ENDS.has(state) || live.running > 0)
        .map(({ id, state, counts, live }) => {
          const waiting = machine.queries?.tasks(id, { offset: 0, limit: 1, state: 'open' }).tasks[0];
          const why = waiting && machine.queries?.task(id, waiting.index)?.why;
          return `${machine.name}: ${id} is ${state}, ${JSON.stringify(counts)}, ${live.running} run, ${why}`;
        }),
    );
    return open.slice(0, 6).join(' | ');
  }

  #sameEverywhere(): void {
    const [first, ...others] = this.#farm.up();
    if (first === undefined) return;
    for (const other of others) {
      const key = differing(first, other) ?? differing(other, first);
      if (key !== undefined)
        throw new Violation('replicas converge', `${first.name} and ${other.name} differ in ${key}.`);
    }
  }
}

/** A record that the second machine's disk holds otherwise, or not at all. */
function differing(machine: Machine, other: Machine): string | undefined {
  const theirs = other.disk.records.records;
  for (const [key, bytes] of machine.disk.records.records) {
    const held = theirs.get(key);
    if (held === undefined || Buffer.compare(held, bytes) !== 0) return key;
  }
  return undefined;
}
