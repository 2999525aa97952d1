import {
  checkedBy,
  blobsAnswerSchema,
  type BlobsAnswer,
  type BlobsRequest,
  type PeerId,
} from '@cuadro/protocol';
import type { Mesh, MeshStream } from '../../mesh/interface.ts';
import type { Clock } from '../../system/interface.ts';
import { FrameError, FrameReader, FrameWriter, isNonsense, type MemoryFor, StallGuard } from './frames.ts';
import { transferLimits } from './limits.ts';
import type { PieceMemory } from './piece-memory.ts';

interface Line {
  readonly stream: MeshStream;
  readonly guard: StallGuard;
  readonly reader: FrameReader;
  readonly writer: FrameWriter;
  /** Set while nobody uses it. */
  cancelIdle?: () => void;
}

/** Takes one answer; true when it was the last one of the request. */
export type TakeAnswer = (answer: BlobsAnswer, body: Uint8Array) => Promise<boolean>;

/** Streams to other machines for one request at a time each, kept open a while for the next. */
export class Lines {
  readonly #mesh: Pick<Mesh, 'open'>;
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #memoryFor: MemoryFor;
  readonly #idle = new Map<PeerId, Line[]>();
  readonly #open = new Set<Line>();
  #closed = false;
  /** Requests made of others, by kind: each costs a round trip at least. */
  readonly requests: Record<BlobsRequest['kind'], number> = { have: 0, get: 0, pieces: 0, parts: 0, some: 0 };

  constructor(
    components: { mesh: Pick<Mesh, 'open'>; clock: Clock; memory: PieceMemory },
    init: { stallMs: number },
  ) {
    const { memory } = components;
    this.#memoryFor = (head, bytes) => {
      if (!isContent(head)) return undefined;
      // Of a small file too: what waits to be stored would keep all that came with it, and is freed on its own.
      return mayBePiece(head, bytes) ? memory.take(bytes) : Buffer.allocUnsafeSlow(bytes);
    };
    this.#mesh = components.mesh;
    this.#clock = components.clock;
    this.#stallMs = init.stallMs;
  }

  /**
   * Asks, and gives each answer to `take`, one after another.
   * @throws FrameError, MalformedBytesError, MeshError, the signal's reason, and what `take` throws; the stream is then
   * ended.
   */
  async exchange(
    peer: PeerId,
    request: BlobsRequest,
    take: TakeAnswer,
    signal: AbortSignal,
    body?: Uint8Array,
  ): Promise<void> {
    let answered = false;
    const taking: TakeAnswer = (answer, body) => {
      answered = true;
      return take(answer, body);
    };
    for (;;) {
      signal.throwIfAborted();
      const kept = this.#takeIdle(peer);
      try {
        const line = kept ?? (await this.#connect(peer, signal));
        return await this.#exchangeOn(line, { request, body, signal }, taking);
      } catch (error) {
        signal.throwIfAborted();
        // A kept stream may have ended with an earlier connection; that says nothing about the peer now.
        const stalled = error instanceof FrameError && error.code === 'frame-stalled';
        if (kept === undefined || answered || stalled || isNonsense(error)) throw error;
      }
    }
  }

  /** Ends all streams, those in use too. */
  close(): void {
    this.#closed = true;
    for (const line of this.#open) this.#drop(line, new Error('The transfer ends.'));
    this.#idle.clear();
  }

  async #connect(peer: PeerId, signal: AbortSignal): Promise<Line> {
    const stream = await this.#openStream(peer, signal);
    const guard = new StallGuard(this.#clock, stream, this.#stallMs);
    const reader = new FrameReader(stream.chunks, guard.moved, this.#memoryFor);
    const line: Line = { stream, guard, reader, writer: new FrameWriter(stream, guard) };
    this.#open.add(line);
    if (this.#closed) this.#drop(line, new Error('The transfer ends.'));
    return line;
  }

  /** A peer that fell silent doesn't answer to a new stream either. */
  async #openStream(peer: PeerId, signal: AbortSignal): Promise<MeshStream> {
    const stalled = new AbortController();
    const cancel = this.#clock.after(this.#stallMs, () =>
      stalled.abort(new FrameError('The machine does not answer.', 'frame-stalled')),
    );
    try {
      return await this.#mesh.open(peer, 'blobs', { signal: AbortSignal.any([signal, stalled.signal]) });
    } finally {
      cancel();
    }
  }

  async #exchangeOn(
    line: Line,
    { request, body, signal }: { request: BlobsRequest; body: Uint8Array | undefined; signal: AbortSignal },
    take: TakeAnswer,
  ): Promise<void> {
    const onAbort = (): void => line.stream.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      this.requests[request.kind] += 1;
      await line.writer.write(request, body);
      await line.writer.flush();
      for (let last = false; !last; ) {
        const frame = await line.guard.watch(() => line.reader.next());
        if (frame === undefined) throw new FrameError('The stream ended before the answer.', 'frame-cut');
        const answer = checkedBy(blobsAnswerSchema, frame.head);
        if (!answer.success) throw new FrameError('That is no answer about stored files.');
        last = await take(answer.data, frame.body);
      }
    } catch (error) {
      this.#drop(line, error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    this.#keep(line);
  }

  #takeIdle(peer: PeerId): Line | undefined {
    const line = this.#idle.get(peer)?.pop();
    line?.cancelIdle?.();
    delete line?.cancelIdle;
    return line;
  }

  #keep(line: Line): void {
    // One that was closed meanwhile must not come back.
    if (!this.#open.has(line)) return;
    const { peer } = line.stream;
    const idle = this.#idle.get(peer) ?? [];
    this.#idle.set(peer, idle);
    idle.push(line);
    line.cancelIdle = this.#clock.after(transferLimits.idleLineMs, () => {
      idle.splice(idle.indexOf(line), 1);
      if (idle.length === 0 && this.#idle.get(peer) === idle) this.#idle.delete(peer);
      this.#open.delete(line);
      line.stream.end().catch(() => undefined);
    });
  }

  #drop(line: Line, reason: unknown): void {
    line.cancelIdle?.();
    this.#open.delete(line);
    line.stream.abort(reason);
  }
}

interface Content {
  readonly kind: 'file' | 'piece' | 'unit';
}

function isContent(head: unknown): head is Content {
  if (typeof head !== 'object' || head === null || !('kind' in head)) return false;
  return head.kind === 'file' || head.kind === 'piece' || head.kind === 'unit';
}

function mayBePiece({ kind }: Content, bodyBytes: number): boolean {
  return kind !== 'file' && bodyBytes >= transferLimits.sharedBytesMin;
}
