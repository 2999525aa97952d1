import {
  SWARM_AWAITED_MAX,
  SWARM_BUNDLES_MAX,
  SWARM_PEERS_MAX,
  type SwarmFlow,
  type SwarmReport,
} from '@cuadro/protocol';
import type { Transfer, TransferSums } from '../blobs/transfer/interface.ts';

export interface OwnReportComponents {
  readonly transfer: Pick<Transfer, 'sums'>;
  /** What this machine alone holds and has still to give away. */
  readonly copies: { state(): { results: number; jobs: number; logs: number; asked: number } };
}

/** What this machine tells of itself (SPEC R182): within the bounds of what others take. */
export function ownReport({ transfer, copies }: OwnReportComponents, isFull: boolean): SwarmReport {
  const { trees, flows, shunned } = transfer.sums();
  const { results, jobs, logs, asked } = copies.state();
  return {
    kind: 'report',
    fetching: trees.slice(0, SWARM_BUNDLES_MAX).map((tree) => ({
      bundle: tree.bundle,
      sizeBytes: tree.sizeBytes,
      doneBytes: tree.doneBytes,
      files: tree.files,
      doneFiles: tree.doneFiles,
      from: bounded(tree.from),
      ...(tree.lack !== undefined && { lack: tree.lack }),
      awaited: tree.awaited.slice(0, SWARM_AWAITED_MAX),
    })),
    from: bounded(flows),
    copies: { results, jobs, logs, asked },
    shunned: shunned.slice(0, SWARM_PEERS_MAX),
    full: isFull,
  };
}

const bounded = (flows: TransferSums['flows']): SwarmFlow[] =>
  flows.slice(0, SWARM_PEERS_MAX).map(({ peer, bytesPerSecond }) => ({ peer, bytesPerSecond }));
