import { type AimedInit, delayBetween } from './aimed.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';

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
  readonly #init: AimedInit;
  readonly #dice: Dice;
  #leader: Machine | undefined;
  /** Makes the links of the one before quick again. */
  #end = (): void => undefined;

  constructor(init: AimedInit) {
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
    this.#end = delayBetween(farm.wire, leader, { others, delayMs });
    lasting(farm.profile.faultyMs, this.#end);
  }
}
