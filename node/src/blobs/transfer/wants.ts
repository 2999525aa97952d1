import type { PeerId } from '@cuadro/protocol';
import type { BlobArrival, BlobHash, BlobInfo } from '../interface.ts';
import type { FetchOptions, FetchProgress } from './interface.ts';
import type { Flock } from './flock.ts';
import { transferLimits } from './limits.ts';
import type { PeerSet } from './peer-set.ts';
import type { Requests } from './requests.ts';
import { travelsWhole } from './units.ts';

export type WantResult = { readonly info: BlobInfo } | { readonly error: unknown };

/** Who waits: for one file or for many, and then it is the same for all of them. */
export interface Waiter {
  /** Who is known to hold what it waits for. */
  readonly holders: FetchOptions['holders'];
  /** More of a file is here. */
  told(want: Want): void;
  /** The file is here, or can't be had: told once, in the midst of other work, so nothing is joined or left meanwhile. */
  ended(want: Want, result: WantResult): void;
}

/** How one machine stands towards one wanted file, once that differs from how all do in the beginning. */
interface Holding {
  /**
   * `absent`: it said that it doesn't have the file. `disputed`: its piece doesn't fit another machine's manifest, and
   * one of the two is wrong. `spent`: it sent something else, or failed too often; it isn't asked for this file again.
   */
  standing: 'usable' | 'absent' | 'disputed' | 'spent';
  /** With nothing from it in between. */
  failures: number;
  /** Since it brought something of this file. */
  failuresInAll: number;
  failedAtMs: number;
  notBeforeMs: number;
}

export interface PiecesState {
  readonly kind: 'pieces';
  readonly arrival: BlobArrival;
  readonly manifestFrom: PeerId;
  /** Pieces that nobody was asked for, the next one last. */
  readonly todo: number[];
  /** Pieces that aren't here. */
  readonly missing: Set<number>;
  readonly requests: Requests<number>;
}

export type WantState =
  /** To be asked for as a whole. */
  | { readonly kind: 'queued' }
  | { readonly kind: 'asked' }
  | PiecesState
  /** With its arrival where all pieces of a large one are here, and it is proved and made durable. */
  | { readonly kind: 'storing'; readonly arrival?: BlobArrival }
  | { readonly kind: 'ended' };

/** When a machine may be asked: now, at some time, or not at all as things are. */
export type Turn = 'now' | 'never' | number;

/** A machine that did not fail. */
const WELL = { failures: 0, failuresInAll: 0, failedAtMs: Number.NEGATIVE_INFINITY, notBeforeMs: 0 };
/** States without data of their own: the same for all. */
const QUEUED: WantState = { kind: 'queued' };
export const ASKED: WantState = { kind: 'asked' };

/**
 * One file that is wanted here: who waits, who may have it, and how far it is. Of a tree of small files a hundred
 * thousand are wanted at once, so what most of them never need is made when it is needed.
 */
export class Want {
  readonly hash: BlobHash;
  /** Where the farm is asked who has it: a bundle's files are found where the bundle is. */
  readonly providedAs: BlobHash;
  sizeBytes: number | undefined;
  state: WantState = QUEUED;
  /** Whether everybody was asked, after the known holders had failed. */
  search: 'not-yet' | 'under-way' | 'done' = 'not-yet';
  #doneBytes = 0;
  /** Where it is fetched together with others: the book of what is wanted of it. */
  flock: Flock | undefined;
  #from: PeerSet;
  /** Who is thought to have it, or was. */
  #peers: PeerSet;
  #holdings: Map<PeerId, Holding> | undefined;
  #waiter: Waiter | undefined;
  /** Who waits as well. */
  #others: Set<Waiter> | undefined;

  /** `peers`: nobody yet, the same for all wants of an engine, so that they share what is made of it. */
  constructor(hash: BlobHash, init: { sizeBytes: number | undefined; providedAs: BlobHash; peers: PeerSet }) {
    this.hash = hash;
    this.sizeBytes = init.sizeBytes;
    this.providedAs = init.providedAs;
    this.#peers = init.peers;
    this.#from = init.peers;
  }

