import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import type { BlobHash, PeerId } from '@cuadro/protocol';
import type { Clock, SignalOption } from '../system/interface.ts';
import { deadline } from './deadline.ts';
import { MeshError } from './errors.ts';
import type { FarmLibp2p } from './host.ts';
import type { MeshLimits } from './limits.ts';

/** Multicodec numbers: SHA-256, and bytes of no further meaning. */
const SHA2_256 = 0x12;
const RAW = 0x55;

export interface ProvidersComponents {
  readonly clock: Clock;
  readonly host: FarmLibp2p;
  readonly limits: Pick<MeshLimits, 'queryMs'>;
}

/** Who holds which blob, by kad-dht's provider records: hints that outlive their makers by up to 48 h. */
export class Providers {
  readonly #components: ProvidersComponents;
  readonly #isMember: (peer: PeerId) => boolean;

  constructor(components: ProvidersComponents, init: { readonly isMember: (peer: PeerId) => boolean }) {
    this.#components = components;
    this.#isMember = init.isMember;
  }

  async provide(hash: BlobHash, options: SignalOption): Promise<void> {
    const bound = this.#bound(options);
    try {
      for await (const event of this.#components.host.services.providers.provide(cidOf(hash), bound)) {
        // An error of one machine is no failure: the record goes to the others that are nearest to it.
        if (event.name === 'QUERY_ERROR') continue;
      }
      options.signal?.throwIfAborted();
    } finally {
      bound.release();
    }
  }

  async *find(hash: BlobHash, options: SignalOption): AsyncGenerator<PeerId, void, void> {
    const bound = this.#bound(options);
    const told = new Set<PeerId>([this.#components.host.peerId.toString()]);
    try {
      for await (const event of this.#components.host.services.providers.findProviders(cidOf(hash), bound)) {
        if (event.name !== 'PROVIDER' && event.name !== 'PEER_RESPONSE') continue;
        for (const { id } of event.providers) {
          const peer = id.toString();
          if (told.has(peer) || !this.#isMember(peer)) continue;
          told.add(peer);
          yield peer;
        }
      }
    } catch (error) {
      // A query that takes too long has told what it knows.
      options.signal?.throwIfAborted();
      if (!bound.signal.aborted) throw error;
    } finally {
      bound.release();
    }
  }

  #bound(options: SignalOption): ReturnType<typeof deadline> {
    const { clock, limits } = this.#components;
    return deadline(
      clock,
      limits.queryMs,
      options,
      () => new MeshError('stream-stalled', 'The query took too long.'),
    );
  }
}

const cidOf = (hash: BlobHash): CID => CID.createV1(RAW, createDigest(SHA2_256, Buffer.from(hash, 'hex')));
