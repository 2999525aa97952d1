import {
  attemptKey,
  countingResult,
  diaryEntries,
  heldBy,
  tellNight,
  type JobView,
  type NightFailure,
  type NightJob,
  type NightView,
  type NightWork,
  type PeerId,
  type TaskRecord,
} from '@cuadro/protocol';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';

/** Tasks looked at in one turn of the event loop. */
const TASKS_PER_TURN = 2_000;
/** An answer serves everybody for so long while nothing happens: the walk over a season of tasks takes a second. */
const KEPT_MS = 10_000;
const HOUR_MS = 3_600_000;
/** Spans of rendering closer to each other than this share of the whole are shown as one. */
const SPAN_SHARE = 1 / 400;

export interface NightComponents {
  queries: Pick<
    CoreQueries,
    'jobs' | 'nodes' | 'taskRecord' | 'plannedTask' | 'diaryRecords' | 'memberRecords' | 'farm'
  >;
  clock: Clock;
}

/** What the night did, from records and diaries: so every machine tells the same. */
export interface Night {
  read(hours: number): Promise<NightView>;
  /** What was told may be out of date: whoever hears of a change by the stream reads what is true since. */
  changed(changes: Pick<Changes, 'jobs' | 'removed' | 'diary'>): void;
}

export function createNight(components: NightComponents): Night {
  const { clock } = components;
  const kept = new Map<number, { at: number; view: Promise<NightView> }>();
  return {
    changed: ({ jobs, removed, diary }) => {
      if (diary === true || jobs.length + removed.length > 0) kept.clear();
    },
    read: (hours) => {
      const now = clock.now();
      for (const [other, { at }] of kept) if (now - at >= KEPT_MS) kept.delete(other);
      const known = kept.get(hours);
      if (known !== undefined) return known.view;
      const to = clock.wallTime();
      const view = collectNight(components.queries, { from: to - hours * HOUR_MS, to });
      kept.set(hours, { at: now, view });
      view.catch(() => kept.clear());
      return view;
    },
  };
}

interface Times {
  readonly from: number;
  readonly to: number;
}

/** What happened between two wall-clock times. */
export async function collectNight(queries: NightComponents['queries'], times: Times): Promise<NightView> {
  const names = new Map(queries.memberRecords().map(({ peer, name }) => [peer, name.value]));
  const nodes = queries.nodes();
  for (const { peer, name } of nodes) names.set(peer, name);
  const work = new Map<PeerId, Working>(nodes.map(({ peer }) => [peer, new Working(times)]));
  const jobs: NightJob[] = [];
  let looked = 0;
  for (const view of queries.jobs()) {
    if (!belongs(view, times)) continue;
    const job = new JobFacts(view, times, work);
    for (let index = 0; index < view.counts.total; index++) {
      if (++looked % TASKS_PER_TURN === 0) await nextTurn();
      const task = queries.taskRecord(view.id, index);
      if (task !== undefined) job.add(task, () => queries.plannedTask(view.id, index)?.name ?? `#${index}`);
    }
    const films = filmsOf(queries, view);
    jobs.push(job.facts(films.length, films.filter((index) => job.withResult.has(index)).length));
  }
  return tellNight({
    ...times,
    nodes,
    diary: diaryEntries(queries.diaryRecords()),
    jobs,
    work: new Map([...work].map(([peer, working]) => [peer, working.view()])),
    nameOf: (peer) => names.get(peer) ?? `…${peer.slice(-6)}`,
  });
}

const OVER: ReadonlySet<string> = new Set(['done', 'failed', 'canceled', 'skipped', 'deleted']);

/**
 * Jobs that were at work in this time, or are. It ends now: what seems to be later comes from a machine whose clock is
 * ahead, and has happened all the same.
 */
function belongs({ state, submittedAt, changedAt }: JobView, { from }: Times): boolean {
  return !OVER.has(state) || (changedAt ?? submittedAt) >= from;
}

