import {
  type FarmMembers,
  leavingOf,
  type JobId,
  type KnownRecord,
  type PeerId,
  type Verify,
} from '@cuadro/protocol';
import type { ContentSource } from '../blobs/source.ts';
import type { Transfer } from '../blobs/transfer/interface.ts';
import { createTransfer } from '../blobs/transfer/transfer.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Driver } from '../driver.ts';
import { membersNow } from '../jobs/members-now.ts';
import type { Mesh } from '../mesh/interface.ts';
import { createBundleTeller, type BundleTeller } from '../replicas/bundle-teller.ts';
import { createContentSource } from '../replicas/content.ts';
import { createCopies, type Copies } from '../replicas/copies.ts';
import { repairRate } from '../replicas/copy-repairs.ts';
import { RecordDoor } from '../replicas/door.ts';
import type { HeldRecords, RecordSync } from '../replicas/interface.ts';
import type { RecordReader } from '../replicas/reader.ts';
import { createRecordSync } from '../replicas/sync.ts';
import { TaskReader } from '../store/task-reader.ts';
import { createVerifier } from '../system/identity.ts';
import type { Logger } from '../system/interface.ts';
import type { Foundation } from './foundation.ts';

/** What keeps records and content the same on several machines. */
export interface Replicas {
  readonly sync: RecordSync;
  readonly transfer: Transfer;
  readonly copies: Copies;
  readonly teller: BundleTeller;
  readonly content: ContentSource;
  /** The farm's or a member's record changed. */
  membersChanged(): void;
  /** Records of these machines changed, or what is live of them. */
  nodesChanged(peers: readonly PeerId[]): void;
}

/** What records and content are kept the same with. */
export type ReplicasBase = Pick<Foundation, 'clock' | 'random' | 'blobs' | 'bytes'> & {
  logger: Logger;
  /** What the node notes for itself. */
  store: Pick<Foundation['store'], 'getLocal' | 'setLocal'>;
  /** After how many hours out of reach a machine's copies are replaced, as its owner has set it now. */
  replaceHours: () => number;
  /** Ed25519 by default. */
  verify?: Verify;
  /** The most that copies in place of lost ones take, in MiB/s, as its owner has set it now; 0: no bound. */
  repairMiBps?: () => number;
  /** What this machine can't have of a job has changed (SPEC R185). */
  onLacking?: (job: JobId) => void;
  /** Reads bytes with `verify` by default; a simulation lets all its nodes share one that remembers. */
  reader?: RecordReader;
};

const HOUR_MS = 3_600_000;

export function assembleReplicas(
  mesh: Mesh,
  { clock, random, logger, blobs, bytes, verify = createVerifier(), reader, ...base }: ReplicasBase,
  queries: CoreQueries,
  driver: () => Pick<Driver, 'deliver'>,
  onRoot: () => void,
): Replicas {
  const log = logger.child({ room: 'replicas' });
  const deliver = (from: PeerId, records: KnownRecord[]): Promise<void> => driver().deliver(from, records);
  const records = heldRecords(queries);
  const tasks = new TaskReader();
  const readTask = (canonical: Uint8Array) => tasks.read(canonical);
  const sync = createRecordSync({
    ...{ mesh, clock, random, logger: log, verify, bytes, records, deliver, onRoot },
    readTask,
    ...(reader !== undefined && { reader }),
  });
  const transfer = createTransfer({ mesh, blobs, clock, random, logger: logger.child({ room: 'blobs' }) });
  const door = new RecordDoor({
    ...{ verify, bytes, readTask },
    held: () => undefined,
    ...(reader !== undefined && { reader }),
  });
  const roster = createRoster(queries);
  const copies = createCopies({
    mesh,
    blobs,
    transfer,
    queries,
    clock,
    logger: log,
    // Asked for every task that is looked at, and costly to derive.
    members: () => roster.members(),
    leaving: () => roster.leaving(),
    store: base.store,
    replaceAfterMs: () => base.replaceHours() * HOUR_MS,
    repairBytesPerSecond: () => {
      const renders = queries.nodes().some(({ here, live }) => here && live.running.length > 0);
      return repairRate(base.repairMiBps?.() ?? 0, renders);
    },
    bytesOf: (record) => bytes.of(record),
    read: (stored) => {
      const read = door.read(stored);
      return read.kind === 'record' ? read.record : undefined;
    },
    merge: deliver,
    learned: (from) => sync.learned(from),
    ...(base.onLacking !== undefined && { onLacking: base.onLacking }),
  });
  const teller = createBundleTeller({ mesh, transfer, queries });
  return {
    sync,
    transfer,
    copies,
    teller,
    content: createContentSource({ transfer, queries, mesh, clock }),
    membersChanged: () => {
      roster.forget();
      copies.membersChanged();
    },
    nodesChanged: (peers) => {
      if (!roster.changesLeaving(peers)) return;
      roster.forget();
      copies.membersChanged();
    },
  };
}

/** Who belongs to the farm, and who of them is about to leave; derived once per change. */
function createRoster(queries: CoreQueries) {
  let known:
    | { members: FarmMembers['members']; all: ReadonlySet<PeerId>; leaving: ReadonlySet<PeerId> }
    | undefined;
  const derive = () => {
    const now = membersNow(queries);
    const leaves = (peer: PeerId): boolean => leavingOf(now, queries.nodeRecord(peer)) !== undefined;
    return { members: now, all: new Set(now.keys()), leaving: new Set([...now.keys()].filter(leaves)) };
  };
  const roster = () => (known ??= derive());
  return {
    members: () => roster().all,
    leaving: () => roster().leaving,
    /** What changes of a machine is mostly live: only this costs more than a look. */
    changesLeaving: (peers: readonly PeerId[]): boolean => {
      const { members: now, leaving } = roster();
      return peers.some(
        (peer) =>
          now.has(peer) && leaving.has(peer) !== (leavingOf(now, queries.nodeRecord(peer)) !== undefined),
      );
    },
    forget: () => {
      known = undefined;
    },
  };
}

/** All records that this node holds, those of tasks included whose job's own record is still to come (SPEC R187). */
export function heldRecords(queries: Pick<CoreQueries, 'record' | 'recordKeys' | 'heldJobIds'>): HeldRecords {
  return {
    get: (key: string) => queries.record(key),
    *all(): Iterable<KnownRecord> {
      for (const job of [undefined, ...queries.heldJobIds()]) {
        for (const key of queries.recordKeys(job)) {
          const record = queries.record(key);
          if (record !== undefined) yield record;
        }
      }
    },
  };
}
