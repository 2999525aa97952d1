import type { AttemptId, Claim, HeldAttempt, JobId, PeerId, TaskIndex } from '@cuadro/protocol';

/** A grant that is out, as its coordinator keeps it (SPEC R52). */
export interface Lease {
  attempt: AttemptId;
  /** `attemptKey` of the attempt. */
  key: string;
  job: JobId;
  index: TaskIndex;
  group: number;
  redo: number;
  retry: number;
  peer: PeerId;
  /** Monotonic time of the grant; absent where this node did not give it. */
  grantedAt?: number;
  /** Whether a beacon listed it, or progress of it was told. */
  seen: boolean;
  /** Successive beacons that did not list it. */
  missed: number;
  /** Monotonic time of the last of them that counted. */
  missedAt?: number;
  /** The task has a result, and nobody within reach holds it (SPEC R59). */
  substitute?: true;
  /**
   * It was taken back: the task is free again, the machine's place is not until the attempt has ended there. Why, and the
   * monotonic time at which the machine was told last.
   */
  stopping: { readonly reason: string; readonly toldAt: number } | undefined;
  fraction: number;
  remainingMs?: number;
  text?: string;
}

/** A machine as the coordinator knows it: its standing claim and what it holds. */
export interface Machine {
  peer: PeerId;
  claim?: Claim;
  /** The next claim that it sends itself replaces this one, whatever its sequence. */
  claimIsOld?: boolean;
  /** Whether it may be granted anything: what it holds lasts as long as the lease. */
  reachable: boolean;
  /** Monotonic time since which it isn't; undefined while it is. */
  awaySince?: number;
  /** Monotonic time of the last sign of life. */
  heardAt: number;
  /** Monotonic time of the first of the grants that it holds now. */
  leasedAt: number;
  /** When its leases end unless it is heard before; set by a refused redial. */
  refusedUntil?: number;
  load: number;
  freeDiskBytes: number;
  /** Since when it follows this node's reign, and when its latest beacon came; undefined before the first. */
  followsSince?: number;
  beaconAt?: number;
  /** A beacon of it came since the connection to it stands: only then it counts as a follower (SPEC R112). */
  isProven?: boolean;
  /** The highest sequence of its beacons. */
  beaconSequence?: number;
  /** Its latest beacon said that it follows another coordinator: what it tells no more here it tells there. */
  followsAnother?: boolean;
  /** What its latest beacon listed of jobs whose plans aren't here yet: a lease as soon as they are (SPEC R110). */
  unplaced?: HeldAttempt[];
  /** The latest beacon came by way of others. */
  relayed?: boolean;
  /** The latest pulse of this reign named it among those whose beacons are late. */
  named?: boolean;
  /** In the order of granting: the first `slots` are what it runs, the rest is ahead. */
  leases: Map<string, Lease>;
  /** The version of the offers at which nothing was found for it; undefined where something may be. */
  dryAt: number | undefined;
}

/** A machine is reachable once it was heard itself: what others tell of it proves no connection. */
export function newMachine(peer: PeerId, now: number, reachable: boolean): Machine {
  return {
    peer,
    reachable,
    ...(!reachable && { awaySince: now }),
    heardAt: now,
    leasedAt: now,
    load: 0,
    freeDiskBytes: 0,
    leases: new Map(),
    dryAt: undefined,
  };
}

/** Whether the machine is at work on it, rather than keeping it ahead. */
export function isRunning(machine: Machine, lease: Lease): boolean {
  if (lease.stopping !== undefined) return false;
  if (lease.fraction > 0) return true;
  let before = 0;
  for (const other of machine.leases.values()) {
    if (other === lease) return before < (machine.claim?.slots ?? 0);
    before++;
  }
  return false;
}

export function setReachable(machine: Machine, reachable: boolean, now: number): void {
  machine.reachable = reachable;
  if (reachable) delete machine.awaySince;
  else machine.awaySince ??= now;
}
