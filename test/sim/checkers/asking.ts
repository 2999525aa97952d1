import type { Message, PeerId } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import { isOut } from './grants.ts';
import { newerEpoch } from './rules.ts';

/** A new coordinator waits so long for answers (SPEC R43), by a clock that is wrong by two in a hundred. */
const WAITS_MS = 95;

interface Reign {
  readonly since: number;
  /** Who could answer and has not. */
  readonly waiting: Set<PeerId>;
}

/**
 * A new coordinator grants nothing before the members within its reach have said what they hold, or had the time to
 * (SPEC R43). Who is a member its own records say as it decides (R63, R64), what came in with the same step included:
 * one whose removal it has then, or whose last word that it leaves (R160), is none, even while that one's own node
 * does not know so yet and the two are connected. What it was granted is taken back at that moment.
 */
export class Asking implements Checker {
  readonly #farm: SimFarm;
  readonly #reigns = new Map<string, Reign>();
  /** By machine and life: whom it was connected to at this look and the one before, so that its brain knows. */
  readonly #reached = new Map<string, [now: ReadonlySet<PeerId>, before: ReadonlySet<PeerId>]>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  look(): void {
    for (const machine of this.#farm.up()) {
      const reached = new Set(machine.life?.network.mesh?.reachable());
      const [before = new Set<PeerId>()] = this.#reached.get(lifeOf(machine)) ?? [];
      this.#reached.set(lifeOf(machine), [reached, before]);
    }
  }

  heard(machine: Machine, from: PeerId, message: Message): void {
    if (message.kind === 'beacon') this.#reigns.get(lifeOf(machine))?.waiting.delete(from);
  }

  decided(machine: Machine, effects: readonly CoreEffect[]): void {
    const key = lifeOf(machine);
    const epoch = machine.queries?.epoch;
    if (epoch === undefined || machine.queries?.isCoordinator !== true) {
      this.#reigns.delete(key);
      return;
    }
    const { now } = this.#farm.timeline;
    const reign = this.#reigns.get(key) ?? { since: now, waiting: this.#within(machine) };
    this.#reigns.set(key, reign);
    // What the coordinator before granted it, and it begins only now, is no grant of its own.
    const grants = effects.some(
      (effect) =>
        (effect.kind === 'run' && newerEpoch(effect.grant.attempt.epoch, epoch) === 0) ||
        (effect.kind === 'send' && effect.message.kind === 'grants'),
    );
    if (!grants || now - reign.since >= WAITS_MS) return;
    const there = this.#within(machine);
    const [unheard] = [...reign.waiting].filter((peer) => there.has(peer));
    if (unheard === undefined) return;
    const ms = (now - reign.since).toFixed(0);
    throw new Violation(
      'asks first',
      `${machine.name} grants ${ms} ms after it came to lead, and has not heard what ${this.#farm.of(unheard)?.name} holds.`,
    );
  }

  /** Members of its farm, as far as it can know, that it is connected to, and was a while ago. */
  #within(machine: Machine): Set<PeerId> {
    const farm = machine.queries?.farmRecord()?.id;
    const [last, before] = this.#reached.get(lifeOf(machine)) ?? [new Set<PeerId>(), new Set<PeerId>()];
    const now = machine.life?.network.mesh?.reachable() ?? [];
    const stays = [...now].filter((peer) => last.has(peer) && before.has(peer));
    const isIn = (peer: PeerId): boolean => this.#farm.of(peer)?.queries?.farmRecord()?.id === farm;
    return new Set(stays.filter((peer) => isIn(peer) && !isOut(machine, peer)));
  }
}

const lifeOf = ({ peer, host }: Machine): string => `${peer} ${host.life}`;
