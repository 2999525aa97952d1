import type { PeerId } from '@cuadro/protocol';
import { swarmLimits } from './limits.ts';

/** Nobody waits any more for what is coming in: the stream is cut, and nobody is to blame. */
export class Abandoned extends Error {}

/** One request under way, for pieces of a file or for files. */
export interface OpenRequest<T> {
  readonly peer: PeerId;
  /** What is still to come of it and of use: neither answered yet nor here by way of somebody else. */
  readonly left: Set<T>;
  /** When it was sent, or brought something last. */
  movedAtMs: number;
  /** Aborted as soon as nothing that is still to come is of use. */
  readonly signal: AbortSignal;
}

/**
 * The requests under way for things of one kind. What is late in one of them may be asked of somebody else as well
 * (SPEC R197), so a thing may be in several; whichever brings it first, the others go without it.
 */
export class Requests<T> {
  readonly #all = new Map<OpenRequest<T>, AbortController>();

  get count(): number {
    return this.#all.size;
  }

  /** Whether it is to come from anybody. */
  has(thing: T): boolean {
    for (const { left } of this.#all.keys()) if (left.has(thing)) return true;
    return false;
  }

  /** Whether it is to come from this machine. */
  isAskedOf(peer: PeerId, thing: T): boolean {
    for (const request of this.#all.keys()) if (request.peer === peer && request.left.has(thing)) return true;
    return false;
  }

  /** It is asked of this machine; `end` must follow. */
  begin(peer: PeerId, things: Iterable<T>, nowMs: number): OpenRequest<T> {
    const over = new AbortController();
    const request = { peer, left: new Set(things), movedAtMs: nowMs, signal: over.signal };
    this.#all.set(request, over);
    return request;
  }

  /** Nothing more comes of it. Returns what did not come, and is to come from nobody else. */
  end(request: OpenRequest<T>): T[] {
    this.#all.delete(request);
    return [...request.left].filter((thing) => !this.has(thing));
  }

  /** It is here, or nobody wants it any more: what is asked for nothing else is cut. */
  settled(thing: T): void {
    for (const [{ left }, over] of this.#all)
      if (left.delete(thing) && left.size === 0) over.abort(new Abandoned('Nobody waits for the rest.'));
  }

  /** Nothing is wanted any more. */
  cut(): void {
    for (const { left } of this.#all.keys()) for (const thing of [...left]) this.settled(thing);
  }

  /** What this machine may be asked for as well: it is to come from others alone, and each of them is late with it. */
  late(peer: PeerId, nowMs: number): Set<T> {
    const late = new Set<T>();
    const kept = new Set<T>();
    for (const request of this.#all.keys()) {
      const isLate = request.peer !== peer && lateAtMs(request) <= nowMs;
      for (const thing of request.left) (isLate ? late : kept).add(thing);
    }
    for (const thing of kept) late.delete(thing);
    return late;
  }

  /** The next moment after `nowMs` at which something comes to be late. */
  nextLateMs(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const request of this.#all.keys())
      if (lateAtMs(request) > nowMs) next = Math.min(next, lateAtMs(request));
    return next;
  }
}

const lateAtMs = ({ movedAtMs }: OpenRequest<unknown>): number => movedAtMs + swarmLimits.lateMs;
