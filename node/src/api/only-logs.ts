import { heldBy, type PeerId } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';

/** How many failed attempts have a log that only this machine holds: whoever removes it hears what would go (SPEC R132). */
export function logsOnlyOn(
  queries: Pick<CoreQueries, 'jobIds' | 'taskRecord' | 'tasksWithFailure' | 'removed'>,
  peer: PeerId,
): number {
  const removed = queries.removed();
  let logs = 0;
  for (const job of queries.jobIds()) {
    for (const index of queries.tasksWithFailure(job)) {
      for (const { log, holders = {} } of Object.values(queries.taskRecord(job, index)?.failures ?? {})) {
        const [only, ...others] = heldBy(holders).filter((holder) => !removed.has(holder));
        if (log !== undefined && only === peer && others.length === 0) logs += 1;
      }
    }
  }
  return logs;
}
