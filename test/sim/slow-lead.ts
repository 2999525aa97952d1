import type { Dice } from './dice.ts';
import type { SimFarm } from './farm.ts';
import type { FaultLog } from './fault-log.ts';
import type { Machine } from './machine.ts';

interface SlowLeadInit {
  readonly farm: SimFarm;
  readonly log: FaultLog;
  readonly note: (what: string, more?: unknown) => void;
  /** A fault that lasts: its end runs once, after so long or at the healing. */
  readonly lasting: (ms: number, end: () => void) => void;
}

/** How often it is looked who leads. */
const LOOK_MS = 1_000;
/** More on each way would be taken for the coordinator's end as it begins. */
const DELAY_MIN_MS = 700;
const DELAY_MAX_MS = 1_200;

/**
 * Whoever leads is behind a bad radio link, and all others are beside one another: what they know of each other by way of
 * their coordinator alone comes late.
 */
export class SlowLead {
  readonly #init: SlowLeadInit;
  readonly #dice: Dice;
  #leader: Machine | undefined;
  /** Makes the links of the one before quick again. */
  #end = (): void => undefined;

  constructor(init: SlowLeadInit) {
    this.#init = init;
    this.#dice = init.farm.dice.fork('slow lead');
  }

  /** Nothing in farms whose profile doesn't ask for it. */
  begin(): void {
    const { farm } = this.#init;
    if (farm.profile.leadsFromAfar !== true || farm.isHealed) return;
    const leader = farm.leader();
    if (leader !== undefined && leader !== this.#leader) this.#slow(leader);
    farm.timeline.after(LOOK_MS, () => this.begin());
  }

  #slow(leader: Machine): void {
    const { farm, log, note, lasting } = this.#init;
    this.#end();
    this.#leader = leader;
    log.add('slow link', farm.timeline.now);
    note('leads from afar', { machine: leader.name });
    const delayMs = this.#dice.between(DELAY_MIN_MS, DELAY_MAX_MS);
    const others = farm.machines.filter((one) => one !== leader);
    const ways = others.flatMap(({ peer }) => [
      farm.wire.way(leader.peer, peer),
      farm.wire.way(peer, leader.peer),
    ]);
    for (const way of ways) way.baseMs += delayMs;
    let isSlow = true;
    this.#end = () => {
      if (isSlow) for (const way of ways) way.baseMs -= delayMs;
      isSlow = false;
    };
    lasting(farm.profile.faultyMs, this.#end);
  }
}
