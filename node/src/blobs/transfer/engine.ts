import type { PeerId } from '@cuadro/protocol';
import type { Mesh } from '../../mesh/interface.ts';
import { BlobUnreachableError } from '../errors.ts';
import type { BlobHash } from '../interface.ts';
import { Abandoned, type Errand, type ExchangeComponents, Exchanges, type WantResult } from './exchanges.ts';
import { transferLimits, type TransferOptions } from './limits.ts';
import { type FoundBy, searchHolders } from './search.ts';
import { type PiecesState, type Turn, Want, type Waiter } from './wants.ts';

export interface EngineComponents extends Omit<ExchangeComponents, 'end' | 'stop'> {
  readonly mesh: Pick<Mesh, 'self' | 'reachable' | 'findProviders'>;
}

/**
 * Decides who is asked for what, and takes in what comes. Every machine that holds something wanted is given the next
 * part as soon as it has a lane free, so faster ones bring more; what one doesn't bring goes back to all.
 */
export class Engine {
  readonly #components: EngineComponents;
  readonly #options: TransferOptions;
  readonly #wants = new Map<BlobHash, Want>();
  readonly #lanes = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #exchanges: Exchanges;
  /** Holders that no caller named, by the way in which they were found. */
  readonly found: Record<FoundBy, number> = { asked: 0, record: 0 };
  #kickPlanned = false;
  #cancelWake: (() => void) | undefined;
  #turn = 0;

  constructor(components: EngineComponents, options: TransferOptions) {
    this.#components = components;
    this.#options = options;
    const end = this.#end.bind(this);
    this.#exchanges = new Exchanges({ ...components, end, stop: this.#stop.signal });
  }

  get wants(): IterableIterator<Want> {
    return this.#wants.values();
  }

  /** Somebody waits for a file; `leave` must follow. */
  join(wanted: { hash: BlobHash; sizeBytes?: number }, waiter: Waiter, providedAs = wanted.hash): Want {
    this.#stop.signal.throwIfAborted();
    let want = this.#wants.get(wanted.hash);
    if (want === undefined) {
      want = new Want(wanted.hash, { sizeBytes: wanted.sizeBytes, providedAs });
      this.#wants.set(wanted.hash, want);
    }
    want.waiters.add(waiter);
    want.refresh(this.#components.mesh.self);
    this.kick();
    return want;
  }

  /** One wait is over; what nobody waits for is given up, and what is here of it kept for later. */
  leave(want: Want, waiter: Waiter): void {
    want.waiters.delete(waiter);
    if (want.waiters.size === 0 && !want.ended) this.#end(want, { error: new Abandoned('Nobody waits.') });
  }

  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason);
    this.#cancelWake?.();
    for (const want of [...this.#wants.values()]) this.#end(want, { error: reason });
    while (this.#lanes.size > 0) await Promise.allSettled(this.#lanes);
  }

  /** Looks for something to do; calls of one moment are one. */
  readonly kick = (): void => {
    if (this.#kickPlanned || this.#stop.signal.aborted) return;
    this.#kickPlanned = true;
    queueMicrotask(() => {
      this.#kickPlanned = false;
      if (!this.#stop.signal.aborted) this.#assign();
    });
  };

  #assign(): void {
    const { mesh, clock, peers } = this.#components;
    const nowMs = clock.now();
    const reachable = new Set(mesh.reachable());
    const turnOf = (want: Want, peer: PeerId): Turn =>
      reachable.has(peer) ? later(want.turnOf(peer, nowMs), peers.turnOf(peer, nowMs)) : 'never';
    const asked = new Set<PeerId>();
    for (const want of this.#wants.values()) {
      if (hasWork(want)) for (const peer of want.peers) if (turnOf(want, peer) === 'now') asked.add(peer);
    }
    // One lane to each before a second to any: several holders share from the first moment.
    for (let round = 0; round < this.#options.lanesPerPeer && asked.size > 0; round++) {
      for (const peer of asked) {
        const errand = peers.hasLane(peer)
          ? this.#nextErrand((want) => turnOf(want, peer) === 'now', asked.size)
          : undefined;
        if (errand === undefined) asked.delete(peer);
        else this.#send(peer, errand);
      }
    }
    this.#careForStuck(turnOf);
  }

  #nextErrand(may: (want: Want) => boolean, peers: number): Errand | undefined {
    this.#turn += 1;
    // In turn, so that neither a crowd of small files nor one large file keeps the other waiting.
    return this.#turn % 2 === 0
      ? (this.#filesErrand(may) ?? this.#piecesErrand(may, peers))
      : (this.#piecesErrand(may, peers) ?? this.#filesErrand(may));
  }

  #filesErrand(may: (want: Want) => boolean): Errand | undefined {
    const wants: Want[] = [];
    let bytes = 0;
    for (const want of this.#wants.values()) {
      if (want.state.kind !== 'queued' || !may(want)) continue;
      const { sizeBytes = transferLimits.guessedBytes } = want;
      // Of a large file only the manifest comes.
      const comingBytes = sizeBytes > transferLimits.wholeBytes ? 0 : sizeBytes;
      if (wants.length > 0 && bytes + comingBytes > transferLimits.requestBytes) break;
      bytes += comingBytes;
      want.state = { kind: 'asked' };
      wants.push(want);
      if (wants.length >= transferLimits.requestFiles) break;
    }
    return wants.length === 0 ? undefined : { kind: 'files', wants };
  }

  #piecesErrand(may: (want: Want) => boolean, peers: number): Errand | undefined {
    for (const want of this.#wants.values()) {
      const { state } = want;
      if (state.kind !== 'pieces' || state.todo.length === 0 || !may(want)) continue;
      const lanes = peers * this.#options.lanesPerPeer;
      const most = Math.max(1, transferLimits.requestBytes / state.arrival.manifest.pieceBytes);
      const indices = state.todo.splice(-Math.min(most, Math.ceil(state.todo.length / lanes))).reverse();
      state.out += 1;
      // To the back, so that several large files advance together.
      this.#wants.delete(want.hash);
      this.#wants.set(want.hash, want);
      return { kind: 'pieces', want, state, indices };
    }
    return undefined;
  }

  #send(peer: PeerId, errand: Errand): void {
    const leave = this.#components.peers.enter(peer);
    const lane = this.#exchanges
      .run(peer, errand)
      .catch((error: unknown) => {
        // Everything expected is handled within; what comes here ends the wants it is about, not the node.
        const wants = errand.kind === 'files' ? errand.wants : [errand.want];
        for (const want of wants) this.#end(want, { error });
      })
      .finally(() => {
        leave();
        this.#lanes.delete(lane);
        this.kick();
      });
    this.#lanes.add(lane);
  }

  /** What nobody can be asked for now waits for a pause to end, is searched for, or is given up. */
  #careForStuck(turnOf: (want: Want, peer: PeerId) => Turn): void {
    let wakeMs = Number.POSITIVE_INFINITY;
    const lost: Want[] = [];
    for (const want of this.#wants.values()) {
      if (!hasWork(want) || want.search === 'under-way') continue;
      if (want.state.kind === 'pieces' && want.state.out > 0) continue;
      let next = nextTurn(want, turnOf);
      if (next === 'never') {
        want.refresh(this.#components.mesh.self);
        next = nextTurn(want, turnOf);
        if (next === 'now') this.kick();
      }
      if (next === 'never') lost.push(want);
      else if (next !== 'now') wakeMs = Math.min(wakeMs, next);
    }
    this.#wakeAt(wakeMs);
    this.#careForLost(lost);
  }

  #careForLost(lost: readonly Want[]): void {
    const searched: Want[] = [];
    for (const want of lost) {
      if (want.state.kind === 'pieces' && want.disputed.length > 0) {
        // Nobody is left who fits this manifest: the others' is tried, and its maker comes last.
        this.#startOver(want, want.state);
      } else if (want.search === 'not-yet') {
        want.search = 'under-way';
        searched.push(want);
      } else {
        const holders = [...want.peers];
        const reason =
          holders.length === 0 ? 'nobody is known to hold it' : 'no machine that holds it answers';
        this.#end(want, { error: new BlobUnreachableError(want.hash, holders, reason) });
      }
    }
    if (searched.length > 0) this.#search(searched);
  }

