import type { JobId, KnownRecord, PeerId } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { Transfer } from '../blobs/transfer/interface.ts';
import type { Changes, CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger, Startable } from '../system/interface.ts';

export interface CopiesComponents {
  readonly mesh: Pick<Mesh, 'self' | 'serve' | 'open' | 'reachable' | 'subscribe' | 'refuse'>;
  readonly blobs: Pick<BlobStore, 'has' | 'read' | 'pin' | 'pins' | 'unpin' | 'unpinOwner'>;
  readonly transfer: Pick<Transfer, 'fetchMany' | 'ensureTree'>;
  readonly queries: Pick<CoreQueries, 'jobRecord' | 'jobIds' | 'taskRecord' | 'removed'>;
  /** Everyone in the farm, this machine included. */
  readonly members: () => ReadonlySet<PeerId>;
  /** Members that are about to leave it (SPEC R161). */
  readonly leaving: () => ReadonlySet<PeerId>;
  /** A machine's copies count no more once it was out of reach for so long (SPEC R195). */
  readonly replaceAfterMs: () => number;
  /** Where this node notes for its next start who is out of reach. */
  readonly store: Pick<RecordStore, 'getLocal' | 'setLocal'>;
  /** How much may be asked for in a second in place of copies that are gone; infinite without a bound. */
  readonly repairBytesPerSecond: () => number;
  /** The canonical bytes of a record. */
  readonly bytesOf: (record: KnownRecord) => Uint8Array;
  /** The door for records that others send (form and signatures): undefined for what may not come in. */
  readonly read: (bytes: Uint8Array) => KnownRecord | undefined;
  /** What can't be had of a job has changed. */
  readonly onLacking?: (job: JobId) => void;
  /** Merges records, and resolves once they are durable; must not wait for a job's plan. */
  readonly merge: (from: PeerId, records: KnownRecord[]) => Promise<void>;
  /** Records that a peer had held here, and may tell nobody else, are durable. */
  readonly learned: (from: PeerId) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How many machines hold something by now, and why it is only one. */
export interface Kept {
  machines: number;
  others: 'enough' | 'none' | 'unreachable' | 'late';
}

export interface CopiesState {
  /** Results that are in one copy only, because of this machine: the copies that it still has to give away. */
  readonly results: number;
  readonly jobs: number;
  /** Tasks with a failed attempt whose log is in one copy only (SPEC R133). */
  readonly logs: number;
  /** Of all these, those that somebody was asked to hold and hasn't answered. */
  readonly asked: number;
}

/**
 * Replicate before done (DESIGN.md section 6): asks another machine to hold what this one alone holds, and holds what
 * others ask for. A result that waits stays *rendered*. What was left in one copy is found again at start and when
 * members come and go. Start it before the mesh, whose protocol `hold` it serves.
 */
export interface Copies extends Startable {
  /** These changed, and are durable here. */
  changed(changes: Pick<Changes, 'jobs' | 'removed' | 'tasks'>): void;
  /** Who belongs to the farm has changed. Those that are lost or come back are seen without this. */
  membersChanged(): void;
  state(): CopiesState;
  /** Whether no other machine can be reached now. */
  alone(): boolean;
  /** What this machine is to have of a job and can't have of anybody within reach: one sentence (SPEC R185, R188). */
  lacking(job: JobId): string | undefined;
  /** How many hold a job's record, plan and bundle: waits a bounded time for a second one. */
  acknowledge(job: JobId): Promise<Kept>;
  /** How many hold these records: waits a bounded time for a second one, which is asked only while they are wanted. */
  confirm(records: readonly KnownRecord[], isWanted?: () => boolean): Promise<Kept>;
  /** What a machine needs that leaves the farm (SPEC R162). */
  readonly leaving: CopiesOfLeaver;
}

/** While this machine leaves, only copies at machines count that know it and have answered that they stay. */
export interface CopiesOfLeaver {
  /** Members within reach that were not asked yet since they came. */
  unasked(): readonly PeerId[];
  /** Asks one to hold these records; whether it has, and so stays. One that leaves itself refuses. */
  ask(peer: PeerId, records: readonly KnownRecord[]): Promise<boolean>;
  /** The answers are complete as far as they can be had now: its copies count from here on. */
  stays(peer: PeerId): void;
  /** How many machines' copies count. */
  staying(): number;
  /** Whether everything was looked at since that was last called for: before, there may be more than `state` says. */
  isWhole(): boolean;
  /** How many others are to hold everything that this machine holds. */
  wanted(): number;
  want(copies: number): void;
}
