import { API_PREFIX, errorBodySchema, ROUTES, type RouteName } from '@cuadro/protocol';
import { HASH, JOB_A, startFake, TOKEN } from '../../unit/api/fakes.ts';
import { decoder, demand, type Decoder, type Reader, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileText, hostileValue } from '../hostile.ts';
import { joined, mutateBytes, mutateText, mutateValue } from '../mutate.ts';
import { json } from '../sources.ts';
import { validOf } from '../valid.ts';
import type { Wild } from '../wild-cbor.ts';
import { RawClient } from './http-client.ts';

/** Whatever a program on the machine, or a page in its browser, sends to the local API: bytes on a connection. */

const NAMES = Object.keys(ROUTES) as RouteName[];
/** Stands for the port, which is known only when the server listens. */
const PORT = '{port}';

const encoder = new TextEncoder();

/** A path's parameters, its query and its body, valid or changed. */
function request(dice: Dice): { head: string; body: string } {
  const route = ROUTES[dice.pick(NAMES)];
  const changes = !dice.once(8);
  const text = (valid: string): string => (changes && dice.once(4) ? hostileText(dice) : valid);
  const parameters: Record<string, string> = { job: JOB_A, task: '1', node: 'here', hash: HASH };
  const path = route.path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(text(parameters[name] ?? '').toWellFormed()),
  );
  const query = Object.entries((validOf(route.query)(dice) ?? {}) as Record<string, Wild>)
    .map(([name, value]) => `${text(name)}=${text(json(value))}`)
    .join('&');
  const ofApi = `${API_PREFIX}${path}${query === '' ? '' : `?${encodeURI(query.toWellFormed())}`}`;
  const address = dice.once(10) ? pageAddress(dice, text) : ofApi;
  const takesBody = route.method === 'POST' || route.method === 'PATCH';
  const body = takesBody ? bodyOf(dice, validOf(route.body)(dice), changes) : '';
  const lines = [
    `${dice.once(30) ? dice.pick(['PUT', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE']) : route.method} ${changes && dice.once(12) ? mutateText(dice, address, () => hostileText(dice)) : address} HTTP/1.1`,
    `Host: ${dice.once(40) ? text('evil.example') : `127.0.0.1:${PORT}`}`,
    ...(dice.once(20) ? [] : [`Authorization: Bearer ${dice.once(20) ? text(TOKEN) : TOKEN}`]),
    ...headers(dice),
    ...(takesBody && !dice.once(30) ? ['Content-Type: application/json'] : []),
  ];
  // One line in a header is one: what is put there must not end it, or the rest would be another request.
  return { head: lines.map((line) => line.replace(/[\r\n]/g, ' ')).join('\r\n'), body };
}

/** What a browser asks for: the way in, pages, and files that there are none of. */
function pageAddress(dice: Dice, text: (valid: string) => string): string {
  const token = encodeURIComponent(text(TOKEN).toWellFormed());
  return dice.pick([
    `/signin?token=${token}`,
    '/signin',
    '/',
    '/jobs/1?x',
    '/a.js',
    '/api/',
    '/%2e%2e/%2e%2e/etc/passwd',
  ]);
}

function bodyOf(dice: Dice, valid: Wild, changes: boolean): string {
  if (!changes) return valid === undefined ? '' : json(valid);
  switch (dice.below(6)) {
    case 0:
      return json(hostileValue(dice, 4));
    case 1:
      return mutateText(dice, json(valid), () => json(valid));
    case 2:
      return dice.pick(['[', '{"a":']).repeat(dice.size(5_000));
    default:
      return json(mutateValue(dice, valid, () => hostileValue(dice, 2)));
  }
}

function headers(dice: Dice): string[] {
  const lines: string[] = [];
  const wild = (name: string, valid: string): void => {
    if (dice.once(8)) lines.push(`${name}: ${dice.once(2) ? valid : hostileText(dice)}`);
  };
  wild('Range', `bytes=${dice.below(40)}-${dice.below(60)}`);
  wild('If-Range', `"${HASH}"`);
  wild('If-None-Match', `"${HASH}"`);
  wild('Last-Event-ID', String(dice.below(20)));
  wild('Origin', `http://127.0.0.1:${PORT}`);
  wild('Sec-Fetch-Site', 'same-origin');
  wild('Cookie', `cuadro-${PORT}=${TOKEN}`);
  wild('Accept-Encoding', 'gzip');
  wild('X-Forwarded-For', '10.0.0.1');
  return lines;
}

