import type { PeerId } from '@cuadro/protocol';
import type { Random } from '../../system/interface.ts';
import type { BlobHash } from '../interface.ts';
import { swarmLimits, transferLimits } from './limits.ts';
import { askBytesAfter } from './peers.ts';
import { Bits, type Unit, type Units } from './units.ts';

/** What one machine of a flock has, and how it does. */
export interface FlockPeer {
  /** Undefined where it has all of the bundle. */
  readonly bits: Bits | undefined;
  /** What one request asks of it: about what it brings in a second. */
  askBytes: number;
  failures: number;
  /** It is not asked before, by the clock of the transfer. */
  notBeforeMs: number;
  /** What it was asked for of its choice, and did not answer yet, in bytes. */
  choosingBytes: number;
}

/** What is asked of a machine in one request. */
export type FlockAsk =
  /** Of its choice, among these. */
  | { readonly kind: 'some'; readonly bits: Bits; readonly bytes: number }
  /** These, all of one file or all whole files. */
  | { readonly kind: 'these'; readonly units: readonly number[] };

/**
 * One bundle that is fetched here, and the machines that have it or fetch it too. Who fetches tells the others what it
 * has (SPEC R151), so most of it comes from them: a machine that has all is asked for what nobody else has, and
 * chooses itself, so that each takes something else away; of several such ones each for its share; the others are
 * asked for what the fewest have. The first units of all are random, since the choice begins at a random place.
 */
export class Flock {
  readonly bundle: BlobHash;
  readonly units: Units;
  /** What is here. */
  readonly here: Bits;
  /** What may be asked for: neither here nor on its way, and there is a place for it. */
  readonly #wanted: Bits;
  /** What is on its way: since when, and of whom it was asked, where that was one of the flock. */
  readonly #out = new Map<number, { readonly sinceMs: number; readonly from: PeerId | undefined }>();
  readonly #peers = new Map<PeerId, FlockPeer>();
  /** Machines that may be in it, and were not heard yet. */
  readonly #named = new Set<PeerId>();
  /** How many of the machines that have a part have each unit. */
  readonly #having: Uint8Array;
  /** How many machines have a part: they fetch it too. */
  #fetching = 0;
  readonly #random: Pick<Random, 'float'>;
  movedAtMs: number;
  /** It made no progress with others: from now on its holders alone are asked. */
  isGivenUp = false;
  /** Those who fetch it too have hardly had the time to be named. */
  isNew = true;
  /** Whether there was ever anybody but its holders. */
  #hasOthers = false;

  constructor(
    components: { readonly random: Pick<Random, 'float'> },
    init: { readonly bundle: BlobHash; readonly units: Units; readonly nowMs: number },
  ) {
    this.#random = components.random;
    this.bundle = init.bundle;
    this.units = init.units;
    this.movedAtMs = init.nowMs;
    this.here = new Bits(init.units.count);
    this.#wanted = new Bits(init.units.count);
    this.#having = new Uint8Array(init.units.count);
  }

  /** A file of it is here, or its pieces but for the missing ones. */
  hasFile(hash: BlobHash, missing: readonly number[] = []): void {
    const range = this.units.of(hash);
    if (range === undefined) return;
    const without = new Set(missing);
    for (let i = 0; i < range.count; i++) if (!without.has(i)) this.arrived(range.first + i, this.movedAtMs);
  }

