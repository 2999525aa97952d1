import { createHash, timingSafeEqual } from 'node:crypto';
import { CuadroError } from '@cuadro/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Who may speak to the node (DESIGN.md section 8). Any program on the machine can reach the port, and any page
 * in its browser can try: Host keeps rebound names out, Origin and Sec-Fetch-Site other pages, the token all who
 * cannot read the data folder.
 */

/** The dashboard's pages: nothing from outside, no frames around them; Lit and Web Awesome set inline styles. */
const pagePolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "font-src 'self' data:",
  // Web Awesome fetches its bundled icons from data addresses.
  "connect-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Answers of the API: a rendered file that is opened by itself can show, and never run, what it holds. */
const answerPolicy =
  "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

export function securityHeaders(kind: 'page' | 'answer'): Record<string, string> {
  return {
    'content-security-policy': kind === 'page' ? pagePolicy : answerPolicy,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  };
}

/** The names under which the node's own port is reached. */
function ownHosts(port: number): string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
}

/** @throws CuadroError `host-refused`. */
export function checkHost(request: FastifyRequest, port: number): void {
  const host = request.headers.host ?? '';
  if (!ownHosts(port).includes(host.toLowerCase())) {
    throw new CuadroError('host-refused', { host: host.slice(0, 100) });
  }
}

/** @throws CuadroError `origin-refused`. */
export function checkOrigin(request: FastifyRequest, port: number): void {
  const { origin } = request.headers;
  if (origin !== undefined && !ownHosts(port).some((host) => origin.toLowerCase() === `http://${host}`)) {
    throw new CuadroError('origin-refused', { origin: origin.slice(0, 100) });
  }
}

/**
 * Pages of other local ports count as the same site, so the cookie would go along with an image or script that
 * they ask for; browsers say so in Sec-Fetch-Site.
 * @throws CuadroError `origin-refused`.
 */
export function checkFetchSite(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site']?.toString();
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new CuadroError('origin-refused', { origin: site.slice(0, 100) });
  }
}

/** Cookies ignore the port, so two nodes of one machine need names of their own. */
export function cookieName(port: number): string {
  return `cuadro-${port}`;
}

/** @throws CuadroError `token-missing`, also for a wrong one. */
export function checkToken(request: FastifyRequest, port: number, token: string): void {
  const given = bearerOf(request) ?? cookieOf(request, cookieName(port));
  if (given === undefined || !sameToken(given, token)) throw new CuadroError('token-missing');
}

/** Compares digests in constant time, so that neither content nor length of the token shows. */
export function sameToken(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

function cookieOf(request: FastifyRequest, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2);
    if (key !== name || value === undefined) continue;
    try {
      return decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Keeps the token for the dashboard; a year, since the token stays until its owner renews it. */
export function setTokenCookie(reply: FastifyReply, port: number, token: string): void {
  const value = encodeURIComponent(token);
  void reply.header(
    'set-cookie',
    `${cookieName(port)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000`,
  );
}
