import {
  compareText,
  encode,
  type HeldAttempt,
  type PeerId,
  type Pulse,
  type PulseRow,
} from '@cuadro/protocol';
import { isRunning, type Lease, type Machine } from './machine.ts';
import {
  BEACON_LATE_MS,
  BEACON_STALE_MS,
  PULSE_BYTES,
  ROWS_TURN_PULSES,
  SUCCESSORS_NAMED,
} from './options.ts';
import type { Following, Leading } from './reign.ts';
import type { BrainState } from './state.ts';

/** What a coordinator says to all twice a second, and what its followers say to it once a second (SPEC R42). */

/** Says pulse or beacon where it is due. */
export function speak(state: BrainState): void {
  const { reign } = state;
  if (!state.started || state.inDoubt) return;
  if (reign.role === 'leading' && reign.pulseDueAt <= state.now) pulse(state, reign);
  if (reign.role !== 'following' || reign.beaconDueAt > state.now) return;
  reign.beaconDueAt = state.now + state.options.beaconIntervalMs;
  const coordinator = reign.epoch.peer;
  if (state.connected.has(coordinator)) state.sayBeacon(coordinator);
  if (isHeardOnlyByWayOfOthers(reign)) state.out.gossip('claims', state.beacon());
}

/** Pulses still come, but no beacon gets through: it goes by way of the others, signed by its origin (SPEC R104). */
export function isHeardOnlyByWayOfOthers({ namedStale, cutAt, heardAt }: Following): boolean {
  return namedStale || (cutAt !== undefined && heardAt > cutAt);
}

/** When something is to be said next; undefined where nobody would hear it. */
export function speechDeadline(state: BrainState): number | undefined {
  const { reign } = state;
  if (!state.started || state.inDoubt || state.others().length === 0) return undefined;
  if (reign.role === 'leading') return reign.pulseDueAt;
  return reign.role === 'following' ? reign.beaconDueAt : undefined;
}

function pulse(state: BrainState, reign: Leading): void {
  reign.pulseDueAt = state.now + state.options.pulseIntervalMs;
  const others = state.others();
  if (others.length === 0) return;
  const following = [...state.machines.values()].filter((machine) => follows(state, reign, machine));
  reign.pulses++;
  reign.followers = following.length;
  const message: Pulse = {
    kind: 'pulse',
    epoch: reign.epoch,
    sequence: reign.pulses,
    successors: successorsOf(state, reign, following),
    followers: reign.followers,
    stale: staleMembers(state),
    rows: [],
    ...(state.root !== undefined && { root: state.root }),
  };
  message.rows = rowsOf(state, reign, PULSE_BYTES - encode(message).length);
  for (const peer of state.reachableOthers()) state.out.send(peer, message);
  state.out.gossip('pulse', message);
}

/** Who followed longest comes first; a young reign fills up with the successors of the one before, then with all. */
function successorsOf(state: BrainState, reign: Leading, following: readonly Machine[]): PeerId[] {
  const proven = [...following]
    .sort((a, b) => (a.followsSince ?? 0) - (b.followsSince ?? 0) || compareText(a.peer, b.peer))
    .map(({ peer }) => peer);
  const reachable = state.reachableOthers();
  const inherited = reign.inherited.filter((peer) => reachable.includes(peer));
  const all = new Set([...proven, ...inherited, ...[...reachable].sort(compareText)]);
  return [...all].slice(0, SUCCESSORS_NAMED);
}

function follows(state: BrainState, reign: Leading, machine: Machine): boolean {
  return (
    machine.followsSince !== undefined &&
    machine.beaconAt !== undefined &&
    machine.beaconAt >= reign.followersFrom &&
    state.now - machine.beaconAt < BEACON_STALE_MS
  );
}

/** Whether so many of its beacons are missed that one by way of others is welcome, though a connection seems to stand. */
export function isLate(state: BrainState, { beaconAt }: Machine): boolean {
  return beaconAt === undefined || state.now - beaconAt >= BEACON_LATE_MS;
}

/** Also those that are heard by way of others: they go on that way for as long as they are named. */
function staleMembers(state: BrainState): PeerId[] {
  return state.others().filter((peer) => {
    const machine = state.machines.get(peer);
    if (machine?.followsSince === undefined) return false;
    const isStale = machine.relayed === true || isLate(state, machine);
    if (isStale && machine.named !== true) state.accuse('late');
    machine.named = isStale;
    return isStale;
  });
}

/**
 * Rows of the machines that changed, and of some others in turn. Those told longest ago come first, changed or not:
 * where all change all the time not all fit, and every row is still told in its turn. The rest comes with the next pulse.
 */
function rowsOf(state: BrainState, reign: Leading, limitBytes: number): PulseRow[] {
  const { told, changed } = reign;
  const peers = [...state.machines.keys()].sort(
    (a, b) => (told.get(a) ?? 0) - (told.get(b) ?? 0) || compareText(a, b),
  );
  const inTurn = Math.ceil(peers.length / ROWS_TURN_PULSES);
  const rows: PulseRow[] = [];
  let bytes = 0;
  for (const [place, peer] of peers.entries()) {
    if (place >= inTurn && !changed.has(peer)) continue;
    const row = rowOf(state, state.machine(peer));
    bytes += encode(row).length;
    if (bytes > limitBytes && rows.length > 0) break;
    rows.push(row);
    told.set(peer, reign.pulses);
    changed.delete(peer);
  }
  return rows;
}

function rowOf(state: BrainState, machine: Machine): PulseRow {
  return {
    peer: machine.peer,
    reachable: machine.peer === state.self || machine.reachable,
    load: machine.load,
    freeDiskBytes: machine.freeDiskBytes,
    held: [...machine.leases.values()]
      .filter((lease) => !lease.stopping)
      .map((lease) => heldOf(lease, isRunning(machine, lease))),
  };
}

export function heldOf(lease: Lease, running: boolean): HeldAttempt {
  const { attempt, job, index, redo, retry, fraction, remainingMs, text, substitute } = lease;
  return {
    attempt,
    job,
    task: index,
    redo,
    retry,
    running,
    fraction,
    ...(substitute && { substitute }),
    ...(remainingMs !== undefined && { remainingMs }),
    ...(text !== undefined && { text }),
  };
}