  /** There is a place for these pieces of a file, or for the file whole. */
  wants(hash: BlobHash, pieces: readonly number[] = [0]): void {
    const range = this.units.of(hash);
    if (range === undefined) return;
    for (const piece of pieces) {
      const unit = range.first + piece;
      if (piece < range.count && !this.here.has(unit) && !this.#out.has(unit)) this.#wanted.add(unit);
    }
  }

  /** What was here of a file turned out wrong. */
  lostFile(hash: BlobHash): void {
    const range = this.units.of(hash);
    for (let i = 0; range !== undefined && i < range.count; i++) this.here.remove(range.first + i);
  }

  /** Nothing more of a file is asked for. */
  unwants(hash: BlobHash): void {
    const range = this.units.of(hash);
    for (let i = 0; range !== undefined && i < range.count; i++) {
      this.#wanted.remove(range.first + i);
      this.#out.delete(range.first + i);
    }
  }

  /** False where it was here already. */
  arrived(unit: number, nowMs: number): boolean {
    this.#out.delete(unit);
    this.#wanted.remove(unit);
    this.movedAtMs = nowMs;
    return this.here.add(unit);
  }

  /** It was asked for and did not come. */
  missed(units: Iterable<number>): void {
    for (const unit of units) if (this.#out.delete(unit) && !this.here.has(unit)) this.#wanted.add(unit);
  }

  /** Others that may have it. */
  name(peers: Iterable<PeerId>): void {
    for (const peer of peers) if (!this.#peers.has(peer)) this.#named.add(peer);
  }

  /** Others that hold the bundle's own file, found where no holder answers. */
  found(peers: readonly PeerId[]): void {
    this.#hasOthers = true;
    this.name(peers);
  }

  get named(): PeerId[] {
    return [...this.#named, ...this.#peers.keys()];
  }

  get peers(): IterableIterator<PeerId> {
    return this.#peers.keys();
  }

  peer(peer: PeerId): FlockPeer | undefined {
    return this.#peers.get(peer);
  }

  /** It said what it has: all, or these. True where it has all, and did not say so before. */
  told(peer: PeerId, bits: Bits | undefined): boolean {
    const known = this.#peers.get(peer);
    this.#count(known?.bits, -1);
    this.#count(bits, 1);
    this.#named.delete(peer);
    if (bits !== undefined) this.#hasOthers = true;
    const { askBytes = swarmLimits.askBytesFirst, failures = 0, notBeforeMs = 0 } = known ?? {};
    const choosingBytes = known?.choosingBytes ?? 0;
    this.#peers.set(peer, { bits, askBytes, failures, notBeforeMs, choosingBytes });
    return bits === undefined && (known === undefined || known.bits !== undefined);
  }

  /** It has nothing of it, is gone, or is not to be asked any more. */
  without(peer: PeerId): void {
    this.#count(this.#peers.get(peer)?.bits, -1);
    this.#peers.delete(peer);
    this.#named.delete(peer);
  }

  #count(bits: Bits | undefined, by: 1 | -1): void {
    if (bits === undefined) return;
    this.#fetching += by;
    bits.walk((unit) => {
      this.#having[unit] = (this.#having[unit] ?? 0) + by;
      return true;
    });
  }

  /** The next request to a machine; what it names counts as on its way. Undefined where it has nothing of use now. */
  ask(peer: PeerId, nowMs: number): FlockAsk | undefined {
    const known = this.#peers.get(peer);
    if (known === undefined || known.notBeforeMs > nowMs) return undefined;
    if (known.bits === undefined) {
      const bits = this.#shareOf(peer, nowMs);
      if (bits === undefined) return undefined;
      if (bits.count > 0) {
        known.choosingBytes += known.askBytes;
        return { kind: 'some', bits, bytes: known.askBytes };
      }
      // Towards the end everybody helps; before, whoever has all has more to do than anybody else.
      if (this.#wanted.count > swarmLimits.tailUnits) return undefined;
    }
    const units = this.#rarest(peer, known, nowMs);
    for (const unit of units) {
      this.#wanted.remove(unit);
      this.#out.set(unit, { sinceMs: nowMs, from: peer });
    }
    return units.length === 0 ? undefined : { kind: 'these', units };
  }

  /**
   * Wanted units that no machine has that fetches too, and of which this one, that has all, is asked. Nobody knows what
   * it will choose, so several that have all are asked for different ones, or much would come twice: each for its share,
   * which is the same for all who know of the same ones. Once its own is on its way it helps with the others' shares,
   * and with what is on its way elsewhere when nothing has come for a while. Undefined where it is not asked now.
   */
  #shareOf(peer: PeerId, nowMs: number): Bits | undefined {
    const sharing = [...this.#peers].filter(([, { bits }]) => bits === undefined).sort(byName);
    const left = sharing.map(() => 0);
    const shareAt = (unit: number): number => unit % sharing.length;
    this.#eachOnlyWhole((unit) => (left[shareAt(unit)] = (left[shareAt(unit)] ?? 0) + 1));
    // How many units one has chosen, and not given yet, follows from their mean size.
    const isMore = sharing.map(([, { choosingBytes }], i) => {
      return (left[i] ?? 0) > choosingBytes / this.units.meanBytes;
    });
    const own = sharing.findIndex(([name]) => name === peer);
    const isAlone = sharing.length === 1;
    const isLate = nowMs - this.movedAtMs >= swarmLimits.lateMs;
    const isAsked = sharing.map((_, i) => {
      if (isMore[own] === true) return i === own;
      return isAlone || isLate || isMore[i] === true;
    });
    const bits = new Bits(this.units.count);
    this.#eachOnlyWhole((unit) => isAsked[shareAt(unit)] === true && bits.add(unit));
    return bits.count > 0 || left.every((count) => count === 0) ? bits : undefined;
  }

  /** Wanted units that no machine has that fetches too. */
  #eachOnlyWhole(visit: (unit: number) => unknown): void {
    this.#wanted.walk((unit) => {
      if (this.#having[unit] === 0) visit(unit);
      return true;
    });
  }

  /** Wanted units that it has, those first that the fewest have; where nothing is left, those that are late. */
  #rarest(peer: PeerId, { bits, askBytes }: FlockPeer, nowMs: number): number[] {
    const found: number[] = [];
    const start = Math.floor(this.#random.float() * this.units.count);
    this.#wanted.walk((unit) => found.push(unit) < swarmLimits.lookedAt, { start, within: bits });
    if (found.length === 0) return this.#late(peer, bits, nowMs);
    // The sort is stable: among equally rare ones the random place of the start decides.
    found.sort((a, b) => (this.#having[a] ?? 0) - (this.#having[b] ?? 0));
    return this.#fill(found, askBytes);
  }

  /** The endgame: what is on its way for long is asked for once more, of somebody else. */
  #late(peer: PeerId, bits: Bits | undefined, nowMs: number): number[] {
    if (this.#wanted.count > 0) return [];
    for (const [unit, { sinceMs, from }] of this.#out) {
      if (from === peer || nowMs - sinceMs < swarmLimits.lateMs) continue;
      if (bits?.has(unit) ?? true) return [unit];
    }
    return [];
  }

  /** As many as one request asks for: whole files, or pieces of the one file that the first is of. */
  #fill(found: readonly number[], askBytes: number): number[] {
    const first = this.units.at(found[0] as number) as Unit;
    const chosen: number[] = [];
    let bytes = 0;
    for (const unit of found) {
      const { hash, piece, sizeBytes } = this.units.at(unit) as Unit;
      const fits = piece === undefined ? first.piece === undefined : first.hash === hash;
      if (!fits) continue;
      if (chosen.length > 0 && bytes + sizeBytes > askBytes) break;
      bytes += sizeBytes;
      if (
        chosen.push(unit) >= transferLimits.requestFiles ||
        (piece !== undefined && chosen.length >= PIECES_MAX)
      )
        break;
    }
    return chosen;
  }

  /** It answered a request for what it chooses, or will not any more. */
  answered(peer: PeerId, askedBytes: number): void {
    const known = this.#peers.get(peer);
    if (known !== undefined) known.choosingBytes = Math.max(0, known.choosingBytes - askedBytes);
  }

  /** What came of one request, so that the next asks for what it brings in a second. */
  brought(peer: PeerId, bytes: number, tookMs: number): void {
    const known = this.#peers.get(peer);
    if (known === undefined || bytes === 0) return;
    known.failures = 0;
    known.askBytes = askBytesAfter(bytes, tookMs);
  }

  /** It gave nothing: there may be more to ask for in a moment. */
  rested(peer: PeerId, untilMs: number): void {
    const known = this.#peers.get(peer);
    if (known !== undefined) known.notBeforeMs = untilMs;
  }

  failed(peer: PeerId, nowMs: number): void {
    const known = this.#pause(peer, nowMs, transferLimits.failuresPerHolder);
    if (known !== undefined && known.failures >= transferLimits.failuresPerHolder) this.without(peer);
  }

  /** What it sent doesn't fit what another one said: it pauses as after a failure, but may be the honest one of the two. */
  disputed(peer: PeerId, nowMs: number): void {
    this.#pause(peer, nowMs, transferLimits.failuresPerHolder - 1);
  }

  /** Longer each time, up to so many; of several failures at once the first counts. */
  #pause(peer: PeerId, nowMs: number, failuresMax: number): FlockPeer | undefined {
    const known = this.#peers.get(peer);
    if (known === undefined || known.notBeforeMs > nowMs) return undefined;
    known.failures = Math.min(known.failures + 1, failuresMax);
    known.notBeforeMs = nowMs + transferLimits.retryMs * 2 ** known.failures;
    return known;
  }

  /** The next moment at which something may be asked again, of those after `nowMs`. */
  nextMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { notBeforeMs } of this.#peers.values())
      if (notBeforeMs > nowMs) next = Math.min(next, notBeforeMs);
    // What is late already waits for somebody to have it, or for an end, and both are told.
    for (const { sinceMs } of this.#out.values()) {
      const lateAtMs = sinceMs + swarmLimits.lateMs;
      if (lateAtMs > nowMs) next = Math.min(next, lateAtMs);
    }
    return next;
  }

  /**
   * Whether others fetch it too. As long as nobody does, its files come from their holders as all do, and only the
   * book is kept here.
   */
  get isActive(): boolean {
    return !this.isGivenUp && this.#fetching > 0;
  }

  /** Until then others may get it further, though nobody can be asked now: one that is cut off is back in a moment. */
  get hopesUntilMs(): number {
    return this.isGivenUp || !this.#hasOthers ? 0 : this.movedAtMs + swarmLimits.giveUpMs;
  }

  /** Machines that have a part of a file: each has its manifest. */
  *having(hash: BlobHash): Generator<PeerId> {
    const range = this.units.of(hash);
    if (range === undefined) return;
    for (const [peer, { bits }] of this.#peers) {
      let has = bits === undefined;
      for (let i = 0; !has && i < range.count; i++) has = bits?.has(range.first + i) === true;
      if (has) yield peer;
    }
  }

  /**
   * Takes pieces of a file to be asked for, at most `most`; they count as on their way. As long as it is new it takes one,
   * at random: all who begin together ask the same holder, and so each has something for the others before any has
   * what another one has.
   */
  take(hash: BlobHash, most: number, nowMs: number): number[] {
    const range = this.units.of(hash);
    const taken: number[] = [];
    const start = this.isNew && range !== undefined ? Math.floor(this.#random.float() * range.count) : 0;
    const bound = this.isNew ? Math.min(1, most) : most;
    for (let i = 0; range !== undefined && i < range.count && taken.length < bound; i++) {
      const piece = (start + i) % range.count;
      if (!this.#wanted.remove(range.first + piece)) continue;
      this.#out.set(range.first + piece, { sinceMs: nowMs, from: undefined });
      taken.push(piece);
    }
    return taken;
  }

  /** How many units of a file may be asked for. */
  wantedOf(hash: BlobHash): number {
    const range = this.units.of(hash);
    let count = 0;
    for (let i = 0; range !== undefined && i < range.count; i++)
      if (this.#wanted.has(range.first + i)) count += 1;
    return count;
  }

  unitOf(hash: BlobHash, piece = 0): number {
    return (this.units.of(hash)?.first ?? Number.NaN) + piece;
  }
}

const byName = ([a]: [PeerId, unknown], [b]: [PeerId, unknown]): number => (a < b ? -1 : 1);

/** Pieces of one request: no head grows long. */
const PIECES_MAX = 16;
