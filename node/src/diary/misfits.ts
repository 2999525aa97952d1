import type { BlobHash, DiaryEvent, PeerId } from '@cuadro/protocol';
import type { Clock } from '../system/interface.ts';
import { MISFIT_AGAIN_MS } from './limits.ts';

/** What a machine sent, since this node's start, that did not fit the hash of a file, and the last such file. */
export type Misfits = Readonly<Record<PeerId, { readonly count: number; readonly hash: BlobHash }>>;

export interface MisfitsComponents {
  clock: Clock;
  misfits: () => Misfits;
}

/** Machines that sent what does not fit: told at once, and then from time to time with how often. */
export class MisfitNews {
  readonly #components: MisfitsComponents;
  /** What was written down of each, and when by the monotonic clock. */
  readonly #written = new Map<PeerId, { count: number; at: number }>();

  constructor(components: MisfitsComponents) {
    this.#components = components;
  }

  /** `isLast`: the node ends, and what is not written down now never is. */
  news({ isLast = false }: { isLast?: boolean } = {}): { at: number; event: DiaryEvent }[] {
    const { clock, misfits } = this.#components;
    const now = clock.now();
    const news: { at: number; event: DiaryEvent }[] = [];
    for (const [machine, { count, hash }] of Object.entries(misfits())) {
      const before = this.#written.get(machine);
      const more = count - (before?.count ?? 0);
      if (more <= 0 || (!isLast && before !== undefined && now - before.at < MISFIT_AGAIN_MS)) continue;
      this.#written.set(machine, { count, at: now });
      news.push({ at: clock.wallTime(), event: { kind: 'misfit', machine, hash, count: more } });
    }
    return news;
  }
}
