import type { BlobsAnswer, PeerId } from '@cuadro/protocol';
import type { Clock, Logger } from '../../system/interface.ts';
import { BlobMismatchError } from '../errors.ts';
import type { BlobHash, BlobInfo, BlobManifest, BlobStore } from '../interface.ts';
import { pieceBytesFor } from '../options.ts';
import { isShared, manifestOf } from '../pieces.ts';
import type { Flock } from './flock.ts';
import { FrameError, isNonsense } from './frames.ts';
import type { Lines } from './lines.ts';
import { swarmLimits, transferLimits } from './limits.ts';
import type { Peers } from './peers.ts';
import type { PieceMemory } from './piece-memory.ts';
import type { Bits } from './units.ts';
import type { PiecesState, Want } from './wants.ts';

export type WantResult = { readonly info: BlobInfo } | { readonly error: unknown };

export interface ExchangeComponents {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lines: Lines;
  readonly peers: Peers;
  /** Where what comes is given back to. */
  readonly memory: PieceMemory;
  readonly received: (bytes: number) => void;
  /** A want came to its end, well or not. */
  readonly end: (want: Want, result: WantResult) => void;
  readonly stop: AbortSignal;
  readonly wantOf: (hash: BlobHash) => Want | undefined;
}

/** What one lane does: one request to one machine. */
export type Errand =
  | { readonly kind: 'files'; readonly wants: readonly Want[] }
  | {
      readonly kind: 'pieces';
      readonly want: Want;
      readonly state: PiecesState;
      readonly indices: readonly number[];
    }
  | { readonly kind: 'some'; readonly flock: Flock; readonly bits: Bits; readonly bytes: number };

/** Nobody waits any more for what is coming in: the stream is cut, and nobody is to blame. */
export class Abandoned extends Error {}

/** Carries out errands: asks, verifies and stores what comes, and puts back what didn't. */
export class Exchanges {
  readonly #components: ExchangeComponents;

  constructor(components: ExchangeComponents) {
    this.#components = components;
  }

  run(peer: PeerId, errand: Errand): Promise<void> {
    switch (errand.kind) {
      case 'files':
        return this.#askFiles(peer, errand.wants);
      case 'pieces':
        return this.#askPieces(peer, errand);
      case 'some':
        return this.#askSome(peer, errand);
    }
  }

