import type { PeerId } from '@cuadro/protocol';
import type { Clock } from '../../system/interface.ts';
import type { BlobHash } from '../interface.ts';
import type { Errand } from './exchanges.ts';
import { transferLimits, type TransferOptions } from './limits.ts';
import type { Peers } from './peers.ts';
import type { Requests } from './requests.ts';
import { travelsWhole } from './units.ts';
import { ASKED, type PiecesState, type Turn, type Want } from './wants.ts';

export type TurnOf = (want: Want, peer: PeerId) => Turn;

export interface ErrandsComponents {
  /** In the order in which they are asked for. */
  readonly wants: Map<BlobHash, Want>;
  readonly files: Requests<Want>;
  readonly peers: Pick<Peers, 'askBytesOf'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** Cuts what is wanted of holders into requests: what nobody was asked for, and in the end what is late (SPEC R197). */
export class Errands {
  readonly #components: ErrandsComponents;
  readonly #options: Pick<TransferOptions, 'lanesPerPeer'>;
  #turn = 0;

  constructor(components: ErrandsComponents, options: Pick<TransferOptions, 'lanesPerPeer'>) {
    this.#components = components;
    this.#options = options;
  }

  /** The next request to a machine; undefined where there is nothing that it may be asked for now. */
  next(peer: PeerId, turnOf: TurnOf): Errand | undefined {
    this.#turn += 1;
    // In turn, so that neither a crowd of small files nor one large file keeps the other waiting.
    const fresh =
      this.#turn % 2 === 0
        ? (this.#freshFiles(peer, turnOf) ?? this.#pieces(peer, turnOf, 'fresh'))
        : (this.#pieces(peer, turnOf, 'fresh') ?? this.#freshFiles(peer, turnOf));
    return fresh ?? this.#lateFiles(peer, turnOf) ?? this.#pieces(peer, turnOf, 'late');
  }

  #freshFiles(peer: PeerId, turnOf: TurnOf): Errand | undefined {
    const { clock, wants } = this.#components;
    const errand = this.#files(peer, turnOf, { among: wants.values(), state: 'queued' });
    for (const want of errand?.request.left ?? []) {
      want.state = ASKED;
      // The manifest of a large one takes the place of none of its pieces.
      if (travelsWhole(want.sizeBytes ?? 0)) want.flock?.take(want.hash, 1, clock.now());
    }
    return errand;
  }

  #lateFiles(peer: PeerId, turnOf: TurnOf): Errand | undefined {
    const { clock, files } = this.#components;
    return this.#files(peer, turnOf, { among: files.late(peer, clock.now()), state: 'asked' });
  }

  #files(
    peer: PeerId,
    turnOf: TurnOf,
    { among, state }: { among: Iterable<Want>; state: 'queued' | 'asked' },
  ): Extract<Errand, { kind: 'files' }> | undefined {
    const { clock, files } = this.#components;
    const chosen: Want[] = [];
    let bytes = 0;
    let bytesMax = 0;
    for (const want of among) {
      if (want.state.kind !== state || want.isWithOthers || turnOf(want, peer) !== 'now') continue;
      const { sizeBytes = transferLimits.guessedBytes } = want;
      // Of a large file only the manifest comes.
      const comingBytes = travelsWhole(sizeBytes) ? sizeBytes : 0;
      if (chosen.length === 0) bytesMax = this.#bytesMax(peer, sharing(want, turnOf));
      else if (bytes + comingBytes > bytesMax) break;
      bytes += comingBytes;
      chosen.push(want);
      if (chosen.length >= transferLimits.requestFiles) break;
    }
    if (chosen.length === 0) return undefined;
    return { kind: 'files', request: files.begin(peer, chosen, clock.now()) };
  }

  #pieces(peer: PeerId, turnOf: TurnOf, which: 'fresh' | 'late'): Errand | undefined {
    const { clock, wants } = this.#components;
    const nowMs = clock.now();
    for (const want of wants.values()) {
      const { state } = want;
      if (state.kind !== 'pieces' || want.isWithOthers || turnOf(want, peer) !== 'now') continue;
      const late = which === 'late' ? [...state.requests.late(peer, nowMs)] : undefined;
      const count = late?.length ?? want.piecesToAsk;
      if (count === 0) continue;
      const most = this.#piecesMax(peer, { state, count, peers: sharing(want, turnOf) });
      const indices = late?.slice(0, most) ?? want.takePieces(state, most, nowMs);
      // To the back, so that several large files advance together.
      wants.delete(want.hash);
      wants.set(want.hash, want);
      return { kind: 'pieces', want, state, request: state.requests.begin(peer, indices, nowMs) };
    }
    return undefined;
  }

  /** Of so many pieces what one request takes, so that each lane of those who share them has some. */
  #piecesMax(
    peer: PeerId,
    { state, count, peers }: { state: PiecesState; count: number; peers: number },
  ): number {
    const most = Math.max(1, Math.floor(this.#bytesMax(peer, peers) / state.arrival.manifest.pieceBytes));
    return Math.min(most, Math.ceil(count / (peers * this.#options.lanesPerPeer)));
  }

  /** Of one among several about what it brings in a second. To whom is alone with it nobody is preferred. */
  #bytesMax(peer: PeerId, peers: number): number {
    return peers === 1 ? transferLimits.requestBytes : this.#components.peers.askBytesOf(peer);
  }
}

/** How many machines may be asked for it now. */
function sharing(want: Want, turnOf: TurnOf): number {
  let count = 0;
  for (const peer of want.peers) if (turnOf(want, peer) === 'now') count += 1;
  return count;
}
