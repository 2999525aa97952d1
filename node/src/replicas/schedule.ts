import type { PeerId } from '@cuadro/protocol';
import type { Clock, Random } from '../system/interface.ts';
import type { ExchangeOutcome } from './interface.ts';
import {
  BUSY_PAUSE_MS,
  DIFFERENCE_MS,
  EXCHANGES_OPENED_MAX,
  FAILED_PAUSE_MAX_MS,
  FAILED_PAUSE_MS,
  FAULT_PAUSE_MAX_MS,
  FAULT_PAUSE_MS,
  PEERS_FOLLOWED_MAX,
  VAIN_PAUSE_MAX_MS,
  VAIN_PAUSE_MS,
} from './limits.ts';
import { PeerRoots, type OwnRoots } from './roots.ts';

interface Peer {
  readonly roots: PeerRoots;
  cancelTimer: (() => void) | undefined;
  /** No exchange of our own accord before. */
  notBefore: number;
  /** Left alone until then, asked or not: it broke the rules. */
  leftAloneUntil: number;
  failures: number;
  faults: number;
  /** The last exchange found nothing to exchange at these roots. */
  vain:
    | { readonly own: string; readonly theirs: string; readonly pauseMs: number; readonly until: number }
    | undefined;
}

interface Running {
  readonly promise: Promise<ExchangeOutcome>;
  readonly begin: () => void;
  begun: boolean;
}

