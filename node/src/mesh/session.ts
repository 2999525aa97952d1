import type { Connection, Stream } from '@libp2p/interface';
import type { PeerId } from '@cuadro/protocol';
import { Allowance, MARK_BYTES, RETURNED_BYTES } from './allowance.ts';
import { endConnection } from './end-connection.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder, FrameError } from './frames.ts';
import type { Tally } from './tally.ts';
import { MESSAGE_BYTES_MAX, SEND_QUEUE_BYTES_MAX } from './limits.ts';

export interface SessionListener {
  frame(frame: Frame): void;
  /** The stream is gone, and with it the connection. Called once. */
  closed(reason: string): void;
}

/**
 * The kept-open stream to one member: frames both ways, in order. It lives and dies with its connection. Beats say
 * that both live: a cut network says nothing by itself, and TCP waits for minutes.
 */
export class Session {
  readonly peer: PeerId;
  readonly connection: Connection;
  readonly #stream: Stream;
  readonly #tally: Tally;
  readonly #decoder = new FrameDecoder(MESSAGE_BYTES_MAX);
  #listener: SessionListener | undefined;
  #closed = false;
  /** Frames of this turn of the event loop, which go out as one. */
  #outgoing: Uint8Array[] = [];
  /** When something was last sent and heard; set by the owner's clock through `tick` and `now`. */
  #heardAtMs: number;
  #sentAtMs: number;
  readonly #now: () => number;
  #allowance: Allowance | undefined;
  /** Whether its peer said that it returns marks. */
  returnsMarks = false;

  constructor(init: { connection: Connection; stream: Stream; tally: Tally; now: () => number }) {
    this.#tally = init.tally;
    this.connection = init.connection;
    this.peer = init.connection.remotePeer.toString();
    this.#stream = init.stream;
    this.#now = init.now;
    this.#heardAtMs = init.now();
    this.#sentAtMs = this.#heardAtMs;
  }

  /** Says who listens from now on. Reading begins with the first; what has come before waits in the stream. */
  listen(listener: SessionListener): void {
    const isFirst = this.#listener === undefined;
    this.#listener = listener;
    if (!isFirst) return;
    this.#stream.addEventListener('message', (event) => {
      for (const chunk of event.data instanceof Uint8Array ? [event.data] : event.data) this.#read(chunk);
    });
    this.#stream.addEventListener('remoteCloseWrite', () => this.close('The peer ended the stream.'));
    this.#stream.addEventListener('close', () => this.close('The stream was cut.'));
    this.connection.addEventListener('close', () => this.close('The connection ended.'));
    if (this.connection.status !== 'open') this.close('The connection ended.');
  }

  send(kind: number, content: Uint8Array): void {
    if (this.#closed) return;
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(encodeFrame(kind, content));
  }

  /** How much bulk may be out beside this stream; undefined where the peer can't tell what has arrived. */
  get allowance(): Allowance | undefined {
    if (!this.returnsMarks) return undefined;
    this.#allowance ??= new Allowance({
      now: this.#now,
      mark: (number) => {
        const content = Buffer.alloc(MARK_BYTES);
        content.writeUInt32BE(number);
        this.send(FRAME.mark, content);
      },
    });
    return this.#allowance;
  }

  /** Returns the other side's mark, or takes an own one back; false for what is neither. */
  takesMark({ kind, content }: Frame): boolean {
    if (kind === FRAME.returned && content.length === RETURNED_BYTES) {
      const bytes = Buffer.from(content);
      return this.#allowance?.returned(bytes.readUInt32BE(0), bytes.readDoubleBE(MARK_BYTES)) === true;
    }
    if (kind !== FRAME.mark || content.length !== MARK_BYTES) return false;
    const returned = Buffer.alloc(RETURNED_BYTES);
    returned.set(content);
    returned.writeDoubleBE(this.#now(), MARK_BYTES);
    this.send(FRAME.returned, returned);
    return true;
  }

  /** Keeps the peer from taking us for dead, and tells whether it lives. */
  tick(limits: { beatMs: number; silenceMs: number }): void {
    const nowMs = this.#now();
    if (nowMs - this.#heardAtMs > limits.silenceMs) return this.close('The peer fell silent.');
    if (nowMs - this.#sentAtMs >= limits.beatMs) this.send(FRAME.beat, new Uint8Array(0));
  }

  /** This node stood still for so long, so it could hear nobody. */
  forgive(gapMs: number): void {
    this.#heardAtMs = Math.min(this.#heardAtMs + gapMs, this.#now());
  }

  /** Sends what is queued and then cuts; for a refusal, which is the last frame. */
  closeSoon(reason: string): void {
    this.#flush();
    void this.#stream.close().then(
      () => this.close(reason),
      () => this.close(reason),
    );
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing = [];
    endConnection(this.connection, reason);
    this.#listener?.closed(reason);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  #flush(): void {
    const frames = this.#outgoing;
    this.#outgoing = [];
    const [first] = frames;
    if (this.#closed || first === undefined) return;
    this.#sentAtMs = this.#now();
    try {
      this.#stream.send(frames.length === 1 ? first : Buffer.concat(frames));
    } catch {
      return this.close('The stream was cut.');
    }
    // The messages are in order and without gaps while the session lasts; whoever reads too slowly loses all of it.
    if (this.#stream.writeBufferLength > SEND_QUEUE_BYTES_MAX) this.close('The peer does not read.');
  }

  #read(chunk: Uint8Array): void {
    // What came together with a frame that ended the session would be counted as nonsense once more.
    if (this.#closed) return;
    this.#heardAtMs = this.#now();
    try {
      for (const frame of this.#decoder.decode(chunk)) {
        if (this.#closed) return;
        this.#listener?.frame(frame);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#tally.refuse('frame-invalid', this.peer);
      this.close('The peer sent a frame beyond its bound.');
    }
  }
}
