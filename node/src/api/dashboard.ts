import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { API_PREFIX, CuadroError } from '@cuadro/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sameToken, setTokenCookie } from './security.ts';

/** The dashboard's files and the way in. `port` is asked late: it is known once the server listens. */
export async function registerDashboard(
  app: FastifyInstance,
  init: { uiFolder: string | undefined; token: string; port: () => number },
): Promise<void> {
  const { uiFolder } = init;
  const built = uiFolder !== undefined && existsSync(join(uiFolder, 'index.html'));
  if (built) {
    await app.register(fastifyStatic, {
      root: uiFolder,
      cacheControl: false,
      setHeaders: (reply, path) => {
        // The build puts a hash of the content into the names of all that lies in `assets`.
        const hashed = /[/\\]assets[/\\]/.test(path);
        void reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  }
  app.get('/signin', { schema: { hide: true } }, (request, reply) => signIn(request, reply, init));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '/';
    if (!wantsPage(request, path)) throw new CuadroError('not-found', { path: path.slice(0, 200) });
    // Addresses inside the dashboard, such as /jobs/…, are the page's own to read.
    if (built) return reply.header('cache-control', 'no-cache').sendFile('index.html');
    return sendPage(
      reply,
      200,
      "The node runs, but its dashboard isn't built here. Build it with <code>npm run build</code> and start the node again.",
    );
  });
}

function wantsPage(request: FastifyRequest, path: string): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (path === '/api' || path.startsWith('/api/') || path.startsWith(`${API_PREFIX}/`)) return false;
  return !/\.\w+$/.test(path);
}

function signIn(
  request: FastifyRequest,
  reply: FastifyReply,
  init: { token: string; port: () => number },
): FastifyReply {
  const { token } = request.query as { token?: unknown };
  void reply.header('cache-control', 'no-store');
  if (typeof token !== 'string' || !sameToken(token, init.token)) {
    return sendPage(
      reply,
      401,
      'This link is not valid any more. Open the dashboard with <code>cuadro dashboard</code>.',
    );
  }
  setTokenCookie(reply, init.port(), init.token);
  return reply.redirect('/', 303);
}

/** A page of one sentence, for when there is no dashboard to say it. */
function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Cuadro</title><body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem"><h1>Cuadro</h1><p>${html}</p></body></html>\n`,
    );
}