/** Decides with whom to exchange, and when (SPEC R47): few at once, one per peer, with pauses. */
export class ExchangeSchedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #own: OwnRoots;
  readonly #open: (peer: PeerId) => Promise<ExchangeOutcome>;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #exchanges = new Map<PeerId, Running>();
  #state: 'waiting' | 'ready' | 'stopped' = 'waiting';

  constructor(
    components: { clock: Clock; random: Random; own: OwnRoots },
    /** Never rejects. */
    open: (peer: PeerId) => Promise<ExchangeOutcome>,
  ) {
    this.#clock = components.clock;
    this.#random = components.random;
    this.#own = components.own;
    this.#open = open;
  }

  /** The own root is known: exchanges may begin. */
  ready(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'ready';
    for (const peer of this.#peers.keys()) this.#consider(peer);
    this.#pump();
  }

  /** Nothing begins any more; what waited ends as failed. What runs is its opener's to end. */
  stop(): void {
    this.#state = 'stopped';
    for (const { cancelTimer } of this.#peers.values()) cancelTimer?.();
    this.#peers.clear();
    for (const exchange of this.#exchanges.values()) if (!exchange.begun) exchange.begin();
  }

  heard(peer: PeerId, root: string): void {
    if (this.#state === 'stopped') return;
    this.#peer(peer).roots.hear(root, this.#clock.now());
    this.#consider(peer);
  }

  /** It came to be reachable: what failed before failed for want of a connection, and is no reason to wait now. */
  met(peer: PeerId): void {
    const known = this.#peers.get(peer);
    if (known === undefined) return;
    known.failures = 0;
    known.notBefore = 0;
    this.#consider(peer);
  }

  /** It is not reachable any more. What it did wrong is remembered. */
  lost(peer: PeerId): void {
    const known = this.#peers.get(peer);
    known?.cancelTimer?.();
    known?.roots.clear();
  }

  isOpening(peer: PeerId): boolean {
    return this.#exchanges.has(peer);
  }

  isLeftAlone(peer: PeerId): boolean {
    return (this.#peers.get(peer)?.leftAloneUntil ?? 0) > this.#clock.now();
  }

  /** Exchanges as soon as there is room, or joins the exchange that waits or runs. */
  request(peer: PeerId): Promise<ExchangeOutcome> {
    const known = this.#exchanges.get(peer);
    if (known !== undefined) return known.promise;
    if (this.#state === 'stopped') return Promise.resolve({ kind: 'failed', reason: 'sync-stopped' });
    if (this.isLeftAlone(peer)) return Promise.resolve({ kind: 'failed', reason: 'left-alone' });
    const turn = Promise.withResolvers<void>();
    const promise = turn.promise.then(() => this.#run(peer));
    this.#exchanges.set(peer, { promise, begin: turn.resolve, begun: false });
    this.#pump();
    return promise;
  }

  /** It broke the rules, whoever opened the exchange. */
  leaveAlone(peer: PeerId): void {
    if (this.#state === 'stopped') return;
    const known = this.#peer(peer);
    known.faults += 1;
    known.leftAloneUntil = this.#clock.now() + doubled(FAULT_PAUSE_MS, known.faults, FAULT_PAUSE_MAX_MS);
    this.#consider(peer);
  }

  #pump(): void {
    if (this.#state !== 'ready') return;
    let running = [...this.#exchanges.values()].filter(({ begun }) => begun).length;
    for (const exchange of this.#exchanges.values()) {
      if (running >= EXCHANGES_OPENED_MAX) return;
      if (exchange.begun) continue;
      exchange.begun = true;
      exchange.begin();
      running += 1;
    }
  }

  async #run(peer: PeerId): Promise<ExchangeOutcome> {
    const told = this.#peers.get(peer)?.roots.latest;
    const outcome: ExchangeOutcome =
      this.#state === 'stopped' ? { kind: 'failed', reason: 'sync-stopped' } : await this.#open(peer);
    this.#exchanges.delete(peer);
    if (this.#state !== 'stopped') this.#ended(peer, outcome, told);
    return outcome;
  }

  #ended(peer: PeerId, outcome: ExchangeOutcome, told: string | undefined): void {
    const known = this.#peer(peer);
    const now = this.#clock.now();
    switch (outcome.kind) {
      case 'equal':
      case 'exchanged':
        known.failures = 0;
        known.faults = 0;
        known.notBefore = 0;
        known.vain = this.#vainAfter(known, outcome, told);
        known.roots.clear();
        break;
      case 'busy':
        known.notBefore = now + BUSY_PAUSE_MS * (1 + this.#random.float());
        break;
      case 'failed':
        known.failures += 1;
        known.notBefore = now + doubled(FAILED_PAUSE_MS, known.failures, FAILED_PAUSE_MAX_MS);
        break;
      case 'fault':
        this.leaveAlone(peer);
    }
    this.#consider(peer);
    this.#pump();
  }

  #vainAfter(known: Peer, outcome: ExchangeOutcome, theirs: string | undefined): Peer['vain'] {
    const own = this.#own.current;
    const inVain = outcome.kind === 'exchanged' && outcome.news === 0 && outcome.moved === 0;
    if (!inVain || own === undefined || theirs === undefined) return undefined;
    const before = known.vain;
    const again = before?.own === own && before.theirs === theirs;
    const pauseMs = again ? Math.min(before.pauseMs * 2, VAIN_PAUSE_MAX_MS) : VAIN_PAUSE_MS;
    return { own, theirs, pauseMs, until: this.#clock.now() + pauseMs };
  }

  /** Begins an exchange with a peer that has been different for long enough, or looks again when it may be. */
  #consider(peer: PeerId): void {
    const known = this.#peers.get(peer);
    if (known === undefined || this.#state !== 'ready') return;
    known.cancelTimer?.();
    known.cancelTimer = undefined;
    const since = known.roots.differsSince();
    if (since === undefined || this.#exchanges.has(peer)) return;
    const { vain } = known;
    const isVain = vain?.own === this.#own.current && vain?.theirs === known.roots.latest;
    const at = Math.max(
      since + DIFFERENCE_MS,
      known.notBefore,
      known.leftAloneUntil,
      isVain ? (vain?.until ?? 0) : 0,
    );
    const now = this.#clock.now();
    if (at <= now) void this.request(peer);
    else known.cancelTimer = this.#clock.after(at - now, () => this.#consider(peer));
  }

  #peer(peer: PeerId): Peer {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      known = {
        roots: new PeerRoots(this.#own),
        cancelTimer: undefined,
        notBefore: 0,
        leftAloneUntil: 0,
        failures: 0,
        faults: 0,
        vain: undefined,
      };
      this.#peers.set(peer, known);
      const [oldest] = this.#peers.keys();
      if (this.#peers.size > PEERS_FOLLOWED_MAX && oldest !== undefined) {
        this.lost(oldest);
        this.#peers.delete(oldest);
      }
    }
    return known;
  }
}

const doubled = (firstMs: number, times: number, maxMs: number): number =>
  Math.min(firstMs * 2 ** Math.min(times - 1, 30), maxMs);
