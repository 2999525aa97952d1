import type { PeerId } from '@cuadro/protocol';
import type { Mesh } from '../../mesh/interface.ts';
import type { Random } from '../../system/interface.ts';
import { BlobUnreachableError } from '../errors.ts';
import type { BlobArrival, BlobHash } from '../interface.ts';
import { Errands, type TurnOf } from './errands.ts';
import { type Errand, type ExchangeComponents, Exchanges } from './exchanges.ts';
import type { Flock } from './flock.ts';
import { Flocks } from './flocks.ts';
import { swarmLimits, type TransferOptions } from './limits.ts';
import { PeerSet } from './peer-set.ts';
import { Abandoned, Requests } from './requests.ts';
import { type FoundBy, searchHolders } from './search.ts';
import { shuffled } from './shuffled.ts';
import { ASKED, type PiecesState, type Turn, Want, type Waiter, type WantResult } from './wants.ts';

export interface EngineComponents extends Omit<ExchangeComponents, 'end' | 'files' | 'stop' | 'wantOf'> {
  readonly mesh: Pick<Mesh, 'self' | 'reachable' | 'findProviders'>;
  readonly random: Pick<Random, 'float'>;
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
  readonly #files = new Requests<Want>();
  readonly #nobody = new PeerSet();
  readonly #errands: Errands;
  readonly #exchanges: Exchanges;
  readonly flocks: Flocks;
  /** Holders that no caller named, by the way in which they were found. */
  readonly found: Record<FoundBy, number> = { asked: 0, record: 0 };
  #kickPlanned = false;
  #cancelWake: (() => void) | undefined;

  constructor(components: EngineComponents, options: TransferOptions) {
    this.#components = components;
    this.#options = options;
    const end = this.#end.bind(this);
    const wantOf = (hash: BlobHash): Want | undefined => this.#wants.get(hash);
    const files = this.#files;
    this.#errands = new Errands({ ...components, files, wants: this.#wants }, options);
    this.#exchanges = new Exchanges({ ...components, end, files, wantOf, stop: this.#stop.signal });
    const isTrusted = (peer: PeerId): boolean =>
      components.peers.turnOf(peer, components.clock.now()) !== 'never';
    const whole = this.#whole.bind(this);
    this.flocks = new Flocks({ ...components, isTrusted, whole, kick: this.kick });
  }

  get wants(): IterableIterator<Want> {
    return this.#wants.values();
  }

  /** What is here of a large file that is on its way. */
  arrivalOf(hash: BlobHash): BlobArrival | undefined {
    const state = this.#wants.get(hash)?.state;
    return state?.kind === 'pieces' || state?.kind === 'storing' ? state.arrival : undefined;
  }

