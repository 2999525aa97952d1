import type { BlobsAnswer, PeerId } from '@cuadro/protocol';
import type { Clock, Logger } from '../../system/interface.ts';
import { BlobMismatchError } from '../errors.ts';
import type { BlobHash, BlobManifest, BlobStore } from '../interface.ts';
import { pieceBytesFor } from '../options.ts';
import { isShared, manifestOf } from '../pieces.ts';
import { Backlog, type Storing } from './backlog.ts';
import type { Flock } from './flock.ts';
import { FrameError, free, isNonsense } from './frames.ts';
import type { Lines } from './lines.ts';
import { swarmLimits, transferLimits } from './limits.ts';
import type { Peers } from './peers.ts';
import type { PieceMemory } from './piece-memory.ts';
import { Abandoned, type OpenRequest, Requests } from './requests.ts';
import type { Bits } from './units.ts';
import { ASKED, type PiecesState, type Want, type WantResult, type WantState } from './wants.ts';

export interface ExchangeComponents {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lines: Lines;
  readonly peers: Peers;
  /** Where what comes is given back to. */
  readonly memory: PieceMemory;
  readonly received: (peer: PeerId, bytes: number) => void;
  /** A part of a file came that belongs to a bundle, or stands for itself. */
  readonly brought: (bundle: BlobHash, peer: PeerId, bytes: number) => void;
  /** A want came to its end, well or not. */
  readonly end: (want: Want, result: WantResult) => void;
  readonly stop: AbortSignal;
  readonly wantOf: (hash: BlobHash) => Want | undefined;
  /** Those under way for files that travel whole, and for manifests. */
  readonly files: Requests<Want>;
}

/** What one lane does: one request to one machine. */
export type Errand =
  | { readonly kind: 'files'; readonly request: OpenRequest<Want> }
  | {
      readonly kind: 'pieces';
      readonly want: Want;
      readonly state: PiecesState;
      readonly request: OpenRequest<number>;
    }
  | { readonly kind: 'some'; readonly flock: Flock; readonly bits: Bits; readonly bytes: number };

/** Carries out errands: asks, verifies and stores what comes, and puts back what didn't. */
export class Exchanges {
  readonly #components: ExchangeComponents;

  constructor(components: ExchangeComponents) {
    this.#components = components;
  }

  run(peer: PeerId, errand: Errand): Promise<void> {
    switch (errand.kind) {
      case 'files':
        return this.#askFiles(peer, errand.request);
      case 'pieces':
        return this.#askPieces(peer, errand);
      case 'some':
        return this.#askSome(peer, errand);
    }
  }