  join(waiter: Waiter): void {
    if (this.#waiter === undefined) this.#waiter = waiter;
    else if (this.#waiter !== waiter) (this.#others ??= new Set()).add(waiter);
  }

  leave(waiter: Waiter): void {
    if (this.#waiter === waiter) this.#waiter = undefined;
    this.#others?.delete(waiter);
  }

  get isAwaited(): boolean {
    return this.#waiter !== undefined || (this.#others?.size ?? 0) > 0;
  }

  #eachWaiter(visit: (waiter: Waiter) => void): void {
    if (this.#waiter !== undefined) visit(this.#waiter);
    this.#others?.forEach(visit);
  }

  /** Takes in who holds it by now. */
  refresh(self: PeerId): void {
    this.#eachWaiter(({ holders }) => {
      for (const peer of holders()) if (peer !== self) this.add(peer);
    });
    for (const peer of this.flock?.having(this.hash) ?? []) if (peer !== self) this.add(peer);
  }

  /** It said that it has the file. False where that changes nothing. */
  has(peer: PeerId): boolean {
    if (this.add(peer)) return true;
    const holding = this.#holdings?.get(peer);
    if (holding?.standing !== 'absent') return false;
    holding.standing = 'usable';
    return true;
  }

  /** It is thought to have the file. False where it was known already. */
  add(peer: PeerId): boolean {
    const before = this.#peers;
    this.#peers = before.with(peer);
    return this.#peers !== before;
  }

  get peers(): Iterable<PeerId> {
    return this.#peers;
  }

  /** How many machines are thought to have it, or were. */
  get holders(): number {
    return this.#peers.size;
  }

  turnOf(peer: PeerId, nowMs: number): Turn {
    if (!this.#peers.has(peer)) return 'never';
    const holding = this.#holdings?.get(peer);
    if (holding === undefined) return 'now';
    if (holding.standing !== 'usable') return 'never';
    return holding.notBeforeMs <= nowMs ? 'now' : holding.notBeforeMs;
  }

  /** How a machine stands that is thought to have it, to be changed. */
  #holding(peer: PeerId): Holding | undefined {
    if (!this.#peers.has(peer)) return undefined;
    this.#holdings ??= new Map();
    const holding = this.#holdings.get(peer) ?? { standing: 'usable', ...WELL };
    this.#holdings.set(peer, holding);
    return holding;
  }

  spend(peer: PeerId): void {
    const holding = this.#holding(peer);
    if (holding !== undefined) holding.standing = 'spent';
  }

  lacks(peer: PeerId): void {
    const holding = this.#holding(peer);
    if (holding?.standing === 'usable') holding.standing = 'absent';
  }

  dispute(peer: PeerId): void {
    const holding = this.#holding(peer);
    if (holding !== undefined) holding.standing = 'disputed';
  }

  get disputed(): PeerId[] {
    if (this.#holdings === undefined) return [];
    return [...this.#holdings].filter(([, { standing }]) => standing === 'disputed').map(([peer]) => peer);
  }

  /** The manifest that they did not fit is out of the way. */
  settleDisputes(): void {
    for (const holding of this.#holdings?.values() ?? [])
      if (holding.standing === 'disputed') holding.standing = 'usable';
  }

  /**
   * The way to it failed; it is asked again after a pause that grows, a few times. What came of it since, at `heardMs`,
   * shows that the way is there: a machine that is slow, and has a hundred thousand files to bring, fails now and then.
   */
  failed(peer: PeerId, nowMs: number, heardMs = Number.NEGATIVE_INFINITY): void {
    const holding = this.#holding(peer);
    // Several requests that fail in one moment are one failure of the way.
    if (holding === undefined || holding.notBeforeMs > nowMs) return;
    if (heardMs > holding.failedAtMs) holding.failures = 0;
    holding.failures += 1;
    holding.failuresInAll += 1;
    holding.failedAtMs = nowMs;
    holding.notBeforeMs = nowMs + transferLimits.retryMs * 2 ** holding.failures;
    const { failuresPerHolder, failuresPerFile } = transferLimits;
    if (holding.failures >= failuresPerHolder || holding.failuresInAll >= failuresPerFile)
      holding.standing = 'spent';
  }

  brought(peer: PeerId, bytes: number): void {
    this.#from = this.#from.with(peer);
    const holding = this.#holdings?.get(peer);
    if (holding !== undefined) holding.failuresInAll = 0;
    this.#doneBytes += bytes;
    this.tell();
  }

  /** What is here from an earlier time counts too. */
  begin(doneBytes: number): void {
    this.#doneBytes = doneBytes;
    this.tell();
  }

  get progress(): FetchProgress {
    return { doneBytes: this.#doneBytes, sizeBytes: this.sizeBytes, from: this.#from.list };
  }

  tell(): void {
    this.#eachWaiter((waiter) => waiter.told(this));
  }

  /** Nothing more becomes of it. */
  end(result: WantResult): void {
    this.#eachWaiter((waiter) => waiter.ended(this, result));
  }

  get ended(): boolean {
    return this.state.kind === 'ended';
  }

  /** Pieces that nobody was asked for. */
  get piecesToAsk(): number {
    if (this.state.kind !== 'pieces') return 0;
    return this.flock === undefined ? this.state.todo.length : this.flock.wantedOf(this.hash);
  }

  /** Takes the next of them. */
  takePieces(state: PiecesState, most: number, nowMs: number): number[] {
    return this.flock?.take(this.hash, most, nowMs) ?? state.todo.splice(-most).reverse();
  }

  /** They were asked for, and did not come. */
  missed(state: PiecesState, indices: readonly number[]): void {
    if (this.flock === undefined) state.todo.push(...indices.toReversed());
    else this.flock.missed(indices.map((index) => this.flock?.unitOf(this.hash, index) ?? Number.NaN));
  }

  /** To be asked for as a whole, again. */
  queue(): void {
    this.state = QUEUED;
    this.flock?.missed([this.flock.unitOf(this.hash)]);
  }

  /** Its flock asks for it; of a large one the manifest comes from its holders. */
  get isWithOthers(): boolean {
    if (this.flock?.isActive !== true) return false;
    return this.state.kind === 'pieces' || travelsWhole(this.sizeBytes ?? 0);
  }
}
