import type { HoldItem, HoldOutcome, PeerId } from '@cuadro/protocol';
import type { Mesh } from '../mesh/interface.ts';
import { AwayTimes, type AwayTimesComponents } from './copy-away.ts';
import { CopyLine } from './copy-line.ts';
import { copyLimits, type CopyOptions } from './copy-limits.ts';
import type { IsLive } from './needs.ts';

export interface CopyPeersComponents
  extends Pick<AwayTimesComponents, 'clock' | 'logger' | 'store' | 'members' | 'replaceAfterMs'> {
  readonly mesh: Pick<Mesh, 'self' | 'open' | 'reachable' | 'subscribe'>;
  /** Members that are about to leave (SPEC R161). */
  readonly leaving: () => ReadonlySet<PeerId>;
}

export interface CopyPeersInit {
  readonly options: CopyOptions;
  readonly onOutcomes: (peer: PeerId, outcomes: readonly HoldOutcome[]) => void;
  /** It won't answer to these any more. */
  readonly onLost: (peer: PeerId, owed: readonly HoldItem[]) => void;
  /** Somebody became reachable, or was lost. */
  readonly onChange: () => void;
}

interface Peer {
  line: CopyLine | undefined;
  withFiles: number;
  fullUntilMs: number;
  failedUntilMs: number;
}

/** What is asked for: who comes first, who holds it already, whether it takes room. */
export interface Asked {
  readonly first: PeerId | undefined;
  readonly holders: ReadonlySet<PeerId>;
  readonly files: boolean;
}

/** The other machines as holders of copies: who is there, who has room, and the lines to them. */
export class CopyPeers {
  readonly #components: CopyPeersComponents;
  readonly #init: CopyPeersInit;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #away: AwayTimes;
  /** While this machine leaves: those that know it and stay (SPEC R162). Only their copies count meanwhile. */
  readonly #staying = new Set<PeerId>();
  /** As the mesh last said; asked for far more often than it changes. */
  #reachable: ReadonlySet<PeerId> = new Set();
  #unsubscribe: (() => void) | undefined;
  #turn = 0;

  constructor(components: CopyPeersComponents, init: CopyPeersInit) {
    this.#components = components;
    this.#init = init;
    const reachable = (): ReadonlySet<PeerId> => this.#reachable;
    this.#away = new AwayTimes({ ...components, self: components.mesh.self, reachable });
  }

