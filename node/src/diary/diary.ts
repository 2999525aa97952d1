import {
  diaryEntries,
  diaryPlace,
  type DiaryEvent,
  type DiaryRecord,
  type KnownRecord,
  type ToldEntry,
} from '@cuadro/protocol';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger } from '../system/interface.ts';
import { Absences } from './absences.ts';
import type { Diary, ToldRest } from './interface.ts';
import { ALIVE_EVERY_MS, ALONE_MIN_MS, LOOK_EVERY_MS, SLEPT_MIN_MS } from './limits.ts';
import { MisfitNews, type Misfits } from './misfits.ts';
import { Rests } from './rests.ts';

export interface DiaryComponents {
  clock: Clock;
  logger: Logger;
  store: Pick<RecordStore, 'getLocal' | 'setLocal'>;
  queries: Pick<CoreQueries, 'self' | 'isCoordinator' | 'farm' | 'nodes' | 'nodeRecord' | 'diaryRecords'>;
  merge(records: KnownRecord[]): Promise<void>;
  /** Resolves once a second machine holds these, or when that has taken too long. */
  confirm(records: readonly KnownRecord[]): Promise<unknown>;
  /** Results that this machine alone holds; undefined while there is nobody to give them to. */
  heldAlone(): { results: number } | undefined;
  /** What other machines sent that did not fit the hash of a file (SPEC R138). */
  misfits: () => Misfits;
}

/** When the node was last alive, by its wall clock. */
const ALIVE_KEY = 'diary/alive';

export function createDiary(components: DiaryComponents): Diary {
  return new OwnDiary(components);
}

class OwnDiary implements Diary {
  readonly #components: DiaryComponents;
  readonly #rests: Rests;
  readonly #absences: Absences;
  readonly #misfits: MisfitNews;
  #sequence = 0;
  #running = false;
  #cancel: (() => void) | undefined;
  #lookedAt = 0;
  #aliveAt = Number.NEGATIVE_INFINITY;
  /** The reign of this machine that was written down last. */
  #ledTerm = 0;
  #alone: { results: number; since: number } | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(components: DiaryComponents) {
    this.#components = components;
    this.#rests = new Rests(components);
    this.#absences = new Absences(components);
    this.#misfits = new MisfitNews(components);
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { clock, queries, store } = this.#components;
    const own = diaryEntries(queries.diaryRecords()).filter(({ peer }) => peer === queries.self);
    this.#sequence = highestSequence(queries.diaryRecords(), queries.self);
    this.#rests.begin(own);
    const alive = await store.getLocal(ALIVE_KEY);
    this.#lookedAt = clock.now();
    this.#write(clock.wallTime(), startOf(own, typeof alive === 'number' ? alive : undefined));
    this.#look();
  }

  /** The others are to know that it went in order: its last word waits for a second machine, briefly. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#cancel?.();
    for (const { at, event } of this.#misfits.news({ isLast: true })) this.#write(at, event);
    const record = this.#write(this.#components.clock.wallTime(), { kind: 'ended' });
    this.#running = false;
    await this.#writing;
    await this.#components.confirm([record]).catch(() => undefined);
  }

  changed({ nodes, diary }: Pick<Changes, 'nodes' | 'diary'>): void {
    if (diary === true) this.#absences.changed();
    if (nodes.includes(this.#components.queries.self)) this.#rests.look();
  }

  worker(told: ToldRest): void {
    this.#rests.worker(told);
  }

  #write(wallTime: number, event: DiaryEvent): DiaryRecord {
    const { queries, logger } = this.#components;
    this.#sequence += 1;
    const { page, place } = diaryPlace(this.#sequence);
    const entry = { sequence: this.#sequence, wallTime, event };
    const record: DiaryRecord = { kind: 'diary', peer: queries.self, page, entries: { [place]: entry } };
    const written = this.#components.merge([record]).catch((error: unknown) => {
      logger.warn('An entry of the diary could not be written.', { error: String(error) });
    });
    this.#writing = Promise.all([this.#writing, written]);
    return record;
  }

  /** Looks at everything that is worth an entry, and again later. */
  #look(): void {
    if (!this.#running) return;
    const { clock } = this.#components;
    const now = clock.now();
    const lateMs = now - this.#lookedAt - LOOK_EVERY_MS;
    this.#lookedAt = now;
    if (lateMs >= SLEPT_MIN_MS) {
      this.#write(clock.wallTime(), { kind: 'woke', forMs: Math.round(lateMs) });
      this.#absences.forget();
    }
    const news = [...this.#rests.news(), ...this.#absences.news(), ...this.#misfits.news()];
    for (const { at, event } of news) this.#write(at, event);
    this.#noteReign();
    this.#noteCopies(now);
    this.#noteAlive(now);
    this.#cancel = clock.after(LOOK_EVERY_MS, () => this.#look());
  }

  #noteReign(): void {
    const { queries } = this.#components;
    if (!queries.isCoordinator) return;
    const reigns = queries.farm().coordinators;
    const reign = reigns.at(-1);
    if (reign === undefined || reign.peer !== queries.self || reign.term === this.#ledTerm) return;
    this.#ledTerm = reign.term;
    const before = reigns.at(-2)?.peer;
    this.#write(reign.at, {
      kind: 'leads',
      cause: reign.cause,
      term: reign.term,
      leaderlessMs: reign.leaderlessMs,
      ...(before !== undefined && before !== queries.self && { before }),
    });
  }

  /** Results that were here alone for a while, since nobody was there to take them, are safe again. */
  #noteCopies(now: number): void {
    const held = this.#components.heldAlone();
    if (held === undefined) return;
    if (held.results > 0) {
      this.#alone ??= { results: 0, since: now };
      this.#alone.results = Math.max(this.#alone.results, held.results);
      return;
    }
    const alone = this.#alone;
    this.#alone = undefined;
    if (alone === undefined || now - alone.since < ALONE_MIN_MS) return;
    this.#write(this.#components.clock.wallTime(), { kind: 'copied', results: alone.results });
  }

  #noteAlive(now: number): void {
    const { store, clock, logger } = this.#components;
    if (now - this.#aliveAt < ALIVE_EVERY_MS) return;
    this.#aliveAt = now;
    const noted = store.setLocal({ [ALIVE_KEY]: clock.wallTime() }).catch((error: unknown) => {
      logger.warn("It can't be noted that the node is alive.", { error: String(error) });
    });
    this.#writing = Promise.all([this.#writing, noted]);
  }
}

/** Also of entries that only a newer version can tell: none is ever written over before its time. */
function highestSequence(records: readonly DiaryRecord[], self: string): number {
  const own = records.filter(({ peer }) => peer === self);
  return Math.max(0, ...own.flatMap(({ entries }) => Object.values(entries).map(({ sequence }) => sequence)));
}

function startOf(own: readonly ToldEntry[], alive: number | undefined): DiaryEvent {
  const last = own.at(-1);
  if (last === undefined && alive === undefined) return { kind: 'started', after: 'first' };
  if (last?.event.kind === 'ended') return { kind: 'started', after: 'order', since: last.at };
  const since = Math.max(alive ?? 0, last?.event.kind === 'woke' ? last.at : 0);
  return { kind: 'started', after: 'cut', ...(since > 0 && { since }) };
}
