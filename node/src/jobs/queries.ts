import type { JobView } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { CollectionState } from './collected.ts';

/** The brain's views of jobs, with what this machine alone knows: what it collected, and what it can't have again. */
export function withLocal(
  queries: CoreQueries,
  local: {
    collection: (job: string) => CollectionState | undefined;
    lacking: (job: string) => string | undefined;
  },
): CoreQueries {
  const add = (job: JobView): JobView => {
    const known: Partial<CollectionState> = local.collection(job.id) ?? {};
    const { problem: notCollected, ...collection } = known;
    // Without its scene nothing more comes that could be collected.
    const problem = local.lacking(job.id) ?? notCollected;
    return { ...job, live: { ...job.live, ...collection, ...(problem !== undefined && { problem }) } };
  };
  // A view of the same object: everything but the two methods that show jobs goes through unchanged.
  return new Proxy(queries, {
    get(target, property) {
      if (property === 'jobs') return () => target.jobs().map(add);
      if (property === 'job') {
        return (id: string) => {
          const job = target.job(id);
          return job && add(job);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