  async start(): Promise<void> {
    const { mesh } = this.#components;
    const look = (): void => {
      this.#reachable = new Set(mesh.reachable().filter((peer) => peer !== mesh.self));
    };
    look();
    this.#unsubscribe ??= mesh.subscribe({
      peer: (peer, state) => {
        // Whoever comes back may have decided otherwise.
        this.#staying.delete(peer);
        look();
        if (state === 'reachable') this.#away.reached(peer);
        else this.#away.lost(peer);
        this.#init.onChange();
      },
    });
    await this.#away.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    for (const { line } of this.#peers.values()) line?.close(new Error('The node stops.'));
    await this.#away.stop();
  }

  get isLeaving(): boolean {
    return this.#components.leaving().has(this.#components.mesh.self);
  }

  /** It answered that it stays, knowing that this machine leaves. */
  stays(peer: PeerId): void {
    if (this.#reachable.has(peer)) this.#staying.add(peer);
  }

  /** Whoever was to leave stays, so that nothing more depends on who knows it. */
  forgetStaying(): void {
    this.#staying.clear();
  }

  /** Those whose copies count while this machine leaves. */
  get staying(): PeerId[] {
    return [...this.#staying].filter((peer) => this.isLive(peer));
  }

  /** Those that could be told that this machine leaves, and haven't answered yet. */
  get unasked(): PeerId[] {
    const { members, leaving } = this.#components;
    return [...this.#reachable].filter(
      (peer) => members().has(peer) && !leaving().has(peer) && !this.#staying.has(peer),
    );
  }

  readonly isLive: IsLive = (peer) => {
    const { members, leaving } = this.#components;
    if (this.isLeaving) return this.#staying.has(peer) && members().has(peer) && !leaving().has(peer);
    return this.isThere(peer);
  };

  /** A member that is reached, or was lately enough and is not about to leave. */
  readonly isThere: IsLive = (peer) => {
    const { mesh, members, leaving } = this.#components;
    if (peer === mesh.self) return true;
    if (!members().has(peer)) return false;
    // One that leaves gives away what it has by itself, as long as it is there to do it.
    if (this.#reachable.has(peer)) return true;
    if (leaving().has(peer)) return false;
    return !this.#away.isGone(peer);
  };

  /** Finds, from time to time, the members whose copies don't count any more. */
  gone(): PeerId[] {
    this.#away.look();
    return [...this.#components.members()].filter((peer) => !this.isLive(peer)).sort();
  }

  get alone(): boolean {
    return this.#reachable.size === 0;
  }

  /** While nobody can be reached: whether there is anybody else at all. */
  get whyAlone(): 'none' | 'unreachable' {
    return this.#components.members().size > 1 ? 'unreachable' : 'none';
  }

  /** Members that are not about to leave. */
  get remainingCount(): number {
    const { members, leaving } = this.#components;
    return [...members()].filter((peer) => !leaving().has(peer)).length;
  }

  /**
   * Who is asked: the submitter where it can be, and is waited for while its line is full; else whoever has the
   * least to do.
   */
  choose({ first, holders, files }: Asked): PeerId | undefined {
    const leaving = this.#components.leaving();
    const able = (peer: PeerId): boolean =>
      !holders.has(peer) && !leaving.has(peer) && this.#isWilling(peer, files);
    if (first !== undefined && this.#reachable.has(first) && able(first))
      return this.#hasPlace(first, files) ? first : undefined;
    const free = [...this.#reachable].filter((peer) => able(peer) && this.#hasPlace(peer, files));
    const least = Math.min(...free.map((peer) => this.#owes(peer)));
    const idle = free.filter((peer) => this.#owes(peer) === least);
    return idle[this.#turn++ % Math.max(1, idle.length)];
  }

  /** Whether somebody can't be asked now and can be again without anything being heard of it. */
  get pauses(): boolean {
    const nowMs = this.#components.clock.now();
    return [...this.#reachable].some((peer) => {
      const { fullUntilMs, failedUntilMs } = this.#of(peer);
      return Math.max(fullUntilMs, failedUntilMs) > nowMs;
    });
  }

  #owes(peer: PeerId): number {
    return this.#of(peer).line?.outstanding ?? 0;
  }

  ask(peer: PeerId, item: HoldItem, files: boolean): void {
    const known = this.#of(peer);
    if (files) known.withFiles++;
    known.line ??= this.#open(peer);
    known.line.ask(item);
  }

  answered(peer: PeerId, files: boolean): void {
    if (files) this.#of(peer).withFiles--;
  }

  full(peer: PeerId): void {
    this.#of(peer).fullUntilMs = this.#components.clock.now() + copyLimits.fullPauseMs;
  }

  #open(peer: PeerId): CopyLine {
    const line: CopyLine = new CopyLine(this.#components, peer, {
      stallMs: this.#init.options.stallMs,
      onOutcomes: (outcomes) => this.#init.onOutcomes(peer, outcomes),
      onEnd: (owed) => {
        const known = this.#of(peer);
        if (known.line === line) known.line = undefined;
        if (owed.length > 0) {
          known.failedUntilMs = this.#components.clock.now() + copyLimits.retryMs;
          this.#init.onLost(peer, owed);
        }
      },
    });
    return line;
  }

  #isWilling(peer: PeerId, files: boolean): boolean {
    const { fullUntilMs, failedUntilMs } = this.#of(peer);
    const nowMs = this.#components.clock.now();
    return failedUntilMs <= nowMs && !(files && fullUntilMs > nowMs);
  }

  #hasPlace(peer: PeerId, files: boolean): boolean {
    const { line, withFiles } = this.#of(peer);
    return (line?.outstanding ?? 0) < copyLimits.asked && !(files && withFiles >= copyLimits.askedWithFiles);
  }

  #of(peer: PeerId): Peer {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      known = {
        line: undefined,
        withFiles: 0,
        fullUntilMs: Number.NEGATIVE_INFINITY,
        failedUntilMs: Number.NEGATIVE_INFINITY,
      };
      this.#peers.set(peer, known);
    }
    return known;
  }
}
