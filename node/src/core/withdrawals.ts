import type { Holders, JobRecord, PeerId, TaskRecord } from '@cuadro/protocol';

/**
 * A removed machine's entries among the holders count no more: its removal withdraws them (SPEC R24). Every node does
 * this by itself with what it meets, so that nothing has to be said; merging settles the counters.
 */

export function withoutRemovedTask(task: TaskRecord, removed: ReadonlySet<PeerId>): TaskRecord {
  if (removed.size === 0) return task;
  const results = withoutRemoved(task.results, removed);
  const failures = withoutRemoved(task.failures, removed);
  return results === task.results && failures === task.failures ? task : { ...task, results, failures };
}

function withoutRemoved<T extends { holders?: Holders }>(
  entries: Record<string, T>,
  removed: ReadonlySet<PeerId>,
): Record<string, T> {
  let left = entries;
  for (const [key, entry] of Object.entries(entries)) {
    if (entry.holders === undefined) continue;
    const holders = withdrawn(entry.holders, removed);
    if (holders !== entry.holders) left = { ...left, [key]: { ...entry, holders } };
  }
  return left;
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
