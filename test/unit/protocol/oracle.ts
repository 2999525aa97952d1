import type { FrameRange, JobRecord, Plan, TaskRecord } from '@cuadro/protocol';

/**
 * A deliberately naive reading of SPEC R33, R38, R80 and R81: everything spread out, nothing shared with the code
 * that it judges.
 */

export interface OracleJob {
  state: string;
  counts: { total: number; open: number; rendered: number; done: number; failed: number; skipped: number };
  oneCopyOnly: number;
  tasks: string[];
}

export function numbersOf(ranges: FrameRange[]): number[] {
  const numbers: number[] = [];
  for (const range of ranges) for (let n = range.start; n <= range.end; n += range.step) numbers.push(n);
  return numbers;
}

export interface OracleTask {
  group: number;
  number: number;
  needs: number[];
}

/** Every task of a plan with the indices of those that it waits for. */
export function spreadPlan(plan: Plan): OracleTask[] {
  const tasks: OracleTask[] = [];
  plan.groups.forEach((group, g) => {
    for (const number of numbersOf(group.numbers)) {
      const needs: number[] = [];
      for (const after of group.after) {
        tasks.forEach((task, i) => {
          if (task.group === after.group && (after.match === 'all' || task.number === number)) needs.push(i);
        });
      }
      tasks.push({ group: g, number, needs });
    }
  });
  return tasks;
}

function ownState(job: JobRecord, index: number, record: TaskRecord | undefined) {
  let redo = 0;
  let retry = 0;
  for (const request of Object.values(job.requests)) {
    if (!numbersOf(request.tasks).includes(index)) continue;
    if (request.kind === 'redo') redo = Math.max(redo, request.level);
    else retry = Math.max(retry, request.level);
  }
  if (record === undefined || record.redo < redo) return { state: 'open', copies: undefined };
  const results = Object.values(record.results).filter((result) =>
    Object.values(result.holders).some((entry) => entry.held),
  );
  const counting = results
    .filter((result) => result.state === 'done' || results.every((other) => other.state !== 'done'))
    .sort((a, b) => {
      const [x, y] = [a.attempt, b.attempt];
      if (x.epoch.term !== y.epoch.term) return x.epoch.term - y.epoch.term;
      if (x.epoch.peer !== y.epoch.peer) return x.epoch.peer < y.epoch.peer ? -1 : 1;
      return x.sequence - y.sequence;
    })[0];
  if (counting !== undefined) {
    const copies = Object.values(counting.holders).filter((entry) => entry.held).length;
    return { state: counting.state as string, copies };
  }
  const failed = record.failed !== undefined && record.retry >= retry;
  return { state: failed ? 'failed' : 'open', copies: undefined };
}

const ENDED_BADLY = ['failed', 'canceled', 'skipped', 'deleted'];

/** Derives a job from nothing but records; `stateOf` says the state of the jobs that it waits for. */
export function oracleJob(
  job: JobRecord,
  plan: Plan | undefined,
  records: TaskRecord[],
  stateOf: (id: string) => string | undefined,
): OracleJob {
  const tasks = plan
    ? spreadPlan(plan)
    : Array.from({ length: job.spec.tasks }, () => ({ needs: [] as number[] }));
  const own = tasks.map((_, i) =>
    ownState(
      job,
      i,
      records.find((record) => record.job === job.id && record.index === i),
    ),
  );
  const states = own.map(({ state }) => state);
  // Repeated until nothing changes, so that the order of the tasks plays no part.
  for (let changed = true; changed; ) {
    changed = false;
    tasks.forEach((task, i) => {
      if (states[i] !== 'open') return;
      if (!task.needs.some((need) => states[need] === 'failed' || states[need] === 'skipped')) return;
      states[i] = 'skipped';
      changed = true;
    });
  }
  const count = (state: string, of: string[]) => of.filter((other) => other === state).length;
  const state = stateOfJob(job, states, stateOf);
  const ended = ['done', ...ENDED_BADLY].includes(state);
  const shown = states.map((s) => (ended && s === 'open' ? 'skipped' : s));
  return {
    state,
    tasks: shown,
    oneCopyOnly: own.filter(({ copies }) => copies !== undefined && copies < 2).length,
    counts: {
      total: tasks.length,
      open: count('open', shown),
      rendered: count('rendered', shown),
      done: count('done', shown),
      failed: count('failed', shown),
      skipped: count('skipped', shown),
    },
  };
}

function stateOfJob(job: JobRecord, states: string[], stateOf: (id: string) => string | undefined): string {
  const has = (...wanted: string[]) => states.some((state) => wanted.includes(state));
  const failed = states.filter((state) => state === 'failed').length;
  const desired = job.control.desired?.value ?? 'active';
  if (job.deleted) return 'deleted';
  if (!has('open', 'failed', 'skipped')) return 'done';
  if (desired === 'canceled') return 'canceled';
  const share = job.control.failureShare?.value ?? 0.1;
  if (failed > 0 && !has('open')) return 'failed';
  if (failed >= 3 && failed >= share * states.length) return 'failed';
  const awaited = job.spec.after.map((id) => stateOf(id));
  if (awaited.some((state) => ENDED_BADLY.includes(state ?? ''))) return 'skipped';
  if (desired === 'paused') return 'paused';
  if (awaited.some((state) => state !== 'done')) return 'waiting';
  return has('done', 'rendered', 'failed') ? 'active' : 'queued';
}
