import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import type { PeerId } from '@cuadro/protocol';
import type { Clock, Logger, SignalOption } from '../system/interface.ts';
import { parseAddress, plainAddress } from './addresses.ts';
import { deadline } from './deadline.ts';
import { dialAny } from './dialer.ts';
import { endConnection } from './end-connection.ts';
import { MeshError, meshStopped, peerUnreachable, tooLarge } from './errors.ts';
import { forgetStrangers } from './forget-strangers.ts';
import { encodeFrame, FRAME, readFirstFrame } from './frames.ts';
import { createLobbyLibp2p, type HostInit } from './host.ts';
import type { LobbyHandler } from './interface.ts';
import * as limits from './limits.ts';
import { LOBBY_PROTOCOL } from './names.ts';
import { RateLimit } from './rate-limit.ts';
import { BulkStream } from './stream.ts';
import type { Tally } from './tally.ts';

export interface LobbyComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tally: Tally;
  readonly limits: limits.MeshLimits;
}

/**
 * The small listener that strangers reach, and nothing else: who are you, may I join. One request and one answer per
 * stream.
 */
export class Lobby {
  readonly #components: LobbyComponents;
  readonly #libp2p: Libp2p;
  readonly #handler: LobbyHandler | undefined;
  readonly #rate: RateLimit;
  #running = true;

  private constructor(components: LobbyComponents, libp2p: Libp2p, handler: LobbyHandler | undefined) {
    this.#components = components;
    this.#libp2p = libp2p;
    this.#handler = handler;
    this.#rate = new RateLimit(components.clock, {
      burst: limits.LOBBY_REQUESTS_BURST,
      perSecond: limits.LOBBY_REQUESTS_PER_SECOND,
      keysMax: limits.LOBBY_ADDRESSES_MAX,
    });
  }

  static async start(
    components: LobbyComponents,
    init: HostInit & { readonly handler: LobbyHandler | undefined },
  ): Promise<Lobby> {
    const libp2p = await createLobbyLibp2p(init);
    const lobby = new Lobby(components, libp2p, init.handler);
    try {
      await libp2p.handle(LOBBY_PROTOCOL, (stream, connection) => void lobby.#serve(stream, connection), {
        maxInboundStreams: 2,
      });
      libp2p.addEventListener('connection:open', ({ detail }) => lobby.#watchIncoming(detail));
      forgetStrangers({ clock: components.clock, host: libp2p }, init.upgradeMs);
      await libp2p.start();
      return lobby;
    } catch (error) {
      await libp2p.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const connection of this.#libp2p.getConnections()) endConnection(connection, 'The node stops.');
    await this.#libp2p.stop();
  }

  addresses(): readonly string[] {
    return this.#libp2p
      .getMultiaddrs()
      .map((address) => plainAddress(address.toString()))
      .filter((address) => address !== undefined);
  }

  protocols(): readonly string[] {
    return this.#libp2p.getProtocols();
  }

  async ask(
    addresses: readonly string[],
    request: Uint8Array,
    options: SignalOption,
  ): Promise<{ peer: PeerId; answer: Uint8Array }> {
    if (request.length > limits.LOBBY_BYTES_MAX)
      throw tooLarge('request', request.length, limits.LOBBY_BYTES_MAX);
    const plain = [...new Set(addresses.map(plainAddress))].filter((address) => address !== undefined);
    const named = addresses.map((address) => parseAddress(address)?.peer).find((peer) => peer !== undefined);
    const { clock, limits: times } = this.#components;
    const nobody = (): MeshError => peerUnreachable(`No lobby at ${addresses.join(', ')}`);
    const bound = deadline(clock, times.lobbyMs, options, nobody);
    try {
      const connection = await dialAny(
        { clock, host: this.#libp2p, limits: times },
        {
          addresses: plain.slice(0, limits.ADDRESSES_PER_PEER_MAX),
          peer: named,
          signal: bound.signal,
          failed: () => undefined,
        },
      );
      bound.signal.throwIfAborted();
      if (!this.#running) throw meshStopped();
      if (connection === undefined) throw nobody();
      try {
        return {
          peer: connection.remotePeer.toString(),
          answer: await this.#askAt(connection, request, bound),
        };
      } finally {
        endConnection(connection, 'Asked and answered.');
      }
    } finally {
      bound.release();
    }
  }

  async #askAt(connection: Connection, request: Uint8Array, options: SignalOption): Promise<Uint8Array> {
    const peer = connection.remotePeer.toString();
    const stream = this.#wrap(await connection.newStream(LOBBY_PROTOCOL, options), peer);
    const onAbort = (): void => stream.abort(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await stream.write(encodeFrame(FRAME.message, request));
      await stream.end();
      const frame = await readFirstFrame(stream.chunks, limits.LOBBY_BYTES_MAX);
      if (frame?.kind === FRAME.message) return frame.content;
      throw new MeshError('protocol-refused', `${peer} refused the request.`);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  async #serve(raw: Stream, connection: Connection): Promise<void> {
    const { tally } = this.#components;
    const peer = connection.remotePeer.toString();
    const stream = this.#wrap(raw, peer);
    try {
      const from = parseAddress(connection.remoteAddr.toString())?.host ?? 'unknown';
      if (!this.#rate.take(from) || this.#handler === undefined) {
        tally.refuse('lobby-too-often', peer);
        await stream.write(encodeFrame(FRAME.refusal, new Uint8Array(0)));
      } else {
        const request = await readFirstFrame(stream.chunks, limits.LOBBY_BYTES_MAX);
        if (request?.kind !== FRAME.message) throw new Error('That is no request.');
        const answer = await this.#answer(this.#handler, peer, request.content);
        const kind = answer === undefined ? FRAME.refusal : FRAME.message;
        await stream.write(encodeFrame(kind, answer ?? new Uint8Array(0)));
      }
      await stream.end();
      stream.discard();
    } catch (error) {
      tally.refuse('lobby-request-failed', peer);
      stream.abort(error);
    }
  }

  /** Undefined where the handler fails, or says more than an answer may hold: a stranger learns no more than that. */
  async #answer(handler: LobbyHandler, peer: PeerId, request: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const answer = await handler(peer, request);
      if (answer.length <= limits.LOBBY_BYTES_MAX) return answer;
      throw tooLarge('answer', answer.length, limits.LOBBY_BYTES_MAX);
    } catch (error) {
      this.#components.logger.warn('a request in the lobby failed', { peer, error });
      this.#components.tally.refuse('lobby-handler-failed', peer);
      return undefined;
    }
  }

  /** Strangers don't stay: one who asks closes the connection itself when it has its answer. */
  #watchIncoming(connection: Connection): void {
    if (connection.direction !== 'inbound') return;
    const { clock, limits: times } = this.#components;
    const cancel = clock.after(times.lobbyMs * 2, () => endConnection(connection, 'It stayed too long.'));
    connection.addEventListener('close', cancel);
  }

  #wrap(stream: Stream, peer: PeerId): BulkStream {
    return new BulkStream({
      stream,
      peer,
      now: () => this.#components.clock.now(),
      closed: () => undefined,
    });
  }
}
