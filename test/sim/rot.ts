import type { AimedInit } from './aimed.ts';
import { filesOf } from './checkers/rules.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import { has, isGood } from './on-disk.ts';

/** How often it is looked which copies are under way. */
const LOOK_MS = 50;
/** One disk at a time is slow, for so long, and the next one after as long again. */
const SLOW_MS = 12_000;
/** What a write takes there on average: longer by far than the news of the damage takes. */
const WRITE_MS = 2_500;
/** What it takes on a disk that is well. */
const WELL_MS = 2;

/**
 * A file rots on the only machine that holds a result, and is read there, while another one that has that file already
 * still stores the others of its copy, on a slow disk. So the first copy is found damaged, and that is told, before the
 * second is whole.
 */
export class Rot {
  readonly #init: AimedInit;
  readonly #dice: Dice;

  constructor(init: AimedInit) {
    this.#init = init;
    this.#dice = init.farm.dice.fork('rot');
  }

  /** Nothing in farms whose profile doesn't ask for it. */
  begin(): void {
    if (this.#init.farm.profile.rotsInCopies !== true) return;
    this.#slow();
    this.#look();
  }

  #slow(): void {
    const { farm, lasting, note } = this.#init;
    if (farm.isHealed) return;
    const { name, disk } = this.#dice.pick(farm.machines.filter(({ isGone }) => !isGone));
    note('slow disk', { machine: name });
    disk.faults.writeMs = WRITE_MS;
    lasting(SLOW_MS, () => {
      disk.faults.writeMs = WELL_MS;
    });
    farm.timeline.after(SLOW_MS * 1.5, () => this.#slow());
  }

  #look(): void {
    const { farm } = this.#init;
    farm.timeline.after(LOOK_MS, () => {
      if (farm.isHealed) return;
      const awake = farm.up().filter(({ host }) => !host.isStalled);
      const takers = awake.filter(({ disk }) => disk.faults.writeMs >= WRITE_MS);
      for (const taker of takers)
        for (const holder of awake) if (this.#isNear(holder, taker)) this.#rotOne(holder, taker);
      this.#look();
    });
  }

  /** News from one to the other take no longer than usual. */
  #isNear(holder: Machine, taker: Machine): boolean {
    const { wire } = this.#init.farm;
    const way = wire.way(holder.peer, taker.peer);
    const { writeMs, full, filled, broken } = holder.disk.faults;
    const isWell = writeMs <= WELL_MS && !full && !filled && !broken;
    return holder !== taker && isWell && !way.isCut && way.loss === 0 && way.baseMs < WELL_MS;
  }

  #rotOne(holder: Machine, taker: Machine): void {
    const { safety, log, note, farm } = this.#init;
    const hash = underWay(holder, taker).find((file) => safety.staysWhole(file, holder));
    if (hash === undefined) return;
    log.add('damaged file', farm.timeline.now);
    note('damage in a copy', { machine: holder.name, copy: taker.name, hash: hash.slice(0, 8) });
    const { faults } = holder.disk;
    faults.damaged.add(hash);
    faults.everDamaged.add(hash);
    // Somebody looks at the frame there.
    holder.life?.blobs.read(hash).catch(() => undefined);
  }
}

/** Files of results that one machine alone holds and another one has in part. */
function underWay(holder: Machine, taker: Machine): string[] {
  const { queries, peer } = holder;
  const found: string[] = [];
  for (const job of queries?.jobIds() ?? [])
    for (const index of queries?.tasksWithResult(job) ?? [])
      for (const result of Object.values(queries?.taskRecord(job, index)?.results ?? {})) {
        const holders = Object.keys(result.holders).filter((one) => result.holders[one]?.held === true);
        if (result.state === 'done' || holders.length !== 1 || holders[0] !== peer) continue;
        const files = filesOf(result);
        const there = files.filter((hash) => has(taker, hash));
        if (there.length > 0 && there.length < files.length)
          found.push(...there.filter((hash) => isGood(taker, hash) && isGood(holder, hash)));
      }
  return found;
}
