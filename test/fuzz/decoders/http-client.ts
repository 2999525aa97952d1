import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

/** How long an answer may take: the server's own bound for a request that does not arrive whole is 30 s. */
const ANSWER_MS_MAX = 20_000;
const HEAD = Buffer.from('HEAD ');

/**
 * Puts bytes on a connection as they are, which no well-behaved client can be made to do. The connection is kept while
 * the server keeps it, and its sending side is only ended where the bytes are no whole request.
 */
export class RawClient {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** The answer to these bytes; undefined where the server closed the connection without one. */
  async ask(request: Uint8Array, isWhole: boolean): Promise<Answer | undefined> {
    const socket = this.#socket ?? (await this.#connect());
    const { promise, resolve, reject } = Promise.withResolvers<Answer | undefined>();
    let received: Buffer = Buffer.alloc(0);
    // An answer to this one tells the length of a body that does not come.
    const hasBody = !request.subarray(0, 5).every((byte, at) => byte === HEAD[at]);
    const timer = setTimeout(() => reject(new Error('The server does not answer.')), ANSWER_MS_MAX);
    const onData = (data: Buffer): void => {
      received = received.length === 0 ? data : Buffer.concat([received, data]);
      const answer = answerIn(received, { hasBody });
      if (answer !== undefined) resolve(answer);
    };
    const onEnd = (): void => {
      this.#drop();
      resolve(answerIn(received, { hasBody, isAll: true }));
    };
    socket.on('data', onData).once('close', onEnd);
    try {
      socket.write(request);
      if (!isWhole) socket.end();
      const answer = await promise;
      if (!isWhole || answer === undefined || /^connection: *close/im.test(answer.head)) this.#drop();
      return answer;
    } finally {
      clearTimeout(timer);
      socket.off('data', onData).off('close', onEnd);
    }
  }

  close(): void {
    this.#drop();
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    // A cut connection is one of the answers.
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    this.#socket = socket;
    return socket;
  }

  /** Cut, not closed in order: thousands of closed connections would each keep a port for a minute. */
  #drop(): void {
    this.#socket?.resetAndDestroy();
    this.#socket = undefined;
  }
}

/** The first whole answer in these bytes; of a stream of events the head is the whole. */
function answerIn(bytes: Buffer, how: { hasBody: boolean; isAll?: boolean }): Answer | undefined {
  const { hasBody, isAll = false } = how;
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  const rest = bytes.subarray(end + 4);
  if (status === 100) return answerIn(rest, how);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  const isChunked = /^transfer-encoding: *chunked/im.test(head);
  const isStream = /^content-type: *text\/event-stream/im.test(head);
  if (!hasBody || isStream || status === 304 || status === 204)
    return { status, head: `${head}\r\nconnection: close`, body: rest };
  if (length !== undefined) {
    const whole = rest.length >= Number(length);
    return whole || isAll ? { status, head, body: rest.subarray(0, Number(length)) } : undefined;
  }
  if (isChunked && rest.indexOf('0\r\n\r\n') >= 0)
    return { status, head: `${head}\r\nconnection: close`, body: rest };
  return isAll ? { status, head, body: rest } : undefined;
}
