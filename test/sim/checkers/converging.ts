import { encode, recordKey } from '@cuadro/protocol';
import type { CoreEffect } from '../../../node/src/core/interface.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { HEAD_BYTES } from '../on-disk.ts';
import { Violation, type Checker } from './checker.ts';
import type { Talking } from './talking.ts';

/** Nodes that can talk hold the same so long after the last change (DESIGN.md section 1, promise 4). */
const PROMISED_MS = 5_000;
/** Their clocks are wrong by two in a hundred at most, and it is looked twice a second. */
const SLACK_MS = 700;

/** News older than this is of no use any more. */
const KEPT_MS = 20_000;

/** A machine wrote something that some of those it could talk to had. */
interface News {
  readonly machine: Machine;
  readonly at: number;
  readonly hadBy: readonly Machine[];
}

/**
 * Replicas are the same at every quiet moment, not only at the end: 5 s after anything new came to be known among nodes
 * that could talk all that time.
 */
export class Converging implements Checker {
  readonly #farm: SimFarm;
  readonly #talking: Talking;
  #news: News[] = [];
  /** When a group was compared last: that is dear, so it is done once for each quiet time of such a length. */
  readonly #judgedAt = new Map<string, number>();

  constructor(farm: SimFarm, talking: Talking) {
    this.#farm = farm;
    this.#talking = talking;
  }

  /** What a node is about to write is news where none of those it can talk to has it written. */
  decided(machine: Machine, effects: readonly CoreEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== 'persist') continue;
      const neighbours = this.#farm.machines.filter((other) => this.#talking.for(machine, other, 0));
      for (const record of effect.records) this.#note(machine, neighbours, recordKey(record), encode(record));
      for (const key of effect.removed) this.#note(machine, neighbours, key, undefined);
    }
  }

  #note(machine: Machine, neighbours: readonly Machine[], key: string, bytes: Uint8Array | undefined): void {
    const hadBy = neighbours.filter(({ disk }) =>
      isSame(bytes, disk.records.records.get(key)?.subarray(HEAD_BYTES)),
    );
    this.#news.push({ machine, at: this.#farm.timeline.now, hadBy });
  }

  look(): void {
    const { now } = this.#farm.timeline;
    const waitMs = PROMISED_MS + SLACK_MS;
    this.#news = this.#news.filter(({ at }) => now - at < KEPT_MS);
    for (const group of this.#talking.groups(waitMs)) {
      const name = group.map((machine) => machine.name).join();
      const members = new Set(group);
      // What a member had from another one was no news among them; what it had from outside was.
      const isNews = ({ machine, hadBy }: News): boolean =>
        members.has(machine) && !hadBy.some((other) => members.has(other));
      const newsAt = this.#news.findLast(isNews)?.at ?? now - KEPT_MS;
      if (now - newsAt < waitMs || now - (this.#judgedAt.get(name) ?? -KEPT_MS) < waitMs) continue;
      this.#judgedAt.set(name, now);
      this.#compare(group, newsAt);
    }
  }

  #compare(group: readonly Machine[], newsAt: number): void {
    const [first, ...others] = group;
    if (first === undefined) return;
    for (const other of others) {
      const key = differing(first, other) ?? differing(other, first);
      if (key === undefined) continue;
      const since = `${((this.#farm.timeline.now - newsAt) / 1_000).toFixed(1)} s after the last news`;
      throw new Violation('replicas converge', `${first.name} and ${other.name} differ in ${key}, ${since}.`);
    }
    this.#farm.tally.outcome('equal at a quiet moment');
  }
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);

/** A record that the second machine's disk holds otherwise, or not at all. */
function differing(machine: Machine, other: Machine): string | undefined {
  const theirs = other.disk.records.records;
  for (const [key, bytes] of machine.disk.records.records) if (!isSame(bytes, theirs.get(key))) return key;
  return undefined;
}
