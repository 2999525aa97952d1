import type { PeerId } from '@cuadro/protocol';
import type { SignalOption } from '../system/interface.ts';
import { MeshError } from './errors.ts';
import type { MeshStream } from './interface.ts';
import { SLICE_BYTES, STREAM_BUFFER_BYTES } from './limits.ts';

/** Puts an action on the way to the other side, in order, as the link between the two allows. */
type Post = (action: () => void) => void;

/** One end of a stream of the memory twin. */
export class MemoryStream implements MeshStream {
  readonly peer: PeerId;
  readonly #post: Post;
  #other: MemoryStream = this;
  /** Written here and not yet known as read on the other side. */
  #unreadBytes = 0;
  /** Read here, which the other side is yet to be told. */
  #untoldBytes = 0;
  #ended = false;
  #failure: MeshError | undefined;
  readonly #incoming: Uint8Array[] = [];
  #incomingEnded = false;
  #left = false;
  readonly #closeListeners: (() => void)[] = [];
  /** Wakes whoever waits for room, for a chunk, or for the end. */
  readonly #waiting = new Set<() => void>();
  readonly chunks: AsyncIterable<Uint8Array>;

  private constructor(peer: PeerId, post: Post) {
    this.peer = peer;
    this.#post = post;
    this.chunks = this.#read();
  }

  static pair(
    a: { peer: PeerId; post: Post },
    b: { peer: PeerId; post: Post },
  ): readonly [MemoryStream, MemoryStream] {
    // Each end is named after the peer that it leads to.
    const ends = [new MemoryStream(b.peer, a.post), new MemoryStream(a.peer, b.post)] as const;
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
  }

  async write(chunk: Uint8Array, options: SignalOption = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#alive();
    if (this.#ended) throw new MeshError('stream-cut', 'The stream was ended by this side.');
    // Cut and copied, as on a real stream: readers must not count on borders, and writers may use their chunk again.
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      const slice = Uint8Array.from(chunk.subarray(at, at + SLICE_BYTES));
      const other = this.#other;
      this.#unreadBytes += slice.length;
      this.#post(() => other.#receive(slice));
      while (this.#unreadBytes > STREAM_BUFFER_BYTES) {
        await this.#wake(options.signal);
        this.#alive();
      }
    }
  }

  async end(): Promise<void> {
    this.#alive();
    if (this.#ended) return;
    this.#ended = true;
    const other = this.#other;
    this.#post(() => other.#receiveEnd());
    if (this.#incomingEnded) this.#closed();
  }

  abort(reason?: unknown): void {
    if (this.#failure !== undefined || (this.#ended && this.#incomingEnded)) return;
    const other = this.#other;
    this.fail(new MeshError('stream-cut', 'The stream was aborted by this side.', { cause: reason }));
    this.#post(() => other.fail(new MeshError('stream-cut', 'The stream was aborted by its peer.')));
  }

  /** The connection or the other side is gone. */
  fail(failure: MeshError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#incoming.length = 0;
    this.#closed();
    this.#wakeAll();
  }

  /** Called when the stream failed, or ended both ways. */
  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  #closed(): void {
    for (const listener of this.#closeListeners.splice(0)) listener();
  }

  /** Reads what still comes and drops it, so that the other side never waits for a reader who left. */
  discard(): void {
    this.#left = true;
    for (const chunk of this.#incoming.splice(0)) this.#consumed(chunk);
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = this.#incoming.shift();
      if (chunk !== undefined) {
        this.#consumed(chunk);
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
    if (this.#left) this.#consumed(chunk);
    else this.#incoming.push(chunk);
    this.#wakeAll();
  }

  #receiveEnd(): void {
    this.#incomingEnded = true;
    if (this.#ended) this.#closed();
    this.#wakeAll();
  }

  /** Told by halves of what may lie unread, as windows of real streams are: a writer that waits is over a whole. */
  #consumed(chunk: Uint8Array): void {
    this.#untoldBytes += chunk.length;
    if (2 * this.#untoldBytes < STREAM_BUFFER_BYTES) return;
    const other = this.#other;
    const readBytes = this.#untoldBytes;
    this.#untoldBytes = 0;
    this.#post(() => {
      other.#unreadBytes -= readBytes;
      other.#wakeAll();
    });
  }

  #alive(): void {
    if (this.#failure !== undefined) throw this.#failure;
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
