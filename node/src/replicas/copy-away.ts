import type { PeerId } from '@cuadro/protocol';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger } from '../system/interface.ts';
import { copyLimits } from './copy-limits.ts';

export interface AwayTimesComponents {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<RecordStore, 'getLocal' | 'setLocal'>;
  /** Everyone in the farm, this machine included. */
  readonly members: () => ReadonlySet<PeerId>;
  /** Who is reached now. */
  readonly reachable: () => ReadonlySet<PeerId>;
  /** After so long a machine's copies count no more, as this machine's owner has set it now. */
  readonly replaceAfterMs: () => number;
}

/** How long one machine has been out of reach, by what this one did meanwhile. */
interface Away {
  /** It was on, and reached others. */
  watchedMs: number;
  /** It was off, slept, or reached nobody: it could not have known. */
  blindMs: number;
  /** Up to when that is counted, by the monotonic clock. */
  countedMs: number;
}

/** What a node notes of it: the time by its wall clock, and who was out of reach then. */
interface Noted {
  readonly at: number;
  readonly away: Readonly<Record<PeerId, Pick<Away, 'watchedMs' | 'blindMs'>>>;
}

/** In the node's own notes. */
const AWAY_KEY = 'copies/away';

/**
 * How long the other members have been out of reach, counted over restarts: machines are switched off at night, and
 * a count that began anew each morning would never come to a day (SPEC R195). What a wall clock says counts only for
 * the time in which this node was off, and never alone.
 */
export class AwayTimes {
  readonly #components: AwayTimesComponents;
  readonly #away = new Map<PeerId, Away>();
  /** Those whose copies count no more; found at a look, and until they are reached. */
  readonly #gone = new Set<PeerId>();
  /** Who was away as it was noted last. */
  #noted: ReadonlySet<PeerId> = new Set();
  #lookedMs = 0;
  /** Somebody was reached since the last look. */
  #reachesSome = false;
  #isRunning = false;
  #writing: Promise<void> | undefined;
  #writeAgain = false;

  constructor(components: AwayTimesComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const { clock, store } = this.#components;
    // Where nothing was noted, or it is damaged, the count begins now.
    const noted = notedFrom(await store.getLocal(AWAY_KEY).catch(() => undefined));
    const countedMs = clock.now();
    // A clock that was set back meanwhile says nothing.
    const offMs = noted === undefined ? 0 : Math.max(0, clock.wallTime() - noted.at);
    for (const peer of this.#others()) {
      const { watchedMs = 0, blindMs = 0 } = noted?.away[peer] ?? {};
      this.#away.set(peer, { watchedMs, blindMs: blindMs + offMs, countedMs });
    }
    for (const peer of this.#components.reachable()) this.#away.delete(peer);
    this.#noted = new Set(Object.keys(noted?.away ?? {}));
    this.#lookedMs = countedMs;
    this.#isRunning = true;
  }

  /** The next start counts on from here. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#count();
    this.#note();
    await this.#writing;
  }

  reached(peer: PeerId): void {
    this.#reachesSome = true;
    this.#away.delete(peer);
    this.#gone.delete(peer);
    // A start after a power cut would go on from a count that is over. Between two looks this comes once for each.
    if (this.#isRunning && this.#noted.has(peer)) this.#note();
  }

  lost(peer: PeerId): void {
    // Until now it was reached.
    this.#reachesSome = true;
    if (!this.#away.has(peer))
      this.#away.set(peer, { watchedMs: 0, blindMs: 0, countedMs: this.#components.clock.now() });
  }

  isGone(peer: PeerId): boolean {
    return this.#gone.has(peer);
  }

  /** To be called from time to time (`lookAgainMs`): who has been away for too long is found, and all is noted. */
  look(): void {
    const { clock } = this.#components;
    const nowMs = clock.now();
    // After a sleep, as after a start, the others first have the time until the next look to be reached again.
    const isLate = nowMs - this.#lookedMs > copyLimits.lookAgainMs + copyLimits.lookLateMs;
    this.#lookedMs = nowMs;
    this.#count();
    for (const [peer, away] of this.#away) {
      if (!this.#isTooLong(away)) this.#gone.delete(peer);
      else if (!isLate) this.#gone.add(peer);
    }
    this.#note();
  }

  #isTooLong({ watchedMs, blindMs }: Away): boolean {
    const replaceAfterMs = this.#components.replaceAfterMs();
    return watchedMs + Math.min(blindMs, copyLimits.blindShare * replaceAfterMs) >= replaceAfterMs;
  }

  #count(): void {
    const nowMs = this.#components.clock.now();
    const reachable = this.#components.reachable();
    const isWatching = this.#reachesSome || reachable.size > 0;
    this.#reachesSome = reachable.size > 0;
    const others = new Set(this.#others());
    for (const peer of [...this.#away.keys(), ...this.#gone]) {
      if (others.has(peer)) continue;
      this.#away.delete(peer);
      this.#gone.delete(peer);
    }
    for (const peer of others) {
      if (reachable.has(peer)) continue;
      const away = this.#away.get(peer) ?? { watchedMs: 0, blindMs: 0, countedMs: nowMs };
      const passedMs = nowMs - away.countedMs;
      // What is more than the time between two looks was slept through.
      const watchedMs = isWatching ? Math.min(passedMs, copyLimits.lookAgainMs) : 0;
      away.watchedMs += watchedMs;
      away.blindMs += passedMs - watchedMs;
      away.countedMs = nowMs;
      this.#away.set(peer, away);
    }
  }

  #others(): PeerId[] {
    return [...this.#components.members()].filter((peer) => peer !== this.#components.self);
  }

  /** One write at a time; what changes meanwhile goes with the next. */
  #note(): void {
    this.#writeAgain = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    const { clock, logger, store } = this.#components;
    while (this.#writeAgain) {
      this.#writeAgain = false;
      const away = Object.fromEntries(
        [...this.#away].map(([peer, { watchedMs, blindMs }]) => [peer, { watchedMs, blindMs }]),
      );
      this.#noted = new Set(this.#away.keys());
      const noted: Noted = { at: clock.wallTime(), away };
      // The next start then counts on from what was noted before.
      await store.setLocal({ [AWAY_KEY]: noted }).catch((error: unknown) => {
        logger.debug("It can't be noted who is out of reach.", { error: String(error) });
      });
    }
  }
}

function notedFrom(value: unknown): Noted | undefined {
  const { at, away } = (value ?? {}) as { at?: unknown; away?: unknown };
  if (!isTime(at) || typeof away !== 'object' || away === null) return undefined;
  const times = Object.entries(away as Record<string, Partial<Away> | null>).flatMap(([peer, time]) => {
    const { watchedMs, blindMs } = time ?? {};
    return isTime(watchedMs) && isTime(blindMs) ? [[peer, { watchedMs, blindMs }] as const] : [];
  });
  return { at, away: Object.fromEntries(times) };
}

/** A time without an end would be noted as none, and what is counted from there be lost with the next start. */
const isTime = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value);
