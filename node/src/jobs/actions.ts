import type { JobActions } from '../api/interface.ts';
import { deleteJob, requeue, setJob, setNode } from './control.ts';
import { fetchJob, type FetchProgress } from './fetch.ts';
import { assertNotRemoved } from './removed.ts';
import { preflightJob, submitJob, type SubmissionComponents } from './submission.ts';

/** The room's doors as the API wants them. */
export function createJobActions(components: SubmissionComponents): JobActions {
  const asMember = async <T>(act: () => Promise<T>): Promise<T> => {
    assertNotRemoved(components);
    return act();
  };
  return {
    submit: (body, options) => asMember(() => submitJob(components, body, options)),
    preflight: (body, options) => preflightJob(components, body, options),
    setJob: (job, change) => asMember(() => setJob(components, job, change)),
    requeue: (job, tasks) => asMember(() => requeue(components, job, tasks)),
    deleteJob: (job) => asMember(() => deleteJob(components, job)),
    // What it holds its owner may still take out.
    fetch: (job, to, { fetch, ...options }) => {
      if (fetch === undefined) return fetchJob(components, job, to, options);
      const onProgress = (progress: FetchProgress): void =>
        components.emit({ kind: 'fetch', fetch, ...progress });
      return fetchJob(components, job, to, { ...options, onProgress });
    },
    // Its owner decides over it as before.
    setNode: (peer, change) => setNode(components, peer, change),
  };
}
