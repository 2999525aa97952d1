import type { JobId, PeerId } from '@cuadro/protocol';
import type { Transfer } from '../blobs/transfer/interface.ts';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { Startable } from '../system/interface.ts';

export interface BundleTellerComponents {
  readonly mesh: { readonly self: PeerId };
  readonly transfer: Pick<Transfer, 'announce'>;
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'jobIds'>;
}

export interface BundleTeller extends Startable {
  /** These changed, and are durable here. */
  changed(changes: Pick<Changes, 'jobs' | 'removed'>): void;
}

/**
 * Tells the farm of each job's bundle that this machine holds by its record, the submitter's own first of all, and
 * anew in each run: whoever comes late finds it by that where the holders that it knows of are off. Start it before
 * the mesh.
 */
export function createBundleTeller(components: BundleTellerComponents): BundleTeller {
  const { mesh, transfer, queries } = components;
  /** Each is told once in a run; the transfer repeats it before the farm forgets. */
  const told = new Set<JobId>();
  const look = (id: JobId): void => {
    const record = queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined || told.has(id)) return;
    const { bundle } = record.spec;
    if (bundle === undefined || record.holders.bundle[mesh.self]?.held !== true) return;
    told.add(id);
    transfer.announce(bundle);
  };
  return {
    start: async () => queries.jobIds().forEach(look),
    stop: () => Promise.resolve(),
    changed({ jobs, removed }) {
      for (const id of removed) told.delete(id);
      for (const id of jobs) look(id);
    },
  };
}
