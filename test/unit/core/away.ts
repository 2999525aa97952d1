import { attemptKey, type TaskRecord } from '@cuadro/protocol';
import { BELEN, CARMEN, type Farm, type framesPlan } from './farm.ts';
import { leading } from './members.ts';

/** Results whose holders come and go. */

/** A task that these machines hold the result of, made in the reign before. */
export function resultOf(job: string, index: number, ...holders: string[]): TaskRecord {
  const attempt = { epoch: { term: 0, peer: BELEN }, sequence: index + 1 };
  const result = {
    attempt,
    peer: holders[0] as string,
    state: holders.length > 1 ? ('done' as const) : ('rendered' as const),
    files: [],
    holders: Object.fromEntries(holders.map((peer) => [peer, { held: true, counter: 1 }])),
    renderMs: 500,
    wallTime: 1,
  };
  const results = { [attemptKey(attempt)]: result };
  return { kind: 'task', job, index, redo: 0, retry: 0, results, failures: {} };
}

/** The same after one of its holders withdrew its entry: it has left, or its copy is damaged. */
export function withoutCopy(task: TaskRecord, peer: string): TaskRecord {
  const results = Object.entries(task.results).map(([key, result]) => {
    const holders = { ...result.holders, [peer]: { held: false, counter: 2 } };
    return [key, { ...result, holders }] as const;
  });
  return { ...task, results: Object.fromEntries(results) };
}

/** This machine leads two others that take no work. */
export function leadingIdle(): Farm {
  const farm = leading(BELEN, CARMEN);
  for (const peer of [BELEN, CARMEN]) farm.claim(peer, { wants: 0, sequence: 2 });
  return farm;
}

/** This machine takes work; the job's results are there. */
export function withResults(
  plan: ReturnType<typeof framesPlan>,
  ...tasks: [number, ...string[]][]
): { farm: Farm; job: string } {
  const farm = leadingIdle();
  const { id } = farm.submit(plan);
  farm.step({
    kind: 'records',
    from: BELEN,
    records: tasks.map(([index, ...holders]) => resultOf(id, index, ...holders)),
  });
  farm.work();
  farm.finishAll();
  return { farm, job: id };
}

export const lose = (farm: Farm, ...peers: string[]): void => {
  for (const peer of peers) farm.step({ kind: 'peer', peer, state: 'lost' });
};

/** Time passes; the clock's steps are those that the core asks for, and a second at most. */
export function pass(farm: Farm, ms: number): void {
  for (let left = ms; left > 0; left -= 1_000) farm.advance(Math.min(1_000, left));
}