  /** Somebody waits for a file, until it is told of its end or leaves. */
  join(
    wanted: { hash: BlobHash; sizeBytes?: number },
    waiter: Waiter,
    {
      providedAs = wanted.hash,
      flock,
    }: { providedAs?: BlobHash | undefined; flock?: Flock | undefined } = {},
  ): void {
    this.#stop.signal.throwIfAborted();
    let want = this.#wants.get(wanted.hash);
    if (want === undefined) {
      want = new Want(wanted.hash, { sizeBytes: wanted.sizeBytes, providedAs, peers: this.#nobody });
      if (flock?.units.of(wanted.hash) !== undefined) want.flock = flock;
      this.#wants.set(wanted.hash, want);
    }
    want.join(waiter);
    want.refresh(this.#components.mesh.self);
    this.kick();
  }

  /** It waits no more; what nobody waits for is given up, and what is here of it kept for later. */
  leave(hash: BlobHash, waiter: Waiter): void {
    const want = this.#wants.get(hash);
    want?.leave(waiter);
    if (want?.isAwaited === false) this.#end(want, { error: new Abandoned('Nobody waits.') });
  }

  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason);
    this.#cancelWake?.();
    for (const want of [...this.#wants.values()]) this.#end(want, { error: reason });
    await this.flocks.stop();
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
    // Once for each machine: of a tree of small files a hundred thousand may be wanted.
    const peerTurns = new Map(Array.from(reachable, (peer) => [peer, peers.turnOf(peer, nowMs)]));
    const turnOf: TurnOf = (want, peer) => {
      const turn = peerTurns.get(peer);
      return turn === undefined || turn === 'never' ? 'never' : later(want.turnOf(peer, nowMs), turn);
    };
    const asked = new Set<PeerId>();
    for (const want of this.#wants.values()) {
      if (!isOpen(want)) continue;
      for (const peer of want.peers) if (!asked.has(peer) && turnOf(want, peer) === 'now') asked.add(peer);
    }
    // One lane to each before a second to any: several holders share from the first moment.
    for (let round = 0; round < this.#options.lanesPerPeer; round++) {
      for (const peer of asked) {
        if (!peers.hasLane(peer, round + 1)) continue;
        const errand = this.#errands.next(peer, turnOf);
        if (errand === undefined) asked.delete(peer);
        else this.#send(peer, errand);
      }
    }
    const wakeMs = this.#assignFlocks(reachable, nowMs);
    this.#careForStuck(turnOf, wakeMs);
  }

  /** Asks each machine of a flock for what it is best asked for. Returns when there may be more to ask for. */
  #assignFlocks(reachable: ReadonlySet<PeerId>, nowMs: number): number {
    const { peers, random } = this.#components;
    let wakeMs = Number.POSITIVE_INFINITY;
    for (const flock of this.flocks.all()) {
      if (!flock.isActive) continue;
      const asked = shuffled([...flock.peers], random);
      for (let round = 0; round < swarmLimits.lanesPerPeer; round++) {
        for (const peer of asked) {
          const isFree = reachable.has(peer) && peers.turnOf(peer, nowMs) === 'now';
          if (!isFree || !peers.hasLane(peer, round + 1)) continue;
          const errand = this.#flockErrand(flock, peer, nowMs);
          if (errand !== undefined) this.#send(peer, errand);
        }
      }
      wakeMs = Math.min(wakeMs, flock.nextMs(nowMs));
    }
    return wakeMs;
  }

  #flockErrand(flock: Flock, peer: PeerId, nowMs: number): Errand | undefined {
    const ask = flock.ask(peer, nowMs);
    if (ask === undefined) return undefined;
    if (ask.kind === 'some') return { ...ask, flock };
    const units = ask.units.flatMap((number) => {
      const unit = flock.units.at(number);
      const want = unit && this.#wants.get(unit.hash);
      return unit === undefined || want === undefined ? [] : [{ ...unit, want }];
    });
    const [first] = units;
    if (first === undefined) return undefined;
    if (first.piece === undefined) {
      // What is late is asked already, and of somebody else.
      const wants = units.flatMap(({ want }) => {
        const isAsked = want.state.kind === 'asked' && !this.#files.isAskedOf(peer, want);
        return want.state.kind === 'queued' || isAsked ? [want] : [];
      });
      for (const want of wants) want.state = ASKED;
      if (wants.length === 0) return undefined;
      return { kind: 'files', request: this.#files.begin(peer, wants, nowMs) };
    }
    const { want } = first;
    const { state } = want;
    if (state.kind !== 'pieces') return undefined;
    const indices = units.flatMap(({ piece }) => piece ?? []);
    return { kind: 'pieces', want, state, request: state.requests.begin(peer, indices, nowMs) };
  }

  #send(peer: PeerId, errand: Errand): void {
    const leave = this.#components.peers.enter(peer);
    const lane = this.#exchanges
      .run(peer, errand)
      .catch((error: unknown) => {
        // Everything expected is handled within; what comes here ends the wants it is about, not the node.
        const wants = errand.kind === 'files' ? [...errand.request.left] : [];
        if (errand.kind === 'files') this.#files.end(errand.request);
        if (errand.kind === 'pieces') wants.push(errand.want);
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
  #careForStuck(turnOf: TurnOf, flocksMs: number): void {
    const nowMs = this.#components.clock.now();
    let wakeMs = Math.min(flocksMs, this.#files.nextLateMs(nowMs));
    const lost: Want[] = [];
    for (const want of this.#wants.values()) {
      if (!isOpen(want) || want.search === 'under-way') continue;
      wakeMs = Math.min(wakeMs, pausesUntilMs(want, turnOf));
      if (want.state.kind === 'pieces') wakeMs = Math.min(wakeMs, want.state.requests.nextLateMs(nowMs));
      if (!hasWork(want) || (want.state.kind === 'pieces' && want.state.requests.count > 0)) continue;
      let next = nextTurn(want, turnOf);
      if (next === 'never') {
        want.refresh(this.#components.mesh.self);
        next = nextTurn(want, turnOf);
        if (next === 'now') this.kick();
      }
      const { search, disputed, flock } = want;
      const hopesUntilMs = search === 'done' && disputed.length === 0 ? (flock?.hopesUntilMs ?? 0) : 0;
      if (next === 'never' && hopesUntilMs > nowMs) wakeMs = Math.min(wakeMs, hopesUntilMs);
      else if (next === 'never') lost.push(want);
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
    // What fitted that manifest is asked for again, of whoever gives the next.
    want.flock?.lostFile(want.hash);
    want.state = { kind: 'storing' };
    const lane = state.arrival
      .suspend()
      .catch((error: unknown) => this.#end(want, { error }))
      .finally(() => {
        this.#lanes.delete(lane);
        if (!want.ended) want.queue();
        this.kick();
      });
    this.#lanes.add(lane);
  }

  /** Once nobody fetches a bundle too, its files come from holders: not of those alone who were named in the beginning. */
  #whole(flock: Flock, peer: PeerId): void {
    for (const want of this.#wants.values())
      if (want.flock === flock && want.holders < swarmLimits.wholeHolders) want.has(peer);
  }

  #search(wants: readonly Want[]): void {
    const named = new Map(wants.map((want) => [want.hash, new Set(want.peers)]));
    const flocks = new Set(wants.flatMap(({ flock }) => flock ?? []));
    // Who has no file of a bundle whole may have parts of all.
    const bundles = Array.from(flocks, ({ bundle }) => ({ hash: bundle, providedAs: bundle }));
    const found = (peer: PeerId, hash: BlobHash, by: FoundBy): void => {
      for (const flock of flocks) if (flock.bundle === hash) flock.found([peer]);
      // Both ways may lead to the same one, and each is counted.
      if (named.get(hash)?.has(peer) === false) this.found[by] += 1;
      if (this.#wants.get(hash)?.has(peer) === true) this.kick();
    };
    const { searchMs } = this.#options;
    const lane = searchHolders(this.#components, [...wants, ...bundles], {
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
    if ('info' in result) want.flock?.hasFile(want.hash);
    else want.flock?.unwants(want.hash);
    this.#files.settled(want);
    if (state.kind === 'pieces') {
      state.requests.cut();
      const lane = state.arrival
        .suspend()
        .catch(() => undefined)
        .finally(() => this.#lanes.delete(lane));
      this.#lanes.add(lane);
    }
    want.end(result);
  }
}

/** Whether it is to come from its holders: something of it is to be asked for, or may be late one day. */
function isOpen(want: Want): boolean {
  return !want.isWithOthers && want.state.kind !== 'storing' && !want.ended;
}

/** Whether something of it is to be asked of its holders. */
function hasWork(want: Want): boolean {
  return !want.isWithOthers && (want.state.kind === 'queued' || want.piecesToAsk > 0);
}

function nextTurn(want: Want, turnOf: TurnOf): Turn {
  let next: Turn = 'never';
  for (const peer of want.peers) {
    const turn = turnOf(want, peer);
    if (turn === 'now') return 'now';
    if (turn !== 'never') next = next === 'never' ? turn : Math.min(next, turn);
  }
  return next;
}

/** When the first of those that pause may be asked again: also while others are at work, who may be slow. */
function pausesUntilMs(want: Want, turnOf: TurnOf): number {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const peer of want.peers) {
    const turn = turnOf(want, peer);
    if (typeof turn === 'number') untilMs = Math.min(untilMs, turn);
  }
  return untilMs;
}

/** The later of two turns. */
function later(a: Turn, b: Turn): Turn {
  if (a === 'never' || b === 'never') return 'never';
  if (a === 'now') return b;
  return b === 'now' ? a : Math.max(a, b);
}
