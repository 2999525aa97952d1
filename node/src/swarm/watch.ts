import { checkedBy, encode, type PeerId, type SwarmReport, swarmReportSchema } from '@cuadro/protocol';
import { FrameError, FrameReader, isNonsense } from '../blobs/transfer/frames.ts';
import type { Mesh, MeshStream } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';
import { swarmWatchLimits as limits } from './limits.ts';

export interface WatchComponents {
  readonly mesh: Pick<Mesh, 'self' | 'open' | 'reachable' | 'refuse'>;
  readonly clock: Clock;
  /** What this machine tells, with its bytes, by which a change shows. */
  readonly own: () => { readonly report: SwarmReport; readonly bytes: Uint8Array };
  /** Something has changed, or it is asked whether anybody still looks: once in `tellMs` at most. */
  readonly onChange: () => void;
}

/** Hears what the other machines tell of themselves, for as long as somebody looks (SPEC R183). */
export class Watch {
  readonly #components: WatchComponents;
  readonly reports = new Map<PeerId, SwarmReport>();
  readonly #lines = new Map<PeerId, AbortController>();
  readonly #notBeforeMs = new Map<PeerId, number>();
  readonly #running = new Set<Promise<void>>();
  /** Resolved by the first report of each machine that was asked at first. */
  readonly #first = new Map<PeerId, () => void>();
  #ownBytes: Uint8Array | undefined;
  #wantedUntilMs = Number.NEGATIVE_INFINITY;
  #isAsked = false;
  #isChanged = false;
  #cancelTick: (() => void) | undefined;
  #isStopped = false;

  constructor(components: WatchComponents) {
    this.#components = components;
  }

  get isWatching(): boolean {
    return this.#cancelTick !== undefined;
  }

  /** Somebody looks. Resolves, at the first time, when all have told something or `firstMs` are over. */
  async want(): Promise<void> {
    if (this.#isStopped) return;
    const { clock } = this.#components;
    this.#wantedUntilMs = clock.now() + limits.wantedMs;
    this.#isAsked = false;
    this.#takeOwn();
    if (this.isWatching) return;
    this.#tickLater();
    const asked = this.#open();
    if (asked.length === 0) return;
    const told = asked.map((peer) => new Promise<void>((resolve) => this.#first.set(peer, resolve)));
    const over = Promise.withResolvers<void>();
    const cancel = clock.after(limits.firstMs, over.resolve);
    await Promise.race([Promise.all(told), over.promise]);
    cancel();
    this.#first.clear();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#rest();
    await Promise.all(this.#running);
  }

  #tickLater(): void {
    this.#cancelTick = this.#components.clock.after(limits.tellMs, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#components.clock.now();
    if (nowMs >= this.#wantedUntilMs + limits.answerMs) return this.#rest();
    this.#tickLater();
    this.#open();
    this.#takeOwn();
    if (nowMs >= this.#wantedUntilMs && !this.#isAsked) {
      this.#isAsked = true;
      this.#isChanged = true;
    }
    if (!this.#isChanged) return;
    this.#isChanged = false;
    this.#components.onChange();
  }

  #rest(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    for (const line of this.#lines.values()) line.abort(new Error('Nobody looks any more.'));
    this.#lines.clear();
    this.#notBeforeMs.clear();
    this.reports.clear();
    this.#ownBytes = undefined;
    this.#isChanged = false;
  }

  #takeOwn(): void {
    const { mesh, own } = this.#components;
    const { report, bytes } = own();
    if (this.#ownBytes !== undefined && Buffer.compare(this.#ownBytes, bytes) === 0) return;
    this.#ownBytes = bytes;
    this.#take(mesh.self, report);
  }

  #take(peer: PeerId, report: SwarmReport | undefined): void {
    if (report === undefined) this.reports.delete(peer);
    else this.reports.set(peer, report);
    this.#isChanged = true;
    this.#first.get(peer)?.();
  }

  /** Asks those within reach that are not asked yet; returns them. */
  #open(): PeerId[] {
    const { mesh, clock } = this.#components;
    const opened: PeerId[] = [];
    for (const peer of mesh.reachable()) {
      const isPausing = (this.#notBeforeMs.get(peer) ?? 0) > clock.now();
      if (peer === mesh.self || this.#lines.has(peer) || isPausing) continue;
      const line = new AbortController();
      this.#lines.set(peer, line);
      opened.push(peer);
      const running = this.#listen(peer, line.signal)
        .catch((error: unknown) => {
          if (isNonsense(error)) mesh.refuse('invalid-report', peer);
        })
        .finally(() => {
          this.#running.delete(running);
          // Of one that was replaced by now nothing is left to be put away.
          if (this.#lines.get(peer) !== line) return;
          this.#lines.delete(peer);
          this.#notBeforeMs.set(peer, clock.now() + limits.againMs);
          this.#take(peer, undefined);
        });
      this.#running.add(running);
    }
    return opened;
  }

  async #listen(peer: PeerId, signal: AbortSignal): Promise<void> {
    const { mesh } = this.#components;
    const stream = await mesh.open(peer, 'swarm', { signal });
    const onAbort = (): void => stream.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#read(stream, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.abort(new Error('Nobody listens any more.'));
    }
  }

  async #read(stream: MeshStream, signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    const reader = new FrameReader(stream.chunks);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      const report = checkedBy(swarmReportSchema, frame.head);
      if (!report.success || frame.body.length > 0) throw new FrameError('That is no report.');
      if (signal.aborted) return;
      // What is only told again is no news.
      if (!isSame(this.reports.get(stream.peer), report.data)) this.#take(stream.peer, report.data);
      // One that tells faster than it may waits.
      await clock.sleep(limits.tellMs / 2, { signal });
    }
  }
}

const isSame = (a: SwarmReport | undefined, b: SwarmReport): boolean =>
  a !== undefined && Buffer.compare(encode(a), encode(b)) === 0;
