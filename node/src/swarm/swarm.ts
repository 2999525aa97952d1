import { heldBy, type JobRecord, type SwarmReport } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { Clock } from '../system/interface.ts';
import type { OnSwarm, Swarm } from './interface.ts';
import { swarmWatchLimits as limits } from './limits.ts';
import { ownReport, type OwnReportComponents } from './own-report.ts';
import { Teller } from './teller.ts';
import { type SwarmJob, swarmView } from './view.ts';
import { Watch } from './watch.ts';

export interface SwarmComponents extends OwnReportComponents {
  readonly mesh: Pick<Mesh, 'self' | 'open' | 'serve' | 'reachable' | 'refuse'>;
  readonly blobs: Pick<BlobStore, 'usage' | 'subscribe'>;
  readonly queries: Pick<CoreQueries, 'nodes' | 'job' | 'jobIds' | 'jobRecord' | 'removed' | 'claimantsOf'>;
  readonly clock: Clock;
  readonly onChange: OnSwarm;
}

export function createSwarm(components: SwarmComponents): Swarm {
  const { blobs, clock, mesh, onChange, queries } = components;
  /** Undefined until somebody looks: then it is looked at, and told a moment later. */
  let isFull: boolean | undefined;
  let unsubscribe: (() => void) | undefined;
  const report = (): SwarmReport => {
    if (isFull === undefined) {
      isFull = false;
      void blobs.usage().then(
        ({ accepting }) => (isFull = !accepting),
        () => undefined,
      );
    }
    return ownReport(components, isFull);
  };
  const teller = new Teller({ mesh, clock, report });
  const watch = new Watch({ mesh, clock, own: () => teller.current(), onChange });
  return {
    start: async () => {
      if (unsubscribe !== undefined) return;
      unsubscribe = blobs.subscribe((event) => {
        if (event.type === 'accepting-changed') isFull = !event.usage.accepting;
      });
      teller.start();
    },
    stop: async () => {
      unsubscribe?.();
      teller.stop();
      await watch.stop();
    },
    read: async () => {
      await watch.want();
      return swarmView({ nodes: queries.nodes(), reports: watch.reports, jobs: jobsOf(queries) });
    },
  };
}

/** Of a node that its owner keeps off the network: what it alone holds is all that there is to tell. */
export function soleSwarm(queries: SwarmComponents['queries']): Pick<Swarm, 'read'> {
  return {
    read: async () => swarmView({ nodes: queries.nodes(), reports: new Map(), jobs: jobsOf(queries) }),
  };
}

/** The newest first. */
function jobsOf(queries: SwarmComponents['queries']): SwarmJob[] {
  const records = queries
    .jobIds()
    .flatMap((id) => queries.jobRecord(id) ?? [])
    .filter(({ deleted }) => deleted === undefined)
    .sort((a, b) => b.spec.order - a.spec.order)
    .slice(0, limits.jobsLooked);
  return records.flatMap((record) => jobOf(queries, record) ?? []);
}

function jobOf(queries: SwarmComponents['queries'], record: JobRecord): SwarmJob | undefined {
  const view = queries.job(record.id);
  const { bundle } = record.spec;
  if (view === undefined) return undefined;
  if (bundle === undefined) return { view, bundle, holders: [] };
  const removed = queries.removed();
  const held = heldBy(record.holders.bundle).filter((peer) => !removed.has(peer));
  return { view, bundle, holders: [...held, ...queries.claimantsOf(bundle)] };
}
