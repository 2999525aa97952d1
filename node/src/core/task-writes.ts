import { recordKey, type TaskRecord } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { BrainState } from './state.ts';

/** Takes a task's new record: into the job, and out to be made durable. */
export function writeTask(state: BrainState, job: Job, record: TaskRecord): void {
  state.out.persist.set(recordKey(record), record);
  job.put(record);
  state.touch(job);
}
