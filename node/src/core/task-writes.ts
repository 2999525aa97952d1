import { recordKey, type TaskRecord } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { BrainState } from './state.ts';

/** Takes a task's new record: into the job, and out to be made durable and told: this node itself made it. */
export function writeTask(state: BrainState, job: Job, record: TaskRecord): void {
  state.out.own.add(recordKey(record));
  keepTask(state, job, record);
}

/** The same for what another machine made, which tells it to the others itself. */
export function keepTask(state: BrainState, job: Job, record: TaskRecord): void {
  state.out.persist.set(recordKey(record), record);
  job.put(record);
  state.touch(job);
}
