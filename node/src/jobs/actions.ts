import type { JobActions } from '../api/interface.ts';
import { deleteJob, requeue, setJob, setNode } from './control.ts';
import { fetchJob } from './fetch.ts';
import { preflightJob, submitJob, type SubmissionComponents } from './submission.ts';

/** The room's doors as the API wants them. */
export function createJobActions(components: SubmissionComponents): JobActions {
  return {
    submit: (body, options) => submitJob(components, body, options),
    preflight: (body, options) => preflightJob(components, body, options),
    setJob: (job, change) => setJob(components, job, change),
    requeue: (job, tasks) => requeue(components, job, tasks),
    deleteJob: (job) => deleteJob(components, job),
    fetch: (job, to, options) => fetchJob(components, job, to, options),
    setNode: (peer, change) => setNode(components, peer, change),
  };
}
