import type { Stream } from '@libp2p/interface';
import type { PeerId } from '@cuadro/protocol';
import type { SignalOption } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';
import type { Allowance } from './allowance.ts';
import { MeshError } from './errors.ts';
import type { MeshStream } from './interface.ts';
import { BYTES_PER_TURN, SLICE_BYTES, STREAM_BUFFER_BYTES } from './limits.ts';

/**
 * A stream of libp2p with the back-pressure that the library's own iteration lacks: what is written waits until it
 * has left for the connection, and what comes is not taken in while nobody reads.
 */
export class BulkStream implements MeshStream {
  readonly peer: PeerId;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly #stream: Stream;
  readonly #now: () => number;
  readonly #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  #resuming = false;
  #finSeen = false;
  #incomingEnded = false;
  #discards = false;
  #failure: MeshError | undefined;
  readonly #waiting = new Set<() => void>();
  #movedAtMs: number;
  #bytesThisTurn = 0;
  #writing: Promise<void> = Promise.resolve();
  readonly #allowance: Pick<Allowance, 'take' | 'sent'> | undefined;
  /** Sent and granted, and not yet on its way: the peer's side of the stream is full. */
  #heldBytes = 0;
  #waitsForTurn = false;
  readonly #over = new AbortController();

  constructor(init: {
    readonly stream: Stream;
    readonly peer: PeerId;
    readonly now: () => number;
    readonly closed: () => void;
    /** Where others go by the same connection that must not wait. */
    readonly allowance?: Pick<Allowance, 'take' | 'sent'> | undefined;
  }) {
    this.peer = init.peer;
    this.#allowance = init.allowance;
    this.#stream = init.stream;
    this.#now = init.now;
    this.#movedAtMs = init.now();
    this.chunks = this.#read();
    const { stream } = init;
    // A peer that has little to say may have ended before anybody here listens.
    this.#finSeen = stream.status === 'open' && stream.remoteWriteStatus === 'closed';
    if (this.#finSeen && stream.readableEnded) this.#onEnd();
    stream.addEventListener('message', (event) => {
      for (const chunk of event.data instanceof Uint8Array ? [event.data] : event.data) this.#receive(chunk);
    });
    stream.addEventListener('drain', () => this.#moved());
    // What a drain lets go leaves only afterwards: who was woken before by what came, and waits again, hears of it here.
    stream.addEventListener('idle', () => this.#moved());
    // Only the peer's own word ends the stream well: a connection that closes also ends its streams without an error.
    stream.addEventListener('remoteCloseWrite', () => {
      this.#finSeen = true;
    });
    stream.addEventListener('end', () => this.#onEnd());
    stream.addEventListener('close', (event) => {
      if (event.error !== undefined || !this.#finSeen) this.#fail(cut('The connection or the peer cut it.'));
      init.closed();
      this.#wakeAll();
    });
    if (stream.status !== 'open') this.#fail(cut('It was closed at once.'));
  }

  write(chunk: Uint8Array, options: SignalOption = {}): Promise<void> {
    // One after the other, whoever calls, so that the slices of two chunks never mix.
    const written = this.#writing.then(() => this.#write(chunk, options));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #write(chunk: Uint8Array, options: SignalOption): Promise<void> {
    let slice: Uint8Array;
    for (let at = 0; at < chunk.length; at += slice.length) {
      await this.#room(options);
      const grantedBytes = this.#allowance === undefined ? undefined : await this.#turn(options);
      slice = chunk.subarray(at, at + (grantedBytes ?? SLICE_BYTES));
      try {
        this.#stream.send(slice);
      } catch (error) {
        throw this.#fail(cut('It takes no more.', error));
      } finally {
        if (grantedBytes !== undefined) this.#told(slice.length, grantedBytes);
      }
      this.#movedAtMs = this.#now();
      this.#bytesThisTurn += slice.length;
      if (this.#bytesThisTurn >= BYTES_PER_TURN) {
        this.#bytesThisTurn = 0;
        await nextTurn();
      }
    }
    // Until all has been encrypted: from then on the chunk's memory is the caller's again.
    await this.#room(options);
  }

  async end(): Promise<void> {
    await this.#writing;
    this.#alive();
    try {
      await this.#stream.close();
    } catch (error) {
      throw this.#fail(cut('It could not be ended.', error));
    }
  }

  abort(reason?: unknown): void {
    this.#fail(cut('It was aborted by this side.', reason));
  }

  /** Lets what still comes go, until the peer has ended; it never waits for a reader who left. */
  discard(): void {
    this.#discards = true;
    this.#incoming.length = 0;
    this.#incomingBytes = 0;
    this.#resume();
  }

  /** Gives the stream up where somebody waits on it and nothing moves; `gapMs` is how long this node stood still. */
  tick(stallMs: number, gapMs: number): void {
    this.#movedAtMs = Math.min(this.#movedAtMs + gapMs, this.#now());
    const waits =
      this.#waiting.size > 0 ||
      this.#waitsForTurn ||
      this.#discards ||
      this.#stream.writeStatus === 'closing';
    if (!waits || this.#now() - this.#movedAtMs <= stallMs) return;
    this.#fail(new MeshError('stream-stalled', `Nothing moved for ${Math.round(stallMs / 1000)} s.`));
  }

  /** Nothing may be queued before this stream, so that several streams share the connection piece by piece. */
  async #room(options: SignalOption): Promise<void> {
    options.signal?.throwIfAborted();
    this.#alive();
    while (this.#stream.writableNeedsDrain || this.#stream.writeBufferLength > 0) {
      await this.#wake(options.signal);
      this.#alive();
    }
    if (this.#heldBytes > 0) this.#told(0);
  }

  /** Waits until something may be sent beside what must not wait, and gives how much. */
  async #turn({ signal }: SignalOption): Promise<number> {
    const allowance = this.#allowance as Pick<Allowance, 'take' | 'sent'>;
    const over = this.#over.signal;
    this.#waitsForTurn = true;
    this.#movedAtMs = this.#now();
    const bytes = await allowance
      .take({ signal: signal === undefined ? over : AbortSignal.any([signal, over]) })
      .finally(() => (this.#waitsForTurn = false));
    if (this.#failure !== undefined) {
      allowance.sent(0, bytes);
      throw this.#failure;
    }
    return bytes;
  }

  /** Tells what has left for the connection; the rest follows when it has. */
  #told(bytes: number, grantedBytes = 0): void {
    const before = this.#heldBytes + bytes;
    this.#heldBytes = Math.min(before, this.#stream.writeBufferLength);
    this.#allowance?.sent(before - this.#heldBytes, grantedBytes);
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = this.#incoming.shift();
      if (chunk !== undefined) {
        this.#incomingBytes -= chunk.length;
        if (this.#incomingBytes <= STREAM_BUFFER_BYTES / 4) this.#resume();
        yield chunk;
        continue;
      }
      this.#alive();
      if (this.#incomingEnded) return;
      await this.#wake();
    }
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    if (this.#discards) return this.#moved();
    this.#incoming.push(chunk);
    this.#incomingBytes += chunk.length;
    if (!this.#resuming) this.#pauseIfFull();
    this.#moved();
  }

  #pauseIfFull(): void {
    if (this.#incomingBytes >= STREAM_BUFFER_BYTES && this.#stream.readStatus === 'readable')
      this.#stream.pause();
  }

  /**
   * What waits comes while the stream resumes, and a pause in the midst of that is forgotten by yamux, which then takes
   * in what the peer has until the stream is aborted for it: so the pause follows.
   */
  #resume(): void {
    if (this.#stream.readStatus !== 'paused' || this.#resuming) return;
    this.#resuming = true;
    try {
      this.#stream.resume();
      this.#resuming = false;
      this.#pauseIfFull();
    } catch {
      // The connection is gone, and the stream's end has been told or will be.
    } finally {
      this.#resuming = false;
    }
  }

  #onEnd(): void {
    if (this.#stream.status === 'aborted' || this.#stream.status === 'reset' || !this.#finSeen) return;
    this.#incomingEnded = true;
    this.#moved();
  }

  #fail(failure: MeshError): MeshError {
    if (this.#failure !== undefined) return this.#failure;
    const isOver = this.#incomingEnded && this.#stream.writeStatus === 'closed';
    if (isOver) return failure;
    this.#failure = failure;
    this.#incoming.length = 0;
    this.#stream.abort(failure);
    this.#over.abort(failure);
    this.#wakeAll();
    return failure;
  }

  #alive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #moved(): void {
    this.#movedAtMs = this.#now();
    this.#wakeAll();
  }

  #wake(signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#waiting.delete(wake);
      reject(signal?.reason);
    };
    const wake = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    // Waiting begins now; what moved before is no evidence of a stall.
    if (this.#waiting.size === 0) this.#movedAtMs = this.#now();
    this.#waiting.add(wake);
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

const cut = (why: string, cause?: unknown): MeshError =>
  new MeshError('stream-cut', `The stream was cut: ${why}`, cause === undefined ? {} : { cause });
