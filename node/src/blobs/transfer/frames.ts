import {
  decode,
  encode,
  FRAME_BODY_BYTES_MAX,
  FRAME_HEAD_BYTES_MAX,
  MalformedBytesError,
} from '@cuadro/protocol';
import type { MeshStream } from '../../mesh/interface.ts';
import type { Clock } from '../../system/interface.ts';
import { transferLimits } from './limits.ts';

/** A message between machines (SPEC R55). */
export interface Frame {
  /** Decoded, not checked. */
  readonly head: unknown;
  readonly body: Uint8Array;
}

/**
 * The stream is of no use any more. `frame-malformed`: what the peer sent is no frame, or none that may stand here.
 * `frame-cut`: the stream ended too early. `frame-stalled`: nothing came or went for too long.
 */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code: 'frame-malformed' | 'frame-cut' | 'frame-stalled';

  constructor(message: string, code: FrameError['code'] = 'frame-malformed', options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether an error says that the peer spoke nonsense, and not only that the way to it failed. */
export function isNonsense(error: unknown): boolean {
  return (
    error instanceof MalformedBytesError || (error instanceof FrameError && error.code === 'frame-malformed')
  );
}

/** Ends a stream on which nothing moves while somebody waits for it to. */
export class StallGuard {
  readonly #clock: Clock;
  readonly #stream: MeshStream;
  readonly #stallMs: number;
  #cancel: (() => void) | undefined;
  #stalled = false;

  constructor(clock: Clock, stream: MeshStream, stallMs: number) {
    this.#clock = clock;
    this.#stream = stream;
    this.#stallMs = stallMs;
  }

  /** Something moved. */
  readonly moved = (): void => {
    if (this.#cancel !== undefined) this.#arm();
  };

  /** Waits with the guard set; a failure that it caused is told as `frame-stalled`. */
  async watch<T>(waiting: () => Promise<T>): Promise<T> {
    this.#arm();
    try {
      return await waiting();
    } catch (error) {
      if (!this.#stalled) throw error;
      throw new FrameError('Nothing moved on the stream for too long.', 'frame-stalled', { cause: error });
    } finally {
      this.#cancel?.();
      this.#cancel = undefined;
    }
  }

  #arm(): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(this.#stallMs, () => {
      this.#stalled = true;
      this.#stream.abort(new Error('Nothing moved for too long.'));
    });
  }
}

const PREFIX_BYTES = 8;

/** Gives memory of its own back at once: the collector would let tens of megabytes of it come together. */
export function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Memory of exactly so many bytes for the body that follows a head, which is not checked yet. */
export type MemoryFor = (head: unknown, bodyBytes: number) => Uint8Array | undefined;

/** Reads frames from a stream's chunks, whatever their borders. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #onBytes: ((bytes: number) => void) | undefined;
  readonly #memoryFor: MemoryFor | undefined;
  #rest: Uint8Array = new Uint8Array();

  /**
   * `onBytes` is called for all that comes in, so that a slow sender can be told from a silent one; `memoryFor` may give
   * the memory that a body is to come into.
   */
  constructor(chunks: AsyncIterable<Uint8Array>, onBytes?: (bytes: number) => void, memoryFor?: MemoryFor) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#onBytes = onBytes;
    this.#memoryFor = memoryFor;
  }

  /**
   * The next frame; undefined where the stream ended between two.
   * @throws FrameError, MalformedBytesError (SPEC R4), and whatever the stream throws.
   */
  async next(): Promise<Frame | undefined> {
    const prefix = await this.#take(PREFIX_BYTES, { mayEnd: true });
    if (prefix === undefined) return undefined;
    const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
    const headBytes = view.getUint32(0);
    const bodyBytes = view.getUint32(4);
    if (headBytes > FRAME_HEAD_BYTES_MAX || bodyBytes > FRAME_BODY_BYTES_MAX)
      throw new FrameError(`A frame of ${headBytes} and ${bodyBytes} bytes is beyond the bounds.`);
    const head = decode((await this.#take(headBytes)) as Uint8Array, FRAME_HEAD_BYTES_MAX);
    const memory = this.#memoryFor?.(head, bodyBytes);
    return { head, body: (await this.#take(bodyBytes, { memory })) as Uint8Array };
  }

  /** Exactly so many bytes; undefined where the stream ended before the first and that is allowed. */
  async #take(
    count: number,
    { mayEnd = false, memory }: { mayEnd?: boolean; memory?: Uint8Array | undefined } = {},
  ): Promise<Uint8Array | undefined> {
    if (this.#rest.length >= count && memory === undefined) return this.#cut(count);
    // Not zeroed first: every byte is written below, or none of it is given out.
    const bytes = memory ?? Buffer.allocUnsafeSlow(count);
    let filled = 0;
    while (filled < count) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done === true) {
          if (mayEnd && filled === 0) return undefined;
          throw new FrameError('The stream ended within a frame.', 'frame-cut');
        }
        this.#onBytes?.(value.length);
        this.#rest = value;
      }
      const part = this.#cut(Math.min(this.#rest.length, count - filled));
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  #cut(count: number): Uint8Array {
    const part = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return part;
  }
}

/** Writes frames; small ones are sent together, so `flush` must follow the last. One writer at a time. */
export class FrameWriter {
  readonly #stream: MeshStream;
  readonly #guard: StallGuard;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(stream: MeshStream, guard: StallGuard) {
    this.#stream = stream;
    this.#guard = guard;
  }

  async write(head: unknown, body: Uint8Array = new Uint8Array()): Promise<void> {
    const headBytes = encode(head);
    const prefix = new Uint8Array(PREFIX_BYTES);
    const view = new DataView(prefix.buffer);
    view.setUint32(0, headBytes.length);
    view.setUint32(4, body.length);
    this.#waiting.push(prefix, headBytes);
    this.#waitingBytes += PREFIX_BYTES + headBytes.length;
    if (body.length < transferLimits.joinBytes) {
      this.#waiting.push(body);
      this.#waitingBytes += body.length;
      if (this.#waitingBytes >= transferLimits.joinBytes) await this.flush();
      return;
    }
    await this.flush();
    for (let at = 0; at < body.length; at += transferLimits.chunkBytes) {
      const chunk = body.subarray(at, at + transferLimits.chunkBytes);
      await this.#guard.watch(() => this.#stream.write(chunk));
    }
  }

  async flush(): Promise<void> {
    if (this.#waitingBytes === 0) return;
    const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#guard.watch(() => this.#stream.write(bytes));
  }
}