function input(dice: Dice): Uint8Array {
  const { head, body } = request(dice);
  const bytes = encoder.encode(body.toWellFormed());
  const length = bytes.length > 0 || dice.once(4) ? `\r\nContent-Length: ${bytes.length}` : '';
  const whole = joined(encoder.encode(`${head}${length}\r\n\r\n`), bytes);
  return dice.once(6) ? mutateBytes(dice, whole, () => dice.bytes(40)) : whole;
}

/** Whether it is one request and nothing else, so that the answer is all that comes of it. */
function isOneRequest(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, Math.max(0, end)).split('\r\n');
  const lengths = lines.filter((line) => /^content-length\b/i.test(line));
  const [length = 'Content-Length: 0', ...others] = lengths;
  return (
    end > 0 &&
    /^[A-Z]+ [!-~]+ HTTP\/1\.1$/.test(start) &&
    lines.every((line) => /^[\w-]+: [^\r\n\0]*$/.test(line) && !/^transfer-encoding/i.test(line)) &&
    others.length === 0 &&
    length === `Content-Length: ${text.length - end - 4}`
  );
}

/** What the fake node was asked that changes something. */
const READING = new Set(['farm', 'jobs', 'tasks', 'door', 'open', 'log', 'preflight']);

async function open(): Promise<Reader<Uint8Array>> {
  const { node, api } = await startFake();
  const client = new RawClient(api.port);
  const read = async (bytes: Uint8Array): Promise<Verdict> => {
    node.calls.length = 0;
    node.logged.length = 0;
    const text = Buffer.from(bytes).toString('latin1').replaceAll(PORT, String(api.port));
    const isOne = isOneRequest(text);
    const answer = await client.ask(Buffer.from(text, 'latin1'), isOne);
    if (answer === undefined || answer.status === 0) return 'refused';
    const { status, head, body } = answer;
    const error = node.logged.find(({ level }) => level === 'error');
    demand(status !== 500 && error === undefined, `The server failed (${status}): ${JSON.stringify(error)}`);
    if (status < 400) return 'taken';
    const changed = isOne && node.calls.find(({ name }) => !READING.has(name));
    demand(
      changed === undefined || changed === false,
      `A request was refused (${status}), and yet changed something: ${JSON.stringify(changed)}`,
    );
    demand(
      text.includes(TOKEN) || !(head.includes(TOKEN) || body.includes(TOKEN)),
      'An answer shows the token.',
    );
    // What is no HTTP is answered by Node's own server, without a body of ours.
    if (
      /^content-type: *application\/json/im.test(head) &&
      !/^(HEAD|TRACE)/.test(text) &&
      /^x-frame-options/im.test(head)
    ) {
      demand(
        errorBodySchema.safeParse(parsed(body)).success,
        `An error is none of the catalogue: ${body.toString().slice(0, 200)}`,
      );
    }
    return 'refused';
  };
  return {
    read,
    close: async () => {
      client.close();
      await api.stop();
    },
  };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

export const httpDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'http',
    covers: [
      'node/src/api/security.ts checkHost',
      'node/src/api/security.ts checkOrigin',
      'node/src/api/security.ts checkFetchSite',
      'node/src/api/security.ts checkToken',
    ],
    sources: [
      'node/src/api/security.ts',
      'node/src/api/handlers.ts',
      'node/src/api/error-reply.ts',
      'node/src/api/blob-reply.ts',
      'node/src/api/find.ts',
      { file: 'node/src/api/event-streams.ts', functions: ['lastEventId'] },
      { file: 'node/src/api/dashboard.ts', functions: ['wantsPage', 'signIn', 'sendPage'] },
    ],
    input,
    open,
  }),
];
