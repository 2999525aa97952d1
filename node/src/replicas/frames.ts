import { decode, encode, MalformedBytesError, SYNC_FRAME_BYTES_MAX } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { SyncEndedError, SyncFault } from './errors.ts';
import { FRAME_STALL_MS } from './limits.ts';

/** What framing needs of a stream. */
export interface ByteStream {
  write(chunk: Uint8Array): Promise<void>;
  readonly chunks: AsyncIterable<Uint8Array>;
  abort(reason?: unknown): void;
}

const HEAD_BYTES = 4;

/**
 * Messages on a stream: a length of four bytes, big-endian, and as many bytes of canonical CBOR (SPEC R48). Aborts
 * the stream where nothing whole comes or goes for `FRAME_STALL_MS`.
 */
export class FrameStream {
  readonly bytes = { sent: 0, received: 0 };
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #parts: Uint8Array[] = [];
  #buffered = 0;

  constructor(components: { clock: Clock; stream: ByteStream }) {
    this.#clock = components.clock;
    this.#stream = components.stream;
    this.#iterator = components.stream.chunks[Symbol.asyncIterator]();
  }

  async write(message: object): Promise<void> {
    const body = encode(message);
    const frame = new Uint8Array(HEAD_BYTES + body.length);
    new DataView(frame.buffer).setUint32(0, body.length);
    frame.set(body, HEAD_BYTES);
    this.bytes.sent += frame.length;
    await this.#inTime(() => this.#stream.write(frame));
  }

  /**
   * The next message as it was decoded; undefined where the other side ended the stream between two.
   * @throws SyncFault for a frame that is too large or no CBOR; whatever the stream throws where it was cut.
   */
  read(): Promise<unknown> {
    return this.#inTime(() => this.#read());
  }

  async #read(): Promise<unknown> {
    const head = await this.#take(HEAD_BYTES);
    if (head === undefined) return undefined;
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
    if (length > SYNC_FRAME_BYTES_MAX) throw new SyncFault('frame-too-large');
    const body = await this.#take(length);
    if (body === undefined) throw new SyncFault('malformed-frame');
    this.bytes.received += HEAD_BYTES + length;
    try {
      return decode(body, SYNC_FRAME_BYTES_MAX);
    } catch (cause) {
      if (cause instanceof MalformedBytesError) throw new SyncFault('malformed-frame', { cause });
      throw cause;
    }
  }

  /** Exactly so many bytes; undefined where the stream ended before the first of them. */
  async #take(count: number): Promise<Uint8Array | undefined> {
    while (this.#buffered < count) {
      const next = await this.#iterator.next();
      if (next.done === true) {
        if (this.#buffered === 0) return undefined;
        throw new SyncFault('malformed-frame');
      }
      this.#parts.push(next.value);
      this.#buffered += next.value.length;
    }
    const taken = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const part = this.#parts[0] as Uint8Array;
      const piece = part.subarray(0, count - at);
      taken.set(piece, at);
      at += piece.length;
      if (piece.length === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(piece.length);
    }
    this.#buffered -= count;
    return taken;
  }

  async #inTime<T>(act: () => Promise<T>): Promise<T> {
    let stalled = false;
    const cancel = this.#clock.after(FRAME_STALL_MS, () => {
      stalled = true;
      this.#stream.abort(new SyncEndedError('exchange-stalled'));
    });
    try {
      return await act();
    } catch (error) {
      throw stalled ? new SyncEndedError('exchange-stalled') : error;
    } finally {
      cancel();
    }
  }
}
