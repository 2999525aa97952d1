import {
  compareText,
  encode,
  type HeldAttempt,
  type PeerId,
  type Pulse,
  type PulseRow,
} from '@cuadro/protocol';
import type { CoreEffect } from './interface.ts';
import { isRunning, type Lease, type Machine } from './machine.ts';
import {
  BEACON_LATE_MS,
  BEACON_STALE_MS,
  PULSE_BYTES,
  ROWS_DIRECT_MAX,
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
  if (reign.role === 'leading') {
    if (reign.pulseDueAt <= state.now) pulse(state, reign);
    else greet(state, reign);
  }
  if (reign.role !== 'following' || reign.beaconDueAt > state.now) return;
  reign.beaconDueAt = state.now + state.options.beaconIntervalMs;
  const coordinator = reign.epoch.peer;
  if (state.connected.has(coordinator)) state.sayBeacon(coordinator);
  if (isHeardOnlyByWayOfOthers(state, reign)) state.out.gossip('claims', state.beacon());
}

/**
 * Pulses come, but no beacon gets through, since its connection was lost or there never was one in this reign: it goes
 * by way of the others, signed by its origin (SPEC R104).
 */
export function isHeardOnlyByWayOfOthers(
  { connected }: BrainState,
  { epoch, namedStale, cutAt, heardAt }: Following,
): boolean {
  return namedStale || (!connected.has(epoch.peer) && (cutAt === undefined || heardAt > cutAt));
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
  message.rows = rowsOf(state, reign, new PulseRoom(message));
  reign.latest = { ...message, rows: [], rowsApart: true };
  reign.newcomers.clear();
  send(state, message, reign.latest);
  state.out.gossip('pulse', message);
}

/** Where a thousand machines start at once, a pulse to all for each of them would be a million messages (SPEC R123). */
function greet(state: BrainState, { latest, newcomers }: Leading): void {
  if (latest === undefined) return;
  for (const peer of newcomers) state.out.send(peer, latest);
  newcomers.clear();
}

/** Whether so many members are reached that not all is said to all. */
export function isLarge(state: BrainState): boolean {
  return state.reachableOthers().length > ROWS_DIRECT_MAX;
}

/**
 * In a large farm the rows of a pulse are many times the rest of it, and only the successors can't wait for them: all
 * others have them by gossip, which costs the coordinator as much as a few members do (SPEC R121).
 */
function send(state: BrainState, message: Pulse, head: Pulse): void {
  const reachable = state.reachableOthers();
  const inFull = isLarge(state) ? message.successors : reachable;
  if (inFull !== reachable) {
    // One after the other and not in turn with those below: what goes to many in a row is encoded once.
    for (const peer of reachable) if (!inFull.includes(peer)) state.out.send(peer, head);
  }
  for (const peer of inFull) state.out.send(peer, message);
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

/** Whether a member counts as a follower now (SPEC R112, R115). */
export function follows(state: BrainState, reign: Leading, machine: Machine): boolean {
  return (
    machine.followsSince !== undefined &&
    machine.isProven === true &&
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
function rowsOf(state: BrainState, reign: Leading, room: PulseRoom): PulseRow[] {
  const { told, changed } = reign;
  const peers = [...state.machines.keys()].sort(
    (a, b) => (told.get(a) ?? 0) - (told.get(b) ?? 0) || compareText(a, b),
  );
  const inTurn = Math.ceil(peers.length / ROWS_TURN_PULSES);
  const rows: PulseRow[] = [];
  for (const [place, peer] of peers.entries()) {
    if (place >= inTurn && !changed.has(peer)) continue;
    const row = rowOf(state, state.machine(peer));
    if (!room.take(row) && rows.length > 0) break;
    rows.push(row);
    told.set(peer, reign.pulses);
    changed.delete(peer);
  }
  return rows;
}

/**
 * What a pulse has room for. In a farm of some machines all rows fit by far, which is seen without encoding each of them
 * twice a second.
 */
export class PulseRoom {
  readonly #message: Pulse;
  readonly #taken: PulseRow[] = [];
  /** At most so many bytes are taken; exact once that is more than there is room for. */
  #bytes: number;
  #isExact = false;

  constructor(message: Pulse) {
    this.#message = { ...message, rows: [] };
    this.#bytes = mostBytesOfHead(message);
  }

  /** Whether the row still fits; it is counted as taken in any case. */
  take(row: PulseRow): boolean {
    if (!this.#isExact) {
      this.#taken.push(row);
      this.#bytes += mostBytesOfRow(row);
      if (this.#bytes <= PULSE_BYTES) return true;
      this.#isExact = true;
      this.#bytes = encode(this.#message).length;
      for (const taken of this.#taken) this.#bytes += encode(taken).length;
    } else this.#bytes += encode(row).length;
    return this.#bytes <= PULSE_BYTES;
  }
}

/** UTF-8 has three bytes at most for each unit of a text, and five say how long it is. */
const mostBytesOf = (text: string | undefined): number => 5 + 3 * (text?.length ?? 0);

/** The names of all properties, their numbers and lengths. */
const HEAD_BYTES = 256;
const ROW_BYTES = 128;
const HELD_BYTES = 256;

function mostBytesOfHead({ epoch, successors, stale, root }: Pulse): number {
  let bytes = HEAD_BYTES + mostBytesOf(epoch.peer) + mostBytesOf(root);
  for (const peer of successors) bytes += mostBytesOf(peer);
  for (const peer of stale) bytes += mostBytesOf(peer);
  return bytes;
}

function mostBytesOfRow({ peer, held }: PulseRow): number {
  let bytes = ROW_BYTES + mostBytesOf(peer);
  for (const { attempt, job, text } of held)
    bytes += HELD_BYTES + mostBytesOf(attempt.epoch.peer) + mostBytesOf(job) + mostBytesOf(text);
  return bytes;
}

function rowOf(state: BrainState, machine: Machine): PulseRow {
  return {
    peer: machine.peer,
    reachable: machine.peer === state.self || machine.reachable,
    load: machine.load,
    freeDiskBytes: machine.freeDiskBytes,
    held: [...machine.leases.values()]
      .filter(({ stopping }) => stopping === undefined)
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

/** Whether this says a pulse: what is live, and nothing that a write has to keep (SPEC R128). */
export const isPulse = (effect: CoreEffect): boolean =>
  (effect.kind === 'send' || effect.kind === 'gossip') && effect.message.kind === 'pulse';