  #startOver(want: Want, state: PiecesState): void {
    want.spend(state.manifestFrom);
    want.settleDisputes();
    want.state = { kind: 'storing' };
    const lane = state.arrival
      .suspend()
      .catch((error: unknown) => this.#end(want, { error }))
      .finally(() => {
        this.#lanes.delete(lane);
        if (!want.ended) want.state = { kind: 'queued' };
        this.kick();
      });
    this.#lanes.add(lane);
  }

  #search(wants: readonly Want[]): void {
    const named = new Map(wants.map((want) => [want.hash, new Set(want.peers)]));
    const found = (peer: PeerId, hash: BlobHash, by: FoundBy): void => {
      // Both ways may lead to the same one, and each is counted.
      if (named.get(hash)?.has(peer) === false) this.found[by] += 1;
      if (this.#wants.get(hash)?.has(peer) === true) this.kick();
    };
    const { searchMs } = this.#options;
    const lane = searchHolders(this.#components, wants, {
      searchMs,
      signal: this.#stop.signal,
      found,
    }).finally(() => {
      this.#lanes.delete(lane);
      for (const want of wants) want.search = 'done';
      this.kick();
    });
    this.#lanes.add(lane);
  }

  #wakeAt(atMs: number): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#components;
    this.#cancelWake = clock.after(Math.max(0, atMs - clock.now()), this.kick);
  }

  #end(want: Want, result: WantResult): void {
    if (want.ended) return;
    const { state } = want;
    want.state = { kind: 'ended' };
    if (this.#wants.get(want.hash) === want) this.#wants.delete(want.hash);
    if (state.kind === 'pieces') {
      const lane = state.arrival
        .suspend()
        .catch(() => undefined)
        .finally(() => this.#lanes.delete(lane));
      this.#lanes.add(lane);
    }
    if ('info' in result) want.done.resolve(result.info);
    else want.done.reject(result.error);
  }
}

function hasWork({ state }: Want): boolean {
  return state.kind === 'queued' || (state.kind === 'pieces' && state.todo.length > 0);
}

function nextTurn(want: Want, turnOf: (want: Want, peer: PeerId) => Turn): Turn {
  let next: Turn = 'never';
  for (const peer of want.peers) {
    const turn = turnOf(want, peer);
    if (turn === 'now') return 'now';
    if (turn !== 'never') next = next === 'never' ? turn : Math.min(next, turn);
  }
  return next;
}

/** The later of two turns. */
function later(a: Turn, b: Turn): Turn {
  if (a === 'never' || b === 'never') return 'never';
  if (a === 'now') return b;
  return b === 'now' ? a : Math.max(a, b);
}
