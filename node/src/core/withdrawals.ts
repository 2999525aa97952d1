import type { Holders, JobRecord, PeerId, TaskRecord, TaskResult } from '@cuadro/protocol';

/**
 * A removed machine's entries among the holders count no more: its removal withdraws them (SPEC R24). Every node does
 * this by itself with what it meets, so that nothing has to be said; merging settles the counters.
 */

export function withoutRemovedTask(task: TaskRecord, removed: ReadonlySet<PeerId>): TaskRecord {
  if (removed.size === 0) return task;
  let results: Record<string, TaskResult> | undefined;
  for (const [key, result] of Object.entries(task.results)) {
    const holders = withdrawn(result.holders, removed);
    if (holders !== result.holders) results = { ...(results ?? task.results), [key]: { ...result, holders } };
  }
  return results === undefined ? task : { ...task, results };
}

export function withoutRemovedJob(job: JobRecord, removed: ReadonlySet<PeerId>): JobRecord {
  const bundle = withdrawn(job.holders.bundle, removed);
  const plan = withdrawn(job.holders.plan, removed);
  const isSame = bundle === job.holders.bundle && plan === job.holders.plan;
  return isSame ? job : { ...job, holders: { ...job.holders, bundle, plan } };
}

/** The same object where nothing of it is a removed machine's. */
function withdrawn(holders: Holders, removed: ReadonlySet<PeerId>): Holders {
  let left = holders;
  for (const peer of removed) {
    const entry = holders[peer];
    if (entry?.held !== true) continue;
    left = { ...left, [peer]: { ...entry, held: false, counter: entry.counter + 1 } };
  }
  return left;
}
