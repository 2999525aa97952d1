import { checkedBy, holdAnswerSchema, type HoldItem, type HoldOutcome, type PeerId } from '@cuadro/protocol';
import { FrameError, FrameReader, FrameWriter, StallGuard } from '../blobs/transfer/frames.ts';
import type { Mesh, MeshStream } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';
import { copyLimits } from './copy-limits.ts';

export interface CopyLineInit {
  readonly stallMs: number;
  readonly onOutcomes: (outcomes: readonly HoldOutcome[]) => void;
  /** The line is of no use any more: what it still owes an answer to. */
  readonly onEnd: (owed: readonly HoldItem[], error: unknown) => void;
}

/** A stream on which another machine is asked to hold things; it ends once, and is then replaced. */
export class CopyLine {
  readonly peer: PeerId;
  readonly #mesh: Pick<Mesh, 'open'>;
  readonly #clock: Clock;
  readonly #init: CopyLineInit;
  readonly #owed = new Map<number, HoldItem>();
  readonly #end = new AbortController();
  #queue: HoldItem[] = [];
  #stream: MeshStream | undefined;
  #writing = false;
  #cancelTimer: (() => void) | undefined;
  #ended = false;

  constructor(components: { mesh: Pick<Mesh, 'open'>; clock: Clock }, peer: PeerId, init: CopyLineInit) {
    this.#mesh = components.mesh;
    this.#clock = components.clock;
    this.peer = peer;
    this.#init = init;
  }

  /** Things that it owes an answer to. */
  get outstanding(): number {
    return this.#owed.size;
  }

  ask(item: HoldItem): void {
    this.#owed.set(item.id, item);
    this.#queue.push(item);
    this.#watch();
    this.#writeAll();
  }

  #writeAll(): void {
    if (this.#writing) return;
    this.#writing = true;
    void this.#write()
      .catch((error: unknown) => this.close(error))
      .finally(() => {
        this.#writing = false;
        // It was asked after the last look: nobody else would come for it.
        if (this.#queue.length > 0 && !this.#ended) this.#writeAll();
      });
  }

  close(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#end.abort(error);
    this.#stream?.abort(error);
    this.#init.onEnd([...this.#owed.values()], error);
  }

  async #write(): Promise<void> {
    // What is asked in one moment goes in one message.
    await Promise.resolve();
    const stream = this.#stream ?? (await this.#open());
    const writer = new FrameWriter(stream, new StallGuard(this.#clock, stream, this.#init.stallMs));
    while (this.#queue.length > 0) {
      const items = this.#nextMessage();
      await writer.write({ kind: 'hold', items });
      await writer.flush();
    }
  }

  #nextMessage(): HoldItem[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#queue) {
      bytes += sizeOf(item);
      if (count > 0 && (bytes > copyLimits.messageBytes || count >= 1_024)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #open(): Promise<MeshStream> {
    const stream = await this.#mesh.open(this.peer, 'hold', { signal: this.#end.signal });
    this.#stream = stream;
    if (this.#ended) stream.abort(new Error('The line was closed.'));
    this.#read(stream).catch((error: unknown) => this.close(error));
    return stream;
  }

  async #read(stream: MeshStream): Promise<void> {
    const reader = new FrameReader(stream.chunks);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      const answer = checkedBy(holdAnswerSchema, frame.head);
      if (!answer.success) throw new FrameError('That is no answer about holding something.');
      if (answer.data.kind === 'outcomes') {
        // One that nobody asked for says nothing.
        const outcomes = answer.data.outcomes.filter(({ id }) => this.#owed.delete(id));
        this.#init.onOutcomes(outcomes);
      }
      this.#watch();
    }
    throw new FrameError('The machine ended the stream.', 'frame-cut');
  }

  /** While something is owed, silence ends the line; with nothing to say, time does. */
  #watch(): void {
    if (this.#ended) return;
    this.#cancelTimer?.();
    const owes = this.#owed.size > 0;
    const afterMs = owes ? this.#init.stallMs : copyLimits.idleMs;
    this.#cancelTimer = this.#clock.after(afterMs, () =>
      this.close(new FrameError(owes ? 'The machine does not answer.' : 'Nothing to say.', 'frame-stalled')),
    );
  }
}

function sizeOf(item: HoldItem): number {
  switch (item.kind) {
    case 'result':
    case 'job':
    case 'failure':
      return item.record.length;
    case 'records':
      return item.records.reduce((sum, bytes) => sum + bytes.length, 0);
  }
}
