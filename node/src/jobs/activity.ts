import { misfitsSince, type ActivityView, type PeerId, type TaskRecord } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import { nextTurn } from '../system/turn.ts';

/** Bars of one row: a quarter of an hour each in twelve hours. */
export const ACTIVITY_BARS = 48;
/** Tasks looked at in one turn of the event loop. */
const TASKS_PER_TURN = 2_000;
/** An answer serves everybody for so long, in milliseconds: the walk over a season of tasks takes a second. */
const KEPT_MS = 10_000;
const HOUR_MS = 3_600_000;

export interface ActivityComponents {
  queries: Pick<CoreQueries, 'jobs' | 'nodes' | 'taskRecord' | 'diaryRecords'>;
  clock: Clock;
}

/** What the machines did in the last hours, from the records: so every dashboard tells the same night. */
export interface Activity {
  read(hours: number): Promise<ActivityView>;
}

export function createActivity(components: ActivityComponents): Activity {
  const { clock } = components;
  const kept = new Map<number, { at: number; view: Promise<ActivityView> }>();
  return {
    read: (hours) => {
      const now = clock.now();
      const known = kept.get(hours);
      if (known !== undefined && now - known.at < KEPT_MS) return known.view;
      for (const [other, { at }] of kept) if (now - at >= KEPT_MS) kept.delete(other);
      const view = walk(components, hours);
      kept.set(hours, { at: now, view });
      view.catch(() => kept.delete(hours));
      return view;
    },
  };
}

type Row = ActivityView['machines'][number];

async function walk({ queries, clock }: ActivityComponents, hours: number): Promise<ActivityView> {
  const barMs = (hours * HOUR_MS) / ACTIVITY_BARS;
  // Bars stand still while time goes on: the last one is not over yet.
  const end = Math.ceil(clock.wallTime() / barMs) * barMs;
  const start = end - hours * HOUR_MS;
  const rows = new Map<PeerId, Row>();
  for (const { peer, name } of queries.nodes()) rows.set(peer, emptyRow(peer, name));
  for (const [peer, misfits] of misfitsSince(queries.diaryRecords(), start)) {
    const row = rows.get(peer);
    if (row !== undefined) row.misfits = misfits;
  }
  let looked = 0;
  for (const { id, counts, changedAt } of queries.jobs()) {
    if (changedAt === undefined || changedAt < start) continue;
    for (let index = 0; index < counts.total; index++) {
      if (++looked % TASKS_PER_TURN === 0) await nextTurn();
      const task = queries.taskRecord(id, index);
      if (task !== undefined) addTask(rows, task, { start, barMs });
    }
  }
  return { start, barMs, machines: [...rows.values()] };
}

const emptyRow = (peer: PeerId, name: string): Row => ({
  peer,
  name,
  results: 0,
  failures: 0,
  misfits: 0,
  busyMs: new Array<number>(ACTIVITY_BARS).fill(0),
  failed: new Array<number>(ACTIVITY_BARS).fill(0),
});

function addTask(
  rows: ReadonlyMap<PeerId, Row>,
  task: TaskRecord,
  { start, barMs }: { start: number; barMs: number },
): void {
  for (const { peer, wallTime, renderMs } of Object.values(task.results)) {
    const row = rows.get(peer);
    const bar = Math.floor((wallTime - start) / barMs);
    if (row === undefined || bar < 0 || bar >= ACTIVITY_BARS) continue;
    row.results++;
    spread(row.busyMs, { from: wallTime - renderMs - start, to: wallTime - start, barMs });
  }
  for (const { peer, wallTime } of Object.values(task.failures)) {
    const row = rows.get(peer);
    const bar = Math.floor((wallTime - start) / barMs);
    if (row === undefined || bar < 0 || bar >= ACTIVITY_BARS) continue;
    row.failures++;
    row.failed[bar] = (row.failed[bar] ?? 0) + 1;
  }
}

/** A long render fills several bars. */
function spread(busyMs: number[], { from, to, barMs }: { from: number; to: number; barMs: number }): void {
  for (let bar = Math.max(0, Math.floor(from / barMs)); bar < busyMs.length && bar * barMs < to; bar++) {
    const share = Math.min(to, (bar + 1) * barMs) - Math.max(from, bar * barMs);
    busyMs[bar] = (busyMs[bar] ?? 0) + Math.max(0, share);
  }
}