/** Films stand at a plan's end. */
function filmsOf(queries: NightComponents['queries'], { id, counts }: JobView): number[] {
  const films: number[] = [];
  for (let index = counts.total - 1; index >= 0; index--) {
    if (queries.plannedTask(id, index)?.work.kind !== 'film') break;
    films.push(index);
  }
  return films;
}

/** What one machine rendered. */
class Working {
  readonly #times: Times;
  readonly #spans: { from: number; to: number }[] = [];
  results = 0;
  failures = 0;

  constructor(times: Times) {
    this.#times = times;
  }

  rendered(from: number, to: number): void {
    this.results += 1;
    this.#spans.push({ from, to });
  }

  view(): NightWork {
    const nearMs = (this.#times.to - this.#times.from) * SPAN_SHARE;
    const spans: { from: number; to: number }[] = [];
    for (const span of this.#spans.sort((a, b) => a.from - b.from)) {
      const last = spans.at(-1);
      if (last !== undefined && span.from - last.to <= nearMs) last.to = Math.max(last.to, span.to);
      else spans.push({ ...span });
    }
    return { spans, results: this.results, failures: this.failures };
  }
}

/** What the tasks of one job tell. */
class JobFacts {
  readonly withResult = new Set<number>();
  readonly #view: JobView;
  readonly #times: Times;
  readonly #work: ReadonlyMap<PeerId, Working>;
  #made = 0;
  readonly #failed: NightJob['failed'][number][] = [];
  readonly #failures: NightFailure[] = [];
  readonly #lost: NightFailure[] = [];
  readonly #again: NightJob['again'][number][] = [];

  constructor(view: JobView, times: Times, work: ReadonlyMap<PeerId, Working>) {
    this.#view = view;
    this.#times = times;
    this.#work = work;
  }

  add(task: TaskRecord, name: () => string): void {
    const counting = countingResult(task);
    if (counting !== undefined) this.withResult.add(task.index);
    this.#addResults(task, name);
    const isGivenUp = counting === undefined && task.failed !== undefined;
    for (const { peer, at, cause, code, message } of failuresOf(task)) {
      if (!this.#isIn(at)) continue;
      const failure = { task: task.index, name: name(), peer, at, code, message };
      if (cause === 'lost') {
        this.#lost.push(failure);
        continue;
      }
      // A machine that went to sleep with its frames failed at none of them.
      const work = this.#work.get(peer);
      if (work !== undefined) work.failures += 1;
      if (!isGivenUp) this.#failures.push(failure);
    }
    if (!isGivenUp || task.failed === undefined) return;
    const { wallTime: at, code, message } = task.failed;
    const machines = new Set(Object.values(task.failures).map(({ peer }) => peer)).size;
    this.#failed.push({ task: task.index, name: name(), at, code, message, machines });
  }

  #addResults(task: TaskRecord, name: () => string): void {
    const results = Object.values(task.results).sort((a, b) => a.wallTime - b.wallTime);
    const [first] = results;
    for (const result of results) {
      const { peer, wallTime: at, renderMs } = result;
      if (!this.#isIn(at)) continue;
      this.#made += 1;
      this.#work.get(peer)?.rendered(at - renderMs, at);
      if (first === undefined || attemptKey(result.attempt) === attemptKey(first.attempt)) continue;
      this.#again.push({ task: task.index, name: name(), at, by: peer, held: heldBy(first.holders) });
    }
  }

  #isIn(at: number): boolean {
    return at >= this.#times.from;
  }

  facts(films: number, filmsMade: number): NightJob {
    return {
      view: this.#view,
      films,
      filmsMade,
      made: this.#made,
      failed: this.#failed,
      failures: this.#failures,
      lost: this.#lost,
      again: this.#again,
    };
  }
}

const failuresOf = (task: TaskRecord) =>
  Object.values(task.failures).map(({ peer, wallTime, cause, code, message }) => ({
    ...{ peer, cause, code, message },
    at: wallTime,
  }));
