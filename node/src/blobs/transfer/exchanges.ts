import type { BlobsAnswer, PeerId } from '@cuadro/protocol';
import type { Clock, Logger } from '../../system/interface.ts';
import { BlobMismatchError } from '../errors.ts';
import type { BlobInfo, BlobManifest, BlobStore } from '../interface.ts';
import { pieceBytesFor } from '../options.ts';
import { manifestOf } from '../pieces.ts';
import { FrameError, isNonsense } from './frames.ts';
import type { Lines } from './lines.ts';
import { transferLimits } from './limits.ts';
import type { Peers } from './peers.ts';
import type { PiecesState, Want } from './wants.ts';

export type WantResult = { readonly info: BlobInfo } | { readonly error: unknown };

export interface ExchangeComponents {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lines: Lines;
  readonly peers: Peers;
  readonly received: (bytes: number) => void;
  /** A want came to its end, well or not. */
  readonly end: (want: Want, result: WantResult) => void;
  readonly stop: AbortSignal;
}

/** What one lane does: one request to one machine. */
export type Errand =
  | { readonly kind: 'files'; readonly wants: readonly Want[] }
  | {
      readonly kind: 'pieces';
      readonly want: Want;
      readonly state: PiecesState;
      readonly indices: readonly number[];
    };

/** Nobody waits any more for what is coming in: the stream is cut, and nobody is to blame. */
export class Abandoned extends Error {}

/** Carries out errands: asks, verifies and stores what comes, and puts back what didn't. */
export class Exchanges {
  readonly #components: ExchangeComponents;

  constructor(components: ExchangeComponents) {
    this.#components = components;
  }

  run(peer: PeerId, errand: Errand): Promise<void> {
    return errand.kind === 'files' ? this.#askFiles(peer, errand.wants) : this.#askPieces(peer, errand);
  }

  async #askFiles(peer: PeerId, wants: readonly Want[]): Promise<void> {
    const { lines } = this.#components;
    const stored = new Backlog();
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
    for (const want of wants.slice(at)) {
      if (want.state.kind !== 'asked') continue;
      if (failure !== undefined) this.#failed(peer, want, failure);
      want.state = { kind: 'queued' };
    }
  }

  async #takeFile(peer: PeerId, want: Want, answer: BlobsAnswer, body: Uint8Array): Promise<void> {
    const { blobs, received } = this.#components;
    received(body.length);
    if (want.state.kind !== 'asked') return;
    if (answer.kind === 'absent') {
      want.lacks(peer);
      want.state = { kind: 'queued' };
      return;
    }
    try {
      if (answer.kind === 'manifest') {
        await this.#beginPieces(peer, want, manifestIn(answer, body));
        return;
      }
      want.state = { kind: 'storing' };
      const { pin } = want;
      const expected = { expectedHash: want.hash, ...(pin !== undefined && { pin }) };
      const info = await blobs.putBytes(body, expected);
      want.sizeBytes = info.sizeBytes;
      want.brought(peer, body.length);
      this.#components.end(want, { info });
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      this.#lied(peer, want, answer.kind);
      if (!want.ended) want.state = { kind: 'queued' };
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
    const todo = missing.toReversed();
    const state: PiecesState = {
      kind: 'pieces',
      arrival,
      manifestFrom: peer,
      todo,
      left: todo.length,
      out: 0,
    };
    want.state = state;
    want.sizeBytes = manifest.sizeBytes;
    want.begin(Math.max(0, manifest.sizeBytes - missing.length * manifest.pieceBytes));
    if (missing.length === 0) await this.#finish(want, state);
  }

  async #askPieces(peer: PeerId, errand: Extract<Errand, { kind: 'pieces' }>): Promise<void> {
    const { want, state, indices } = errand;
    const stored = new Backlog();
    let at = 0;
    let failure: unknown;
    const take = async (answer: BlobsAnswer, body: Uint8Array): Promise<boolean> => {
      if (want.state !== state) throw new Abandoned('Nobody waits for the rest.');
      if (answer.kind === 'busy' && at === 0) return this.#busy(peer);
      if (answer.kind === 'absent' && answer.hash === want.hash) {
        want.lacks(peer);
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
    state.out -= 1;
    state.todo.push(...indices.slice(at).toReversed());
    if (failure !== undefined && want.state === state) this.#failed(peer, want, failure);
    // Outside of the wait for what was stored: the last piece of all ends the file.
    if (state.left === 0 && want.state === state) await this.#finish(want, state);
  }

  async #takePiece(
    peer: PeerId,
    want: Want,
    state: PiecesState,
    index: number,
    body: Uint8Array,
  ): Promise<void> {
    try {
      await state.arrival.write(index, body);
      state.left -= 1;
      want.brought(peer, body.length);
    } catch (error) {
      // Nobody waits any more: the store has put the half-fetched file aside, and nobody is to blame.
      if (want.state !== state) return;
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      state.todo.push(index);
      // Its own manifest it must fit; where it doesn't fit another's, either of the two may be wrong.
      if (peer === state.manifestFrom) this.#lied(peer, want, `piece ${index}`);
      else want.dispute(peer);
    }
  }

  async #finish(want: Want, state: PiecesState): Promise<void> {
    want.state = { kind: 'storing' };
    const { pin } = want;
    try {
      const info = await state.arrival.finish(pin === undefined ? {} : { pin });
      for (const peer of want.disputed) this.#lied(peer, want, 'a piece');
      this.#components.end(want, { info });
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) return this.#components.end(want, { error });
      this.#lied(state.manifestFrom, want, 'the manifest');
      want.settleDisputes();
      if (!want.ended) want.state = { kind: 'queued' };
    }
  }

  /** The way to a machine failed, or it spoke nonsense. */
  #failed(peer: PeerId, want: Want, error: unknown): void {
    if (error instanceof Abandoned || want.ended) return;
    if (isNonsense(error)) this.#lied(peer, want, 'nonsense');
    else want.failed(peer, this.#components.clock.now());
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

  async add(bytes: number, storing: Promise<void>): Promise<void> {
    this.#bytes += bytes;
    const tracked = storing.finally(() => {
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
