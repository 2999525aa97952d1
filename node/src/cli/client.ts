import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import {
  CuadroError,
  errorBodySchema,
  type LiveEvent,
  type RouteBody,
  type RouteName,
  routePath,
  type RouteParams,
  type RouteQuery,
  type RouteResponse,
  ROUTES,
} from '@cuadro/protocol';
import { type NodeFile, readNodeFile } from '../system/node-file.ts';
import { AnswerError } from './failure.ts';

/** How soon a lost event stream is opened again. */
const reconnectMs = 300;
/** A quiet stream says every 15 s that it lives; after three of them missed it is taken for dead. */
const silenceMs = 45_000;

/** `params` and `body` are asked for where the route has them. */
export type CallOptions<N extends RouteName> = {
  query?: RouteQuery<N>;
  signal?: AbortSignal;
} & (RouteParams<N> extends Record<string, never>
  ? { params?: RouteParams<N> }
  : { params: RouteParams<N> }) &
  (undefined extends RouteBody<N> ? { body?: undefined } : { body: RouteBody<N> });

export interface ReceivedEvent {
  id: number;
  event: LiveEvent;
}

/**
 * A client of the local API, typed by the route table. It uses Node's own http and not fetch: fetch gives an
 * answer up after five minutes, and a submission of a huge scene may take longer.
 */
export class NodeClient {
  readonly file: NodeFile;
  readonly #dataFolder: string;

  constructor(dataFolder: string, file: NodeFile) {
    this.#dataFolder = dataFolder;
    this.file = file;
  }

  /** @throws CuadroError of the catalogue or AnswerError; `no-node` where nobody listens. */
  async call<N extends RouteName>(name: N, options: CallOptions<N>): Promise<RouteResponse<N>> {
    const response = await this.#request(name, options);
    return JSON.parse(await textOf(response)) as RouteResponse<N>;
  }

  /** The answer of a route that gives text. */
  async text<N extends RouteName>(name: N, options: CallOptions<N>): Promise<string> {
    return textOf(await this.#request(name, options));
  }

  /**
   * Live events until the signal ends it. It first yields `reset`: from then on nothing is missed, so a caller
   * reads state at each `reset` and applies what follows. A lost connection is resumed while the node lives.
   * @throws CuadroError `no-node` once the node is gone.
   */
  async *events(signal: AbortSignal): AsyncGenerator<ReceivedEvent> {
    let lastId: number | undefined;
    while (!signal.aborted) {
      const response = await this.#openEvents(lastId, signal);
      if (lastId === undefined) yield { id: 0, event: { kind: 'reset' } };
      try {
        for await (const block of blocksOf(response)) {
          const id = Number(/^id: (\d+)$/m.exec(block)?.[1] ?? Number.NaN);
          if (!Number.isNaN(id)) lastId = id;
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data === undefined || /^event: /m.test(block)) continue;
          // The node's own views are trusted as its answers are; kinds that this client does not know match nothing.
          yield { id, event: JSON.parse(data) as LiveEvent };
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Error && 'code' in error)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, reconnectMs));
    }
  }

  async #openEvents(lastId: number | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': String(lastId) };
    const response = await this.#request('events', { signal, headers });
    response.socket.setTimeout(silenceMs, () => response.destroy());
    return response;
  }

  async #request(name: RouteName, options: AnyOptions): Promise<IncomingMessage> {
    const { method } = ROUTES[name];
    const body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
    const headers: Record<string, string | number> = {
      ...options.headers,
      authorization: `Bearer ${this.file.token}`,
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': body.length }),
    };
    const url = new URL(routePath(name, options.params, options.query), this.file.address);
    // An `import` of node:http reads all that it exports, and with that loads Node's whole fetch: 12 MB and 25 ms.
    const { request } = process.getBuiltinModule('node:http');
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { signal } = options;
      const call = request(url, { method, headers, agent: false, ...(signal && { signal }) }, resolve);
      call.on('error', (error) => reject(this.#explain(error)));
      call.end(body);
    });
    if (response.statusCode !== undefined && response.statusCode >= 400) throw await answerError(response);
    return response;
  }

  /** Nobody listens, or the node went away before it answered. */
  #explain(error: Error): Error {
    if (error.name === 'AbortError') return new CuadroError('aborted', {}, { cause: error });
    return new CuadroError('no-node', { path: this.#dataFolder }, { cause: error });
  }
}

interface AnyOptions {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** @throws CuadroError `no-node`. */
export function connectNode(dataFolder: string): NodeClient {
  const file = readNodeFile(dataFolder);
  if (file === undefined) throw new CuadroError('no-node', { path: dataFolder });
  return new NodeClient(dataFolder, file);
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function answerError(response: IncomingMessage): Promise<Error> {
  const text = await textOf(response);
  try {
    return new AnswerError(errorBodySchema.parse(JSON.parse(text)).error);
  } catch (cause) {
    // Another program may listen on the port of a node that was killed.
    return new CuadroError(
      'internal',
      { why: `the node answered with status ${response.statusCode}` },
      { cause },
    );
  }
}

/** The blocks of a text/event-stream, without the empty line that ends each. */
async function* blocksOf(response: IncomingMessage): AsyncGenerator<string> {
  let text = '';
  for await (const chunk of Readable.from(response.setEncoding('utf8'))) {
    text += chunk as string;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 2);
    }
  }
}
