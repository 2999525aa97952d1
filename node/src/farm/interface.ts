import type { DoorView, KnownRecord, Signer, Verify } from '@cuadro/protocol';
import type { DoorActions } from '../api/interface.ts';
import type { CoreQueries } from '../core/interface.ts';
import type { Mesh } from '../mesh/interface.ts';
import type { RecordStore } from '../store/interface.ts';
import type { Clock, Logger, Random, Startable } from '../system/interface.ts';

/**
 * Which farm this machine is in, and who else is: founding, joining, the door, merging of farms, removal (DESIGN.md
 * section 8, SPEC R63 to R69). Everything that others may rely on is durable before they are told of it.
 */

/** What it needs of the rest of the node. */
export interface FarmComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly mesh: Pick<
    Mesh,
    | 'self'
    | 'subscribe'
    | 'setMembership'
    | 'addAddresses'
    | 'knownAddresses'
    | 'reachable'
    | 'serveLobby'
    | 'askLobby'
    | 'search'
    | 'refuse'
    | 'status'
  >;
  /** The node's own small values, under `farm/`. */
  readonly store: Pick<RecordStore, 'getLocal' | 'setLocal' | 'listLocal'>;
  readonly queries: Pick<CoreQueries, 'farmRecord' | 'memberRecords' | 'jobIds' | 'jobRecord'>;
  /** Merges records of this farm; resolves once they are durable. */
  merge(records: KnownRecord[]): Promise<void>;
  /** Resolves once all that has come in so far is durable; rejects where that can't be written. */
  durable(): Promise<void>;
  /**
   * Has another machine hold a record that isn't merged here, which is asked only while that is wanted; false where none
   * answered in time that it does.
   */
  tell(record: KnownRecord, isWanted: () => boolean): Promise<boolean>;
  /**
   * Takes another farm's record (the first) and its members in place of this farm's, once this farm's record says
   * `mergedInto` that one; jobs, machines and members stay. Durable, and in one step: a crash leaves either farm.
   */
  adopt(records: KnownRecord[]): Promise<void>;
  /** The door's page is to be shown anew; `view` makes it, for whoever shows it. Called at a bounded rate. */
  onDoor(view: () => DoorView): void;
}

export interface FarmInit {
  /** This machine's name as its owner set it. */
  readonly name: () => string;
  readonly version: string;
  /** Whether others are looked for. Without it a node that has no farm founds one of its own at once, closed. */
  readonly discovery: boolean;
  readonly options?: Partial<FarmOptions>;
}

/** Every number of this room; defaults with reasons in `options.ts`. */
export interface FarmOptions {
  listenMinMs: number;
  listenMaxMs: number;
  listenLimitMs: number;
  openMs: number;
  settleMs: number;
  aloneMs: number;
  roundMs: number;
  askTimeoutMs: number;
  askAgainMs: number;
  waitingPollMs: number;
  newcomerKeptMs: number;
  refusedMs: number;
  intentMs: number;
  presentMs: number;
}

export interface LeaveOptions {
  /** Also where no other machine is there to be told. */
  readonly mayBeSilent: boolean;
  /** Whether it still leaves: somebody may have it stay after all before anybody was told. */
  readonly isWanted?: () => boolean;
}

/** Start it before the mesh, since it answers the mesh's lobby; stop it after. */
export interface FarmMembership extends Startable, DoorActions {
  /** Farm or member records changed. Call it after they are durable. */
  changed(): void;
  /** The same before they are: whoever is out by them is cut off at once (SPEC R190). */
  membersKnown(): void;
  /** How long this node still lets newcomers in by itself; 0 while it is closed. For the pulse. */
  openLeftMs(): number;
  /** Takes this machine out of its farm; whether another machine was told of it (see `leaveFarm`). */
  leave(reason: string, how: LeaveOptions): Promise<boolean>;
}
