import type { Connection, Stream } from '@libp2p/interface';
import type { FarmId, PeerId } from '@cuadro/protocol';
import type { Clock, SignalOption } from '../system/interface.ts';
import type { BulkConnections } from './bulk-connections.ts';
import { deadline } from './deadline.ts';
import { MeshError, peerUnreachable } from './errors.ts';
import type { FarmLibp2p } from './host.ts';
import type { MeshStream, StreamHandler, StreamProtocol } from './interface.ts';
import { type MeshLimits, STREAMS_IN_MAX, STREAMS_OUT_MAX } from './limits.ts';
import type { Members } from './members.ts';
import { protocolOf } from './names.ts';
import type { Session } from './session.ts';
import { BulkStream } from './stream.ts';
import type { Tally } from './tally.ts';

export interface StreamsComponents {
  readonly clock: Clock;
  readonly host: FarmLibp2p;
  readonly members: Members;
  readonly bulk: BulkConnections;
  readonly tally: Tally;
  readonly limits: Pick<MeshLimits, 'openMs' | 'stallMs'>;
}

/** Streams of their own between proven members. */
export class Streams {
  readonly #components: StreamsComponents;
  readonly #farm: FarmId;
  readonly #open = new Set<BulkStream>();

  constructor(components: StreamsComponents, init: { readonly farm: FarmId }) {
    this.#components = components;
    this.#farm = init.farm;
  }

  async start(handlers: ReadonlyMap<StreamProtocol, StreamHandler>): Promise<void> {
    for (const [protocol, handler] of handlers) {
      await this.#components.host.handle(
        protocolOf(this.#farm, protocol),
        (stream, connection) => void this.#serve(stream, connection, handler),
        { maxInboundStreams: STREAMS_IN_MAX, maxOutboundStreams: STREAMS_OUT_MAX },
      );
    }
  }

  /** Cuts all: the peers must see that they ended before their time. */
  stop(): void {
    for (const stream of this.#open) stream.abort('The node stops.');
  }

  tick(gapMs: number): void {
    for (const stream of this.#open) stream.tick(this.#components.limits.stallMs, gapMs);
  }

  async open(peer: PeerId, protocol: StreamProtocol, options: SignalOption): Promise<MeshStream> {
    const { bulk, clock, limits, members } = this.#components;
    const session = members.session(peer);
    if (session === undefined) throw peerUnreachable(peer);
    const bound = deadline(clock, limits.openMs, options, () => peerUnreachable(peer));
    try {
      const connection = await bulk.to(session, bound);
      const stream = await connection.newStream(protocolOf(this.#farm, protocol), {
        signal: bound.signal,
        maxOutboundStreams: STREAMS_OUT_MAX,
      });
      return this.#wrap(stream, session, connection);
    } catch (error) {
      bound.signal.throwIfAborted();
      const name = error instanceof Error ? error.name : '';
      if (name === 'UnsupportedProtocolError')
        throw new MeshError('protocol-refused', `${peer} does not serve ${protocol}.`, { cause: error });
      if (name === 'TooManyOutboundProtocolStreamsError')
        throw new MeshError('protocol-refused', `Too many streams for ${protocol} to ${peer} are open.`, {
          cause: error,
        });
      throw peerUnreachable(peer, { cause: error });
    } finally {
      bound.release();
    }
  }

  async #serve(raw: Stream, connection: Connection, handler: StreamHandler): Promise<void> {
    const peer = connection.remotePeer.toString();
    const session = this.#components.members.session(peer);
    if (session === undefined) {
      this.#components.tally.refuse('stream-before-hello', peer);
      return raw.abort(new Error('No hello yet.'));
    }
    this.#components.bulk.adopt(session, connection);
    const stream = this.#wrap(raw, session, connection);
    try {
      await handler(stream);
      await stream.end();
      stream.discard();
    } catch (error) {
      this.#components.tally.refuseNonsense(error, peer);
      stream.abort(error);
    }
  }

  #wrap(raw: Stream, session: Session, connection: Connection): BulkStream {
    const stream: BulkStream = new BulkStream({
      stream: raw,
      peer: session.peer,
      // Beside pulses bulk holds back; on a connection of its own it delays none.
      allowance: connection === session.connection ? session.allowance : undefined,
      now: () => this.#components.clock.now(),
      closed: () => void this.#open.delete(stream),
    });
    if (raw.status === 'open') this.#open.add(stream);
    return stream;
  }
}
