import type { DiaryEvent, DiaryRecord, PeerId } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import { LOST_MIN_MS } from './limits.ts';

export interface AbsencesComponents {
  clock: Clock;
  queries: Pick<CoreQueries, 'self' | 'isCoordinator' | 'nodes' | 'diaryRecords'>;
}

/** The latest word of all diaries on a machine. */
interface Word {
  readonly kind: 'lost' | 'back';
  readonly at: number;
}

/**
 * Machines that the coordinator loses and finds again. Whoever leads next goes on from what the diaries say, so that
 * one absence is written down once.
 */
export class Absences {
  readonly #components: AbsencesComponents;
  /** Machines out of reach, since when by both clocks. */
  readonly #away = new Map<PeerId, { since: number; at: number }>();
  #words: Map<PeerId, Word> | undefined;

  constructor(components: AbsencesComponents) {
    this.#components = components;
  }

  /** What this node saw before it slept says nothing of now. */
  forget(): void {
    this.#away.clear();
  }

  /** Somebody wrote into a diary. */
  changed(): void {
    this.#words = undefined;
  }

  news(): { at: number; event: DiaryEvent }[] {
    const { queries, clock } = this.#components;
    if (!queries.isCoordinator) {
      this.#away.clear();
      return [];
    }
    const words = (this.#words ??= wordsOf(queries.diaryRecords()));
    const news: { at: number; event: DiaryEvent }[] = [];
    const say = (kind: Word['kind'], machine: PeerId, at: number): void => {
      // The words on one machine follow each other, whatever the clocks of those who wrote them show.
      const word: Word = { kind, at: Math.max(at, (words.get(machine)?.at ?? 0) + 1) };
      words.set(machine, word);
      news.push({ at: word.at, event: { kind, machine } });
    };
    for (const { peer, here, live } of queries.nodes()) {
      if (here) continue;
      const isNoted = words.get(peer)?.kind === 'lost';
      if (live.reachable) {
        this.#away.delete(peer);
        if (isNoted) say('back', peer, clock.wallTime());
        continue;
      }
      const away = this.#away.get(peer) ?? { since: clock.now(), at: clock.wallTime() };
      this.#away.set(peer, away);
      if (!isNoted && clock.now() - away.since >= LOST_MIN_MS) say('lost', peer, away.at);
    }
    return news;
  }
}

function wordsOf(records: readonly DiaryRecord[]): Map<PeerId, Word> {
  const words = new Map<PeerId, Word>();
  for (const { entries } of records) {
    for (const { wallTime: at, event } of Object.values(entries)) {
      const { kind, machine } = event;
      if ((kind !== 'lost' && kind !== 'back') || typeof machine !== 'string') continue;
      if (at > (words.get(machine)?.at ?? Number.NEGATIVE_INFINITY)) words.set(machine, { kind, at });
    }
  }
  return words;
}
