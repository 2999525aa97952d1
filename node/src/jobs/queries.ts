import type { JobView } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { CollectionState } from './collection.ts';

/** The brain's views of jobs, with what this machine collected added. */
export function withCollection(
  queries: CoreQueries,
  state: (job: string) => CollectionState | undefined,
): CoreQueries {
  const add = (job: JobView): JobView => {
    const collection = state(job.id);
    if (collection === undefined) return job;
    const { collected, keptForeign, problem } = collection;
    const live = { ...job.live, collected, keptForeign, ...(problem !== undefined && { problem }) };
    return { ...job, live };
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
