import fastifySwagger from '@fastify/swagger';
import {
  API_PREFIX,
  CuadroError,
  DEFAULT_PORT,
  PORT_ATTEMPTS,
  ROUTES,
  type Route,
  type RouteName,
} from '@cuadro/protocol';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock, Logger, Startable } from '../system/interface.ts';
import { registerDashboard } from './dashboard.ts';
import { errorReply } from './error-reply.ts';
import { createEventStreams, type EventStreams } from './event-streams.ts';
import { createHandlers, type Handlers, type RouteCall } from './handlers.ts';
import type { ApiComponents } from './interface.ts';
import {
  LISTEN_HOST,
  PATH_PARAMETER_LENGTH_MAX,
  REQUEST_ARRIVAL_MS,
  REQUEST_BYTES_MAX,
  STOP_CUT_MS,
  STOP_GRACE_MS,
} from './options.ts';
import { checkFetchSite, checkHost, checkOrigin, checkToken, securityHeaders } from './security.ts';

export interface ApiInit {
  /** The first port tried, `DEFAULT_PORT` unless said; 0 takes any free one. */
  port?: number;
  /** How many ports are tried from the first one on, `PORT_ATTEMPTS` unless said. */
  portAttempts?: number;
  /** The node's token: whoever has it may do everything. */
  token: string;
  /** The built dashboard; without it a page of one sentence stands in. */
  uiFolder?: string | undefined;
  /** The node's version, for the OpenAPI document. */
  version: string;
  logger: Logger;
  clock: Clock;
  /** How often a quiet event stream says that it lives. */
  heartbeatMs?: number;
  /** What a slow client of the live events may have queued before it is cut. */
  clientBufferBytes?: number;
}

/** The local API and dashboard. */
export interface Api extends Startable {
  /** `http://127.0.0.1:7700`, once started. */
  readonly address: string;
  readonly port: number;
}

/**
 * The server of the local API: loopback only, made from the one route table (SPEC R91).
 * `start` throws CuadroError `port-taken` where none of the ports tried is free.
 */
export function createApi(components: ApiComponents, init: ApiInit): Api {
  return new ApiServer(components, init);
}

class ApiServer implements Api {
  readonly #components: ApiComponents;
  readonly #init: ApiInit;
  readonly #logger: Logger;
  #app: FastifyInstance | undefined;
  #streams: EventStreams | undefined;
  #port = 0;
  #stopping = new AbortController();
  #isStopping = false;
  #starting: Promise<void> | undefined;

