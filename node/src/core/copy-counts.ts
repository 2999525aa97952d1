import type { Holders, PeerId, TaskIndex } from '@cuadro/protocol';

/**
 * Which results of a job are held by one or two machines only, counted as they change: so what would be left without
 * one machine (SPEC R58) costs no walk over a million tasks. Results that more machines hold depend on none of them.
 */
export class CopyCounts {
  /** Results in one copy only. */
  onOne = 0;
  /** Sets of one or two machines by their key; the place 0 stands for all that is in none of them. */
  readonly #ids = new Map<string, number>();
  readonly #sets: { readonly peers: readonly PeerId[]; count: number }[] = [{ peers: [], count: 0 }];
  #idOf: Uint32Array;

  constructor(tasks: number) {
    this.#idOf = new Uint32Array(tasks);
  }

  /** The holders of a task's counting result; undefined where it has none. */
  put(index: TaskIndex, holders: Holders | undefined): void {
    const before = this.#idOf[index] as number;
    const id = this.#idFor(holders);
    if (id === before) return;
    this.#idOf[index] = id;
    this.#count(before, -1);
    this.#count(id, 1);
  }

  /** Results of which no machine but this one has a copy, and those of which exactly one other has. */
  without(peer: PeerId): { onNone: number; onOne: number } {
    let onNone = 0;
    let onOne = 0;
    for (const { peers, count } of this.#sets) {
      const others = peers.length - (peers.includes(peer) ? 1 : 0);
      if (peers.length === 1 && others === 0) onNone += count;
      else if (others === 1) onOne += count;
    }
    return { onNone, onOne };
  }

  /** How many results each machine alone holds. */
  *alone(): Generator<[peer: PeerId, results: number]> {
    for (const { peers, count } of this.#sets) {
      const [peer] = peers;
      if (peer !== undefined && peers.length === 1 && count > 0) yield [peer, count];
    }
  }

  /** Whether some results are held by these alone: by one machine, or by two, that all pass the test. */
  someHeldOnlyBy(test: (peer: PeerId) => boolean): boolean {
    return this.#sets.some(({ peers, count }) => count > 0 && peers.every(test));
  }

  /**
   * Results that may be held by these alone. Those of more than two machines aren't counted apart: `orMore` says whether
   * they, and tasks without a result, are among them.
   */
  *mayBeHeldOnlyBy(test: (peer: PeerId) => boolean, orMore: boolean): Generator<TaskIndex> {
    const held = this.#sets.map(({ peers }, id) => (id === 0 ? orMore : peers.every(test)));
    for (let index = 0; index < this.#idOf.length; index++)
      if (held[this.#idOf[index] as number] === true) yield index;
  }

  #count(id: number, by: 1 | -1): void {
    const set = this.#sets[id];
    if (set === undefined || id === 0) return;
    set.count += by;
    if (set.peers.length === 1) this.onOne += by;
  }

  #idFor(holders: Holders | undefined): number {
    let [first, second]: (PeerId | undefined)[] = [];
    for (const peer in holders) {
      if (holders[peer]?.held !== true) continue;
      if (first === undefined) first = peer;
      else if (second === undefined) second = peer;
      else return 0;
    }
    if (first === undefined) return 0;
    if (second !== undefined && second < first) [first, second] = [second, first];
    const key = second === undefined ? first : `${first} ${second}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#sets.push({ peers: second === undefined ? [first] : [first, second], count: 0 }) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }
}