  async #askFiles(peer: PeerId, request: OpenRequest<Want>): Promise<void> {
    const { clock, files, lines, stop } = this.#components;
    const wants = [...request.left];
    const stored = new Backlog();
    const startedMs = clock.now();
    let at = 0;
    let failure: unknown;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      request.signal.throwIfAborted();
      if (answer.kind === 'busy' && at === 0) return this.#busy(peer);
      const want = wants[at];
      if (want === undefined || !('hash' in answer) || answer.hash !== want.hash)
        throw new FrameError('That is no answer to what was asked.');
      at += 1;
      moved(request, want, clock.now());
      await stored.add(body.length, this.#takeFile(peer, want, answer, body));
      return isLast(request, wants.length - at);
    };
    try {
      const head = { kind: 'get' as const, hashes: wants.map(({ hash }) => hash) };
      await lines.exchange(peer, head, take, AbortSignal.any([stop, request.signal]));
    } catch (error) {
      failure = error;
    }
    await stored.settled();
    this.#brought(peer, { flock: wants[0]?.flock, bytes: stored.totalBytes, startedMs, request });
    const left = [...request.left];
    const missed = new Set(files.end(request));
    for (const want of left) {
      if (want.state.kind !== 'asked') continue;
      if (failure !== undefined) this.#failed(peer, want, failure);
      if (missed.has(want)) want.queue();
    }
  }

  #received(peer: PeerId, bytes: number): void {
    if (bytes > 0) this.#components.peers.heard(peer);
    this.#components.received(peer, bytes);
  }

  /** What came of one request, so that the next asks for what it brings in the time that is aimed at. */
  #brought(
    peer: PeerId,
    came: {
      readonly flock: Flock | undefined;
      readonly bytes: number;
      readonly startedMs: number;
      readonly request: OpenRequest<unknown>;
    },
  ): void {
    const tookMs = this.#components.clock.now() - came.startedMs;
    // What others brought before it could says how slow it is, too.
    if (came.bytes > 0 || came.request.signal.aborted)
      this.#components.peers.brought(peer, came.bytes, tookMs);
    came.flock?.brought(peer, came.bytes, tookMs);
  }

  /** Takes in what came of a file that travels whole, or its manifest. Returns what is left to do. */
  #takeFile(peer: PeerId, want: Want, answer: BlobsAnswer, body: Uint8Array): Storing {
    this.#received(peer, body.length);
    if (want.state.kind !== 'asked') return NOTHING;
    if (answer.kind === 'absent') {
      want.lacks(peer);
      want.flock?.failed(peer, this.#components.clock.now());
      this.#again(want);
      return NOTHING;
    }
    want.state = STORING;
    return () => this.#storeFile(peer, want, answer, body);
  }

  async #storeFile(peer: PeerId, want: Want, answer: BlobsAnswer, body: Uint8Array): Promise<void> {
    const { blobs } = this.#components;
    try {
      if (answer.kind === 'manifest') {
        await this.#beginPieces(peer, want, manifestIn(answer, body));
        this.#components.files.settled(want);
        return;
      }
      // A file that travels whole may have come into memory for pieces.
      const bytes = isShared(body) ? Uint8Array.from(body) : body;
      const sizeBytes = body.length;
      const info = await blobs.putBytes(bytes, { expectedHash: want.hash }).finally(() => free(bytes));
      want.sizeBytes = info.sizeBytes;
      want.brought(peer, sizeBytes);
      this.#components.brought(want.providedAs, peer, sizeBytes);
      this.#components.end(want, { info });
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      this.#lied(peer, want, answer.kind);
      if (!want.ended) this.#again(want);
    }
  }

  /** What came of a file was not it: it is still to come from somebody else, or to be asked for again. */
  #again(want: Want): void {
    if (this.#components.files.has(want)) want.state = ASKED;
    else want.queue();
  }

  async #beginPieces(peer: PeerId, want: Want, manifest: BlobManifest): Promise<void> {
    const { blobs, end } = this.#components;
    // Somebody may have put it here meanwhile.
    const info = await blobs.has(want.hash);
    if (info !== undefined) return end(want, { info });
    const arrival = await blobs.receive(manifest);
    // Given up while the store looked at what it had.
    if (want.ended) return arrival.suspend();
    const missing = arrival.missing();
    const todo = want.flock === undefined ? missing.toReversed() : [];
    const state: PiecesState = {
      kind: 'pieces',
      arrival,
      manifestFrom: peer,
      todo,
      missing: new Set(missing),
      requests: new Requests(),
    };
    want.state = state;
    want.sizeBytes = manifest.sizeBytes;
    want.begin(Math.max(0, manifest.sizeBytes - missing.length * manifest.pieceBytes));
    want.flock?.hasFile(want.hash, missing);
    want.flock?.wants(want.hash, missing);
    if (missing.length === 0) await this.#finish(want, state);
  }

  async #askPieces(peer: PeerId, errand: Extract<Errand, { kind: 'pieces' }>): Promise<void> {
    const { clock, lines, stop } = this.#components;
    const { want, state, request } = errand;
    const indices = [...request.left];
    const stored = new Backlog();
    const startedMs = clock.now();
    let at = 0;
    let failure: unknown;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      request.signal.throwIfAborted();
      if (answer.kind === 'busy' && at === 0) return this.#busy(peer);
      if (answer.kind === 'absent' && answer.hash === want.hash) {
        want.lacks(peer);
        want.flock?.failed(peer, clock.now());
        return true;
      }
      const index = indices[at];
      if (answer.kind !== 'piece' || index === undefined || answer.index !== index)
        throw new FrameError('That is no answer to what was asked.');
      at += 1;
      moved(request, index, clock.now());
      this.#received(peer, body.length);
      await stored.add(body.length, () => this.#takePiece(peer, want, state, index, body));
      return isLast(request, indices.length - at);
    };
    try {
      const head = { kind: 'pieces' as const, hash: want.hash, pieces: indices };
      await lines.exchange(peer, head, take, AbortSignal.any([stop, request.signal]));
    } catch (error) {
      failure = error;
    }
    await stored.settled();
    this.#brought(peer, { flock: want.flock, bytes: stored.totalBytes, startedMs, request });
    want.missed(state, state.requests.end(request));
    if (failure !== undefined && want.state === state) this.#failed(peer, want, failure);
    // Outside of the wait for what was stored: the last piece of all ends the file.
    if (state.missing.size === 0 && want.state === state) await this.#finish(want, state);
  }

  /** Units of the holder's choice, for a bundle that others fetch too. */
  async #askSome(peer: PeerId, { flock, bits, bytes }: Extract<Errand, { kind: 'some' }>): Promise<void> {
    const { clock, lines, peers, stop, wantOf } = this.#components;
    const stored = new Backlog();
    const startedMs = clock.now();
    const grown = new Map<Want, PiecesState>();
    let came = 0;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      if (flock.isGivenUp) throw new Abandoned('Nobody waits for the rest.');
      if (answer.kind === 'busy' && came === 0) return this.#busy(peer);
      if (answer.kind === 'absent' && answer.hash === flock.bundle) {
        flock.without(peer);
        return true;
      }
      if (answer.kind === 'given') {
        if (came === 0) flock.rested(peer, clock.now() + swarmLimits.restMs);
        return true;
      }
      const unit = answer.kind === 'unit' ? flock.units.at(answer.unit) : undefined;
      if (answer.kind !== 'unit' || unit === undefined || !bits.has(answer.unit))
        throw new FrameError('That is no answer to what was asked.');
      came += 1;
      const want = wantOf(unit.hash);
      if (want?.state.kind === 'pieces' && unit.piece !== undefined) {
        grown.set(want, want.state);
        const { state } = want;
        const index = unit.piece;
        this.#received(peer, body.length);
        await stored.add(body.length, () => this.#takePiece(peer, want, state, index, body));
      } else if (
        (want?.state.kind === 'queued' || want?.state.kind === 'asked') &&
        unit.piece === undefined
      ) {
        want.state = ASKED;
        await stored.add(body.length, this.#takeFile(peer, want, { kind: 'file', hash: unit.hash }, body));
      } else {
        this.#received(peer, body.length);
        this.#components.memory.give(body);
      }
      return false;
    };
    try {
      await lines.exchange(peer, { kind: 'some', bundle: flock.bundle, bytes }, take, stop, bits.bytes);
    } catch (error) {
      if (isNonsense(error)) peers.lied(peer, flock.bundle, 'nonsense');
      else if (!(error instanceof Abandoned)) flock.failed(peer, clock.now());
    }
    await stored.settled();
    flock.answered(peer, bytes);
    flock.brought(peer, stored.totalBytes, clock.now() - startedMs);
    for (const [want, state] of grown) {
      if (state.missing.size === 0 && want.state === state) await this.#finish(want, state);
    }
  }

  async #takePiece(
    peer: PeerId,
    want: Want,
    state: PiecesState,
    index: number,
    body: Uint8Array,
  ): Promise<'unfit' | void> {
    const { clock } = this.#components;
    try {
      await state.arrival.write(index, body);
      state.requests.settled(index);
      // Another machine may have brought it as well.
      if (!state.missing.delete(index)) return;
      want.flock?.arrived(want.flock.unitOf(want.hash, index), clock.now());
      want.brought(peer, body.length);
      this.#components.brought(want.providedAs, peer, body.length);
    } catch (error) {
      // Nobody waits any more: the store has put the half-fetched file aside, and nobody is to blame.
      if (want.state !== state) return;
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      if (!state.requests.has(index)) want.missed(state, [index]);
      // Its own manifest it must fit; where it doesn't fit another's, either of the two may be wrong.
      if (peer === state.manifestFrom) this.#lied(peer, want, `piece ${index}`);
      else {
        want.dispute(peer);
        want.flock?.disputed(peer, clock.now());
      }
      return 'unfit';
    } finally {
      this.#components.memory.give(body);
    }
  }

  async #finish(want: Want, state: PiecesState): Promise<void> {
    want.state = { kind: 'storing', arrival: state.arrival };
    try {
      const info = await state.arrival.finish();
      for (const peer of want.disputed) this.#lied(peer, want, 'a piece');
      this.#components.end(want, { info });
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      this.#lied(state.manifestFrom, want, 'the manifest');
      want.settleDisputes();
      want.flock?.lostFile(want.hash);
      if (!want.ended) want.queue();
    }
  }

  /** The way to a machine failed, or it spoke nonsense. */
  #failed(peer: PeerId, want: Want, error: unknown): void {
    if (error instanceof Abandoned || want.ended) return;
    if (isNonsense(error)) return this.#lied(peer, want, 'nonsense');
    const nowMs = this.#components.clock.now();
    if (want.isWithOthers) want.flock?.failed(peer, nowMs);
    else want.failed(peer, nowMs, this.#components.peers.heardMsOf(peer));
  }

  #lied(peer: PeerId, want: Want, what: string): void {
    want.spend(peer);
    this.#components.peers.lied(peer, want.hash, what);
  }

  #busy(peer: PeerId): true {
    this.#components.peers.busy(peer);
    return true;
  }
}

const STORING: WantState = { kind: 'storing' };
const NOTHING: Storing = () => Promise.resolve();

/** A thing of it was answered. */
function moved<T>(request: OpenRequest<T>, thing: T, nowMs: number): void {
  request.left.delete(thing);
  request.movedAtMs = nowMs;
}

/** Whether the answers are over. @throws Abandoned where those to come are of no use. */
function isLast(request: OpenRequest<unknown>, answersLeft: number): boolean {
  if (answersLeft > 0 && request.left.size === 0) throw new Abandoned('The rest came from others.');
  return answersLeft === 0;
}

/** @throws BlobMismatchError where it can't be a manifest of a blob that doesn't travel whole. */
function manifestIn(answer: Extract<BlobsAnswer, { kind: 'manifest' }>, body: Uint8Array): BlobManifest {
  const { hash, sizeBytes } = answer;
  if (
    sizeBytes <= transferLimits.wholeBytes ||
    body.length !== 32 * Math.ceil(sizeBytes / pieceBytesFor(sizeBytes))
  )
    throw new BlobMismatchError('That is the manifest of no large file.');
  return manifestOf(hash, sizeBytes, body);
}
