import { recordKey, type TaskRecord } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { BrainState } from './state.ts';

/** Takes a task's new record: into the job, and out to be made durable and told: this node itself made it. */
export function writeTask(state: BrainState, job: Job, record: TaskRecord): void {
  const key = recordKey(record);
  state.out.persist.set(key, record);
  state.out.own.add(key);
  job.put(record);
  state.touch(job);
}
