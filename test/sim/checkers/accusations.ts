import type { Message, PeerId } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { Violation, type Checker } from './checker.ts';
import type { Grants } from './grants.ts';
import { nameOf } from './rules.ts';

/** A lease ends so long after the last word of its machine, and a coordinator is one so long before that counts. */
const LEASE_MS = 4_000;
const LEADS_MS = 8_000;
/** Clocks are wrong by two in a hundred, disks are slow, and it is looked twice a second. */
const SLACK_MS = 3_000;

/** A way is fast while it adds no more than this, in milliseconds. */
const FAST_MS = 100;
/** And a disk quick whose writes take no longer than this on average. */
const QUICK_MS = 20;
/** Whoever was well and within reach for so long before is accused wrongly: a lease and a half, and a connection. */
const WELL_MS = 12_000;

/**
 * Nobody is said to have vanished who was there all the time (DESIGN.md section 4, self-doubt): a lost attempt is
 * written only of a machine that stood still, was off, or was cut off from the one who writes it. That this one itself
 * stood still is no reason, unless it had lost the connection before: asleep it makes none.
 */
export class Accusations implements Checker {
  readonly #farm: SimFarm;
  readonly #grants: Grants;
  /** When a machine's process ended last. */
  readonly #crashedAt = new Map<string, number>();
  /** When a machine was last hindered towards another, or by itself. */
  readonly #hinderedAt = new Map<string, number>();
  readonly #judged = new Set<string>();
  /** By a coordinator and one that answered it in its reign of now: that this one follows another. */
  readonly #elsewhere = new Map<string, string>();
  readonly #downSince = new Map<Machine, number>();
  readonly #leadsSince = new Map<Machine, number>();

  constructor(farm: SimFarm, grants: Grants) {
    this.#farm = farm;
    this.#grants = grants;
  }