  constructor(components: ApiComponents, init: ApiInit) {
    this.#components = components;
    this.#init = init;
    this.#logger = init.logger.child({ room: 'api' });
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `http://${LISTEN_HOST}:${this.#port}`;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    this.#stopping = new AbortController();
    this.#isStopping = false;
    const { events } = this.#components;
    const { clock, heartbeatMs, clientBufferBytes } = this.#init;
    const streams = createEventStreams(
      { events, clock, logger: this.#logger },
      {
        ...(heartbeatMs !== undefined && { heartbeatMs }),
        ...(clientBufferBytes !== undefined && { clientBufferBytes }),
      },
    );
    const app = await this.#build(streams);
    try {
      await app.ready();
      this.#port = await this.#listen(app);
    } catch (error) {
      await app.close();
      this.#starting = undefined;
      throw error;
    }
    this.#streams = streams;
    this.#app = app;
  }

  async stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const app = this.#app;
    if (app === undefined) return;
    this.#app = undefined;
    this.#isStopping = true;
    await this.#streams?.stop();
    const { clock } = this.#init;
    const cancels = [
      clock.after(STOP_GRACE_MS, () => this.#stopping.abort(new CuadroError('node-stopping'))),
      clock.after(STOP_GRACE_MS + STOP_CUT_MS, () => app.server.closeAllConnections()),
    ];
    const closed = app.close();
    app.server.closeIdleConnections();
    await closed;
    for (const cancel of cancels) cancel();
    this.#starting = undefined;
  }

  async #build(streams: EventStreams): Promise<FastifyInstance> {
    const app = fastify({
      bodyLimit: REQUEST_BYTES_MAX,
      requestTimeout: REQUEST_ARRIVAL_MS,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX },
      frameworkErrors: (error, request, reply) => {
        void this.#sendError(error, request, reply);
      },
    });
    app.setValidatorCompiler(validator);
    // Views are made by this node and typed; checking 5,000 of them again would only stall its loop.
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));
    app.setErrorHandler((error, request, reply) => this.#sendError(error, request, reply));
    acceptEmptyJson(app);
    app.addHook('onRequest', async (request, reply) => this.#guard(request, reply));
    app.addHook('onSend', async (_, reply) => {
      // A connection kept alive would keep the stopping server waiting.
      if (this.#isStopping) void reply.header('connection', 'close');
    });
    await app.register(fastifySwagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Cuadro',
          description: "The local API of a Cuadro node. Every call needs the node's token as a bearer token.",
          version: this.#init.version,
        },
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      },
      transform: jsonSchemaTransform,
    });
    let document: string | undefined;
    const openapi = (): string => (document ??= JSON.stringify(app.swagger()));
    const handlers = createHandlers({ ...this.#components, streams }, { openapi });
    for (const name of Object.keys(ROUTES) as RouteName[]) this.#addRoute(app, name, handlers);
    const { uiFolder, token } = this.#init;
    await registerDashboard(app, { uiFolder, token, port: () => this.#port });
    return app;
  }

  /** Runs for every request, also those to addresses that don't exist. */
  #guard(request: FastifyRequest, reply: FastifyReply): void {
    // The router decodes addresses before it matches them, so the matched route counts beside the raw text.
    const isApi = isApiPath(request.url) || isApiPath(request.routeOptions.url ?? '');
    void reply.headers(securityHeaders(isApi ? 'answer' : 'page'));
    checkHost(request, this.#port);
    checkOrigin(request, this.#port);
    if (!isApi) return;
    void reply.header('cache-control', 'no-store');
    checkFetchSite(request);
    checkToken(request, this.#port, this.#init.token);
  }

  #addRoute(app: FastifyInstance, name: RouteName, handlers: Handlers): void {
    const route: Route = ROUTES[name];
    // The schemas of this very row check the call before it is made, which the types cannot follow.
    const handle = handlers[name] as (call: RouteCall<RouteName>) => unknown;
    const hasBody = route.method === 'POST' || route.method === 'PATCH';
    app.route({
      method: route.method,
      url: `${API_PREFIX}${route.path}`,
      schema: {
        operationId: name,
        summary: route.summary,
        params: route.params,
        querystring: route.query,
        ...(hasBody && !isUndefinedSchema(route.body) && { body: route.body }),
        ...(!isUndefinedSchema(route.response) && { response: { 200: route.response } }),
      },
      handler: async (request, reply) => {
        const { signal, release } = this.#callSignal(request, reply);
        const call: RouteCall<RouteName> = {
          params: request.params as RouteCall<RouteName>['params'],
          query: request.query as RouteCall<RouteName>['query'],
          body: request.body as RouteCall<RouteName>['body'],
          signal,
          request,
          reply,
        };
        try {
          const answer = await handle(call);
          if (route.raw !== undefined) return reply;
          await this.#components.durable();
          return answer;
        } finally {
          release();
        }
      },
    });
  }

  /** Ends with the client's connection, or with the node. */
  #callSignal(request: FastifyRequest, reply: FastifyReply): { signal: AbortSignal; release: () => void } {
    const gone = new AbortController();
    const onClose = (): void => {
      if (!reply.raw.writableFinished) gone.abort(new CuadroError('aborted'));
    };
    const onStop = (): void => gone.abort(this.#stopping.signal.reason);
    reply.raw.once('close', onClose);
    this.#stopping.signal.addEventListener('abort', onStop, { once: true });
    if (request.raw.socket.destroyed) onClose();
    return {
      signal: gone.signal,
      // The close of the response still aborts a blob that is being sent after the handler returned.
      release: () => this.#stopping.signal.removeEventListener('abort', onStop),
    };
  }

  #sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { method, url } = request;
    const { status, body } = errorReply(error, { logger: this.#logger, method, url });
    // Headers of a file that then could not be read would describe the error wrongly.
    for (const header of ['etag', 'accept-ranges', 'content-disposition', 'content-length', 'content-range'])
      void reply.removeHeader(header);
    return reply
      .code(status)
      .headers({ ...securityHeaders('answer'), 'cache-control': 'no-store' })
      .type('application/json; charset=utf-8')
      .serializer((data: unknown) => JSON.stringify(data))
      .send(body);
  }

  async #listen(app: FastifyInstance): Promise<number> {
    const first = this.#init.port ?? DEFAULT_PORT;
    const attempts = first === 0 ? 1 : (this.#init.portAttempts ?? PORT_ATTEMPTS);
    const last = Math.min(first + Math.max(attempts, 1) - 1, 65_535);
    for (let port = first; port <= last; port += 1) {
      try {
        await app.listen({ host: LISTEN_HOST, port });
      } catch (error) {
        if (!isTaken(error)) throw error;
        continue;
      }
      const taken = (app.server.address() as { port: number }).port;
      if (port > first) this.#logger.warn(`The port ${first} is taken; using ${port}.`, { first, port });
      return taken;
    }
    throw new CuadroError('port-taken', { first, last });
  }
}

function isTaken(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'EADDRINUSE' || code === 'EACCES';
}

/** Whether an address belongs to the API; anything that starts so needs the token, known or not. */
function isApiPath(url: string): boolean {
  return /^\/api(?:[/?]|$)/.test(url);
}

/** What makes zod throw (protocol/src/checked-by.ts) is a bad request as any other. */
const validator: typeof validatorCompiler = (route) => {
  const validate = validatorCompiler(route);
  return (data: unknown) => {
    try {
      return validate(data) as { value: unknown } | { error: Error };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const why = 'a value in it cannot be read';
      return { error: new CuadroError('request-invalid', { why }, { cause: error }) };
    }
  };
};

function isUndefinedSchema(schema: Route['body']): boolean {
  return schema.def.type === 'undefined';
}

/** Clients that say JSON and send nothing (a DELETE, a stop) mean no body; only JSON is read at all. */
function acceptEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}
