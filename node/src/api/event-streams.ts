import type { ServerResponse } from 'node:http';
import type { LiveEvent } from '@cuadro/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, Logger, Startable } from '../system/interface.ts';
import type { EventSource } from './interface.ts';
import {
  EVENT_CLIENT_BUFFER_BYTES,
  EVENT_CLIENTS_MAX,
  EVENT_HEARTBEAT_MS,
  EVENT_RETRY_MS,
} from './options.ts';
import { securityHeaders } from './security.ts';

type Entry = { id: number; event: LiveEvent };

/** The event streams (text/event-stream) of all clients of this node. */
export interface EventStreams extends Startable {
  /** Answers a request with the stream and keeps it open. */
  open(request: FastifyRequest, reply: FastifyReply): undefined;
  readonly clients: number;
}

export function createEventStreams(
  components: { events: EventSource; clock: Clock; logger: Logger },
  init: { heartbeatMs?: number; clientBufferBytes?: number; clientsMax?: number } = {},
): EventStreams {
  return new Streams(components, init);
}

/**
 * A connection starts with the named event `hello`, whose id and data give the newest event's id: a client that
 * opens the stream, then reads state, then applies what the stream brought misses nothing. A client that names
 * the last event it saw is sent what followed, or `reset` where that is gone.
 */
class Streams implements EventStreams {
  readonly #events: EventSource;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #heartbeatMs: number;
  readonly #clientBufferBytes: number;
  readonly #clientsMax: number;
  readonly #clients = new Set<ServerResponse>();
  #unsubscribe: (() => void) | undefined;
  #cancelHeartbeat: (() => void) | undefined;
  #stopped = false;

  constructor(
    components: { events: EventSource; clock: Clock; logger: Logger },
    init: { heartbeatMs?: number; clientBufferBytes?: number; clientsMax?: number },
  ) {
    this.#events = components.events;
    this.#clock = components.clock;
    this.#logger = components.logger;
    this.#heartbeatMs = init.heartbeatMs ?? EVENT_HEARTBEAT_MS;
    this.#clientBufferBytes = init.clientBufferBytes ?? EVENT_CLIENT_BUFFER_BYTES;
    this.#clientsMax = init.clientsMax ?? EVENT_CLIENTS_MAX;
  }

  get clients(): number {
    return this.#clients.size;
  }

  async start(): Promise<void> {
    this.#stopped = false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const client of this.#clients) client.end();
    this.#clients.clear();
    this.#rest();
  }

  open(request: FastifyRequest, reply: FastifyReply): undefined {
    reply.hijack();
    const client = reply.raw;
    const headers = {
      ...securityHeaders('answer'),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    };
    if (this.#stopped || this.#clients.size >= this.#clientsMax) {
      client.writeHead(503, { ...headers, 'retry-after': '5' });
      client.end();
      return undefined;
    }
    // Streams live for hours; a timeout of the server is for requests.
    request.raw.socket.setTimeout(0);
    request.raw.socket.setNoDelay(true);
    client.writeHead(200, headers);
    client.on('error', () => undefined);
    client.on('close', () => this.#drop(client));
    this.#wake();
    client.write(this.#greeting(request));
    this.#clients.add(client);
    return undefined;
  }

  /** What a new client is sent first. Nothing can happen between this and its place among the clients. */
  #greeting(request: FastifyRequest): string {
    const { lastId } = this.#events;
    const seen = lastEventId(request);
    const missed = seen === undefined ? [] : this.#events.since(seen);
    const hello = `retry: ${EVENT_RETRY_MS}\nevent: hello\nid: ${missed?.length ? seen : lastId}\ndata: {"lastId":${lastId}}\n\n`;
    return `${hello}${(missed ?? [{ id: lastId, event: { kind: 'reset' } }]).map(eventText).join('')}`;
  }

  #wake(): void {
    this.#unsubscribe ??= this.#events.subscribe((entry) => this.#tell(eventText(entry)));
    this.#cancelHeartbeat ??= this.#clock.after(this.#heartbeatMs, () => this.#beat());
  }

  /** Without clients nothing is asked of the event source, which may then make no views. */
  #rest(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#cancelHeartbeat?.();
    this.#cancelHeartbeat = undefined;
  }

  #beat(): void {
    this.#tell(': still here\n\n');
    this.#cancelHeartbeat = this.#clock.after(this.#heartbeatMs, () => this.#beat());
  }

  #tell(text: string): void {
    for (const client of this.#clients) {
      if (client.writableLength + text.length > this.#clientBufferBytes) {
        this.#logger.warn('A client of the live events reads too slowly; its stream is cut, it can resume.');
        client.destroy();
        this.#drop(client);
      } else {
        client.write(text);
      }
    }
  }

  #drop(client: ServerResponse): void {
    if (this.#clients.delete(client) && this.#clients.size === 0) this.#rest();
  }
}

function eventText({ id, event }: Entry): string {
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The header that browsers send when they come back, or `?lastEventId=` for those who cannot set it. */
function lastEventId(request: FastifyRequest): number | undefined {
  const header = request.headers['last-event-id'];
  // The checked query holds only what the table names, so this is read from the address itself.
  const query = new URLSearchParams(request.url.split('?', 2)[1]).get('lastEventId');
  const text = typeof header === 'string' ? header : query;
  if (text === null || text === '') return undefined;
  // Text that is no id of ours cannot be resumed from, so it is answered like one that is gone.
  return /^\d{1,16}$/.test(text) ? Number(text) : -1;
}