  async #askFiles(peer: PeerId, wants: readonly Want[]): Promise<void> {
    const { lines } = this.#components;
    const stored = new Backlog();
    const startedMs = this.#components.clock.now();
    let at = 0;
    let failure: unknown;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      if (wants.every((want) => want.ended)) throw new Abandoned('Nobody waits for the rest.');
      if (answer.kind === 'busy' && at === 0) return this.#busy(peer);
      const want = wants[at];
      if (want === undefined || !('hash' in answer) || answer.hash !== want.hash)
        throw new FrameError('That is no answer to what was asked.');
      at += 1;
      await stored.add(body.length, this.#takeFile(peer, want, answer, body));
      return at === wants.length;
    };
    try {
      const request = { kind: 'get' as const, hashes: wants.map(({ hash }) => hash) };
      await lines.exchange(peer, request, take, this.#components.stop);
    } catch (error) {
      failure = error;
    }
    await stored.settled();
    wants[0]?.flock?.brought(peer, stored.totalBytes, this.#components.clock.now() - startedMs);
    for (const want of wants.slice(at)) {
      if (want.state.kind !== 'asked') continue;
      if (failure !== undefined) this.#failed(peer, want, failure);
      want.queue();
    }
  }

  async #takeFile(peer: PeerId, want: Want, answer: BlobsAnswer, body: Uint8Array): Promise<void> {
    const { blobs, received } = this.#components;
    received(body.length);
    if (want.state.kind !== 'asked') return;
    if (answer.kind === 'absent') {
      want.lacks(peer);
      want.flock?.failed(peer, this.#components.clock.now());
      want.queue();
      return;
    }
    try {
      if (answer.kind === 'manifest') {
        await this.#beginPieces(peer, want, manifestIn(answer, body));
        return;
      }
      want.state = { kind: 'storing' };
      // A file that travels whole may have come into memory for pieces.
      const bytes = isShared(body) ? Uint8Array.from(body) : body;
      const info = await blobs.putBytes(bytes, { expectedHash: want.hash });
      want.sizeBytes = info.sizeBytes;
      want.brought(peer, body.length);
      this.#components.end(want, { info });
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      this.#lied(peer, want, answer.kind);
      if (!want.ended) want.queue();
    }
  }

  async #beginPieces(peer: PeerId, want: Want, manifest: BlobManifest): Promise<void> {
    want.state = { kind: 'storing' };
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
      left: missing.length,
      out: 0,
    };
    want.state = state;
    want.sizeBytes = manifest.sizeBytes;
    want.begin(Math.max(0, manifest.sizeBytes - missing.length * manifest.pieceBytes));
    want.flock?.hasFile(want.hash, missing);
    want.flock?.wants(want.hash, missing);
    if (missing.length === 0) await this.#finish(want, state);
  }

  async #askPieces(peer: PeerId, errand: Extract<Errand, { kind: 'pieces' }>): Promise<void> {
    const { want, state, indices } = errand;
    const stored = new Backlog();
    const startedMs = this.#components.clock.now();
    let at = 0;
    let failure: unknown;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      if (want.state !== state) throw new Abandoned('Nobody waits for the rest.');
      if (answer.kind === 'busy' && at === 0) return this.#busy(peer);
      if (answer.kind === 'absent' && answer.hash === want.hash) {
        want.lacks(peer);
        want.flock?.failed(peer, this.#components.clock.now());
        return true;
      }
      const index = indices[at];
      if (answer.kind !== 'piece' || index === undefined || answer.index !== index)
        throw new FrameError('That is no answer to what was asked.');
      at += 1;
      this.#components.received(body.length);
      await stored.add(body.length, this.#takePiece(peer, want, state, index, body));
      return at === indices.length;
    };
    try {
      await this.#components.lines.exchange(
        peer,
        { kind: 'pieces', hash: want.hash, pieces: [...indices] },
        take,
        this.#components.stop,
      );
    } catch (error) {
      failure = error;
    }
    await stored.settled();
    want.flock?.brought(peer, stored.totalBytes, this.#components.clock.now() - startedMs);
    state.out -= 1;
    want.missed(state, indices.slice(at));
    if (failure !== undefined && want.state === state) this.#failed(peer, want, failure);
    // Outside of the wait for what was stored: the last piece of all ends the file.
    if (state.left === 0 && want.state === state) await this.#finish(want, state);
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
        this.#components.received(body.length);
        await stored.add(body.length, this.#takePiece(peer, want, want.state, unit.piece, body));
      } else if (want?.state.kind === 'queued' && unit.piece === undefined) {
        want.state = { kind: 'asked' };
        await stored.add(body.length, this.#takeFile(peer, want, { kind: 'file', hash: unit.hash }, body));
      } else {
        this.#components.received(body.length);
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
      if (state.left === 0 && want.state === state) await this.#finish(want, state);
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
      // Another machine may have brought it as well.
      if (want.flock?.arrived(want.flock.unitOf(want.hash, index), clock.now()) === false) return;
      state.left -= 1;
      want.brought(peer, body.length);
    } catch (error) {
      // Nobody waits any more: the store has put the half-fetched file aside, and nobody is to blame.
      if (want.state !== state) return;
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      want.missed(state, [index]);
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
    else want.failed(peer, nowMs);
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

/** What came in and is being stored: the sender waits once it is too much. */
class Backlog {
  readonly #storing = new Set<Promise<void>>();
  #bytes = 0;
  /** Without what did not fit: that brought nothing. */
  totalBytes = 0;

  async add(bytes: number, storing: Promise<'unfit' | void>): Promise<void> {
    this.#bytes += bytes;
    const counted = storing.then((outcome) => {
      if (outcome !== 'unfit') this.totalBytes += bytes;
    });
    const tracked = counted.finally(() => {
      this.#bytes -= bytes;
      this.#storing.delete(tracked);
    });
    this.#storing.add(tracked);
    while (this.#bytes > transferLimits.unstoredBytes) await Promise.race(this.#storing);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#storing);
  }
}
