import type { DiaryEvent, Rest, ToldEntry } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import type { ToldRest } from './interface.ts';
import { REST_AGAIN_MIN_MS, REST_AGAIN_MS, REST_MIN_MS } from './limits.ts';

interface Resting {
  readonly why: Rest;
  readonly sentence: string;
}

export interface RestsComponents {
  clock: Clock;
  queries: Pick<CoreQueries, 'self' | 'nodeRecord'>;
}

/** Whether this machine takes work and, where not, why: what lasted long enough to be told. */
export class Rests {
  readonly #components: RestsComponents;
  #told: ToldRest | undefined;
  /** Of the diary so far. */
  #noted: Rest | undefined;
  #candidate: { resting: Resting | undefined; since: number; at: number } | undefined;
  /** Monotonic time at which a reason was last written. */
  readonly #writtenAt = new Map<Rest, number>();

  constructor(components: RestsComponents) {
    this.#components = components;
  }

  begin(own: readonly ToldEntry[]): void {
    for (const { event } of own) {
      if (event.kind === 'rests') this.#noted = event.why;
      if (event.kind === 'works') this.#noted = undefined;
    }
  }

  worker(told: ToldRest): void {
    this.#told = told;
    this.look();
  }

  look(): void {
    // Before the machine was looked at nobody knows what it can do.
    if (this.#told === undefined) return;
    const resting = this.#resting();
    if (this.#candidate !== undefined && this.#candidate.resting?.why === resting?.why) return;
    const { clock } = this.#components;
    this.#candidate = { resting, since: clock.now(), at: clock.wallTime() };
  }

  news(): { at: number; event: DiaryEvent }[] {
    const candidate = this.#candidate;
    if (candidate === undefined || candidate.resting?.why === this.#noted) return [];
    const now = this.#components.clock.now();
    const { resting, since, at } = candidate;
    if (now - since < this.#minMs(resting?.why, now)) return [];
    this.#noted = resting?.why;
    if (resting === undefined) return [{ at, event: { kind: 'works' } }];
    this.#writtenAt.set(resting.why, now);
    return [{ at, event: { kind: 'rests', ...resting } }];
  }

  #minMs(why: Rest | undefined, now: number): number {
    // What people do is told each time.
    if (why === undefined || why === 'owner' || why === 'farm') return REST_MIN_MS;
    const before = this.#writtenAt.get(why);
    return before !== undefined && now - before < REST_AGAIN_MS ? REST_AGAIN_MIN_MS : REST_MIN_MS;
  }

  #resting(): Resting | undefined {
    const { self, nodeRecord } = this.#fields();
    const owners = nodeRecord?.fields.ownerDesired;
    // Only the machine itself speaks for its owner (SPEC R37).
    const owner = owners?.peer === self ? owners.value : 'active';
    if (owner !== 'active')
      return {
        why: 'owner',
        sentence: owner === 'paused' ? 'Its owner paused it.' : 'Its owner lets it end what it runs.',
      };
    const farm = nodeRecord?.fields.desired?.value ?? 'active';
    if (farm !== 'active')
      return { why: 'farm', sentence: farm === 'paused' ? 'It was paused.' : 'It was to end what it runs.' };
    const told = this.#told;
    if (told?.idleKind === undefined) return undefined;
    return { why: told.idleKind, sentence: told.idleReason ?? 'It takes no work.' };
  }

  #fields() {
    const { queries } = this.#components;
    return { self: queries.self, nodeRecord: queries.nodeRecord(queries.self) };
  }
}