  /** Whoever is gone holds nothing after its lease: its tasks must be free for others (SPEC R52). */
  #leasesEnd(): void {
    const { machines, timeline } = this.#farm;
    const { now } = timeline;
    for (const machine of machines) {
      if (machine.isUp) this.#downSince.delete(machine);
      else if (!this.#downSince.has(machine)) this.#downSince.set(machine, now);
      const isQuick = isQuickDisk(machine);
      const leads =
        machine.isUp && isQuick && !machine.host.isStalled && machine.queries?.isCoordinator === true;
      if (!leads) this.#leadsSince.delete(machine);
      else if (!this.#leadsSince.has(machine)) this.#leadsSince.set(machine, now);
    }
    const boundMs = LEASE_MS + SLACK_MS;
    const gone = [...this.#downSince].filter(([, since]) => now - since >= boundMs);
    if (gone.length === 0) return;
    for (const [leader, since] of this.#leadsSince) {
      if (now - since < LEADS_MS + SLACK_MS) continue;
      const nodes = leader.queries?.nodes() ?? [];
      for (const [machine, downSince] of gone) {
        // What it said last may have been under way for seconds: a lease lasts from when that was heard.
        if (now - (this.#grants.wordAt(leader, machine.peer) ?? 0) < boundMs) continue;
        const held = nodes.find(({ peer }) => peer === machine.peer)?.live.running[0];
        if (held === undefined) continue;
        const ms = Math.round(now - downSince);
        throw new Violation(
          'leases end',
          `${leader.name} leaves ${held.job}/${held.task} with ${machine.name}, which is off for ${ms} ms.`,
        );
      }
    }
  }

  look(): void {
    const { machines, timeline } = this.#farm;
    this.#leasesEnd();
    for (const accused of machines) {
      // What a node says waits for its disk.
      const isQuick = isQuickDisk(accused);
      const isHere = accused.isUp && !accused.isRemoved && !accused.host.isStalled;
      // Whose admission was signed by one that was leaving may be out again the next moment (SPEC R64).
      const isWell = isHere && isQuick && accused.life?.farm.door().state === 'member';
      for (const judge of machines)
        if (!isWell || judge.isRemoved || !this.#isClear(accused, judge) || this.#sleepsApart(judge, accused))
          this.#hinderedAt.set(`${accused.peer} ${judge.peer}`, timeline.now);
    }
  }

  /** Who answers a new coordinator and stays with another tells it no more (SPEC R111): its silence says nothing there. */
  heard(machine: Machine, from: PeerId, message: Message, isGossip: boolean): void {
    if (message.kind !== 'beacon' || message.peer !== from || machine.queries?.isCoordinator !== true) return;
    const key = `${from} ${machine.peer}`;
    if (message.follows === undefined || message.follows.peer === machine.peer) this.#elsewhere.delete(key);
    // One that took the long way may be older than what the stream has told since.
    else if (!isGossip) this.#elsewhere.set(key, reignOf(machine));
  }

  /** Its process may be gone, and back, between two looks. */
  crashed(machine: Machine): void {
    const { peer } = machine;
    this.#downSince.set(machine, this.#farm.timeline.now);
    this.#crashedAt.set(peer, this.#farm.timeline.now);
    for (const judge of this.#farm.machines)
      this.#hinderedAt.set(`${peer} ${judge.peer}`, this.#farm.timeline.now);
  }

  decided(machine: Machine, effects: readonly CoreEffect[]): void {
    for (const effect of effects) {
      // Only what a coordinator writes itself is its word; the rest it heard.
      if (effect.kind !== 'publish') continue;
      for (const record of effect.records) {
        if (record.kind !== 'task') continue;
        for (const { attempt, peer, cause } of Object.values(record.failures)) {
          const name = nameOf(attempt);
          if (cause !== 'lost' || this.#judged.has(name)) continue;
          this.#judged.add(name);
          // It did vanish with it, and the one who says so may have slept since.
          const grantedAt = this.#grants.seen.get(name)?.at ?? 0;
          if ((this.#crashedAt.get(peer) ?? -1) >= grantedAt) continue;
          this.#judge(machine, peer, `${record.job}/${record.index}`);
        }
      }
    }
  }

  #judge(machine: Machine, peer: string, task: string): void {
    const accused = this.#farm.of(peer);
    const { now } = this.#farm.timeline;
    if (accused === undefined || accused === machine) return;
    if (this.#elsewhere.get(`${peer} ${machine.peer}`) === reignOf(machine))
      throw new Violation(
        'false accusation',
        `${machine.name} says that ${accused.name} vanished with ${task}, which told it that it follows another.`,
      );
    const ms = now - (this.#hinderedAt.get(`${peer} ${machine.peer}`) ?? 0);
    if (ms < WELL_MS) return;
    const since = (ms / 1_000).toFixed(0);
    throw new Violation(
      'false accusation',
      `${machine.name} says that ${accused.name} vanished with ${task}, which was within its reach for ${since} s.`,
    );
  }

  #sleepsApart(judge: Machine, accused: Machine): boolean {
    const { session } = this.#farm.wire.pair(judge.peer, accused.peer);
    return judge.host.isStalled && session?.isOpen(judge.peer) !== true;
  }

  #isClear(a: Machine, b: Machine): boolean {
    const { wire } = this.#farm;
    return [wire.way(a.peer, b.peer), wire.way(b.peer, a.peer)].every(
      ({ isCut, loss, baseMs }) => !isCut && loss === 0 && baseMs <= FAST_MS,
    );
  }
}

/** The latest in which it came to lead: it goes on through a rise of the term. */
function reignOf({ host, queries }: Machine): string {
  const latest = queries?.farm().coordinators.at(-1);
  return `${host.life} ${latest?.peer} ${latest?.term}`;
}

const isQuickDisk = ({ disk: { faults } }: Machine): boolean =>
  faults.writeMs <= QUICK_MS && !faults.broken && !faults.filled;
