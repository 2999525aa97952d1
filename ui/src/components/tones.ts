import { shownState } from '@cuadro/protocol/shown-state';
import type { AttemptView, JobView, NodeView, TaskView } from '@cuadro/protocol';
import type { Tone } from './state.ts';

const jobTones: Record<JobView['state'], Tone> = {
  waiting: 'quiet',
  queued: 'quiet',
  active: 'live',
  paused: 'warn',
  done: 'good',
  failed: 'bad',
  canceled: 'quiet',
  skipped: 'quiet',
  deleted: 'quiet',
};
export const jobTone = (job: JobView): Tone => jobTones[shownState(job)];

const taskTones: Record<TaskView['state'], Tone> = {
  open: 'quiet',
  rendered: 'good',
  done: 'good',
  failed: 'bad',
  skipped: 'warn',
};
export const taskTone = (task: TaskView): Tone => (task.live.running ? 'live' : taskTones[task.state]);

const attemptTones: Record<AttemptView['state'], Tone> = {
  running: 'live',
  rendered: 'good',
  done: 'good',
  failed: 'bad',
  lost: 'warn',
};
export const attemptTone = (attempt: AttemptView): Tone => attemptTones[attempt.state];

export function nodeTone(node: NodeView): Tone {
  if (!node.live.reachable) return 'bad';
  if (node.leaving || node.desired !== 'active' || node.ownerDesired !== 'active') return 'warn';
  return node.live.running.length > 0 ? 'live' : 'good';
}

/** Whether nothing more happens to the job by itself. */
export const ended = (job: JobView): boolean =>
  ['done', 'failed', 'canceled', 'skipped', 'deleted'].includes(job.state);
