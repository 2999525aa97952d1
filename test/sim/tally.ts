/**
 * What a run is made of: each name must happen within a few hundred runs, or the simulator proves less than it says.
 * Counted where it happens, printed by `npm run sim`, and demanded by the test over its seeds.
 */
export const KINDS = {
  /** What goes wrong. */
  fault: [
    'killed',
    'power cut',
    'stall',
    'suspend',
    'sleep that shows late',
    'partition',
    'isolate',
    'deaf',
    'mute',
    'sick link',
    'slow link',
    'flap',
    'slow machine',
    'loss',
    'replay',
    'slow disk',
    'full disk',
    'full disk without room for records',
    'torn write of records',
    'broken disk',
    'damaged file',
    'cache swept',
    'wall clock jump',
    'clock skew',
    'wall clock skew',
    'bad machine',
    'disk destroyed',
    'further disk destroyed',
    'member removed',
    'member joined',
    'left switched off',
  ],
  /** What people do. */
  deed: [
    'submit',
    'submit with a bundle',
    'submit after another job',
    'accepted on two machines',
    'accepted on one machine',
    'requeue one task',
    'requeue the failed',
    'requeue all',
    'pause',
    'resume',
    'cancel',
    'priority',
    'machine limit',
    'delete',
    'own wish',
    "farm's wish",
    'hours',
    'slots',
    'remove a machine',
    'have a machine leave',
    'have it stay after all',
    'open the door',
    'merge two farms',
  ],
  /** What comes of it. */
  outcome: [
    'done',
    'rendered in one copy',
    'failed attempt',
    'lost attempt',
    'task given up',
    'task skipped',
    'job done',
    'job failed',
    'job canceled',
    'job skipped',
    'job deleted',
    'redo',
    'retry',
    'late result',
    'rendered twice',
    'two dones of different bytes',
    'change of coordinator',
    'coordinator yields',
    'outside its hours',
    'machine taken down by a task',
    'long tail',
    'farms merged',
    'farms with jobs merged',
    'equal at a quiet moment',
    'old gossip heard once more',
    'gossip out of order',
    'member left in order',
    'leave refused',
    'job refused by a machine that leaves',
  ],
} as const satisfies Record<string, readonly string[]>;

export type Fault = (typeof KINDS)['fault'][number];
export type DeedKind = (typeof KINDS)['deed'][number];
export type Outcome = (typeof KINDS)['outcome'][number];

/** How often each kind of thing happened. */
export class Tally {
  readonly #counts = new Map<string, number>();

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  fault(kind: Fault): void {
    this.#add(`fault: ${kind}`);
  }

  deed(kind: DeedKind): void {
    this.#add(`deed: ${kind}`);
  }

  outcome(kind: Outcome, times = 1): void {
    if (times > 0) this.#add(`outcome: ${kind}`, times);
  }

  add(other: Pick<Tally, 'counts'>): void {
    for (const [name, times] of other.counts) this.#add(name, times);
  }

  #add(name: string, times = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }

  /** Kinds that never happened. */
  missing(): string[] {
    return Object.entries(KINDS).flatMap(([group, kinds]) =>
      kinds.map((kind) => `${group}: ${kind}`).filter((name) => !this.counts.has(name)),
    );
  }

  /** One line for each group. */
  lines(): string[] {
    return Object.entries(KINDS).map(([group, kinds]) => {
      const told = kinds.map((kind) => `${kind} ${this.counts.get(`${group}: ${kind}`) ?? 0}`);
      return `${group}: ${told.join(', ')}`;
    });
  }
}
