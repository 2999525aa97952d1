import {
  compareEpochs,
  compareText,
  type Epoch,
  type Message,
  type PeerId,
  type Pulse,
} from '@cuadro/protocol';
import { judgeMerged } from './failure-policy.ts';
import { forgetTakenBack } from './taking-back.ts';
import { setReachable } from './machine.ts';
import { REIGNS_KEPT } from './options.ts';
import { follows, isHeardOnlyByWayOfOthers, isLarge } from './pulse.ts';
import type { Following, Leading, ReignCause } from './reign.ts';
import { forgetSceneless } from './scenes.ts';
import { askOthers, doubtAt, doubtInSilence, isLost, othersLostIt, silenceConfirmedAt } from './silence.ts';
import type { BrainState } from './state.ts';

/**
 * Who coordinates (SPEC R40 to R44): succession, not voting. Every transition stands here; each is caused by an
 * input or by a deadline that `electionDeadline` names.
 */

/** Begins the search, or leads at once where nobody else could. */
export function startElection(state: BrainState): void {
  state.reign = { role: 'looking', since: state.now, metAt: undefined };
  if (state.others().length === 0) stand(state, 'first');
}

/** Deadlines that have come. Called in each step, after its input. */
export function runElection(state: BrainState): void {
  if (!state.started || state.inDoubt) return;
  const { reign } = state;
  if (reign.role === 'leading') {
    const { collecting } = reign;
    if (collecting === undefined) return;
    if (collecting.until > state.now && collecting.waiting.size > 0) return;
    reign.collecting = undefined;
    const entry = state.history.at(-1);
    if (entry !== undefined && entry.epoch.peer === state.self) entry.collectedAt ??= state.wallTime;
    return;
  }
  if (reign.role === 'following') doubtInSilence(state, reign);
  const standsAt = standTime(state);
  if (standsAt !== undefined && standsAt <= state.now)
    stand(state, reign.role === 'looking' ? 'first' : 'lost');
}

/** When this node stands unless it hears something; undefined where it leads. */
export function electionDeadline(state: BrainState): number | undefined {
  if (!state.started || state.inDoubt) return undefined;
  const { reign } = state;
  if (reign.role === 'leading') return reign.collecting?.until;
  const standsAt = standTime(state);
  const doubtsAt = reign.role === 'following' ? doubtAt(state, reign) : undefined;
  if (standsAt === undefined || doubtsAt === undefined) return standsAt ?? doubtsAt;
  return Math.min(standsAt, doubtsAt);
}

function standTime(state: BrainState): number | undefined {
  const { reign, options } = state;
  if (reign.role === 'leading') return undefined;
  if (reign.role === 'looking') {
    if (state.others().length === 0) return state.now;
    const rank = state.rankAmongReachable();
    const among = reign.metAt === undefined ? undefined : reign.metAt + options.lookAmongMembersMs;
    return (among ?? reign.since + options.lookAloneMs) + rank * options.successorStepMs;
  }
  return Math.min(successorTime(state, reign), leaderlessTime(state, reign));
}

/** A successor's time to stand, once its coordinator is suspected. */
function successorTime(state: BrainState, reign: Following): number {
  const { options } = state;
  const rank = reign.successors.indexOf(state.self);
  if (rank < 0) return Number.POSITIVE_INFINITY;
  const step = rank * options.successorStepMs;
  if (reign.cutAt === undefined) return silenceConfirmedAt(state, reign) + step;
  if (reign.refusedAt !== undefined) return reign.refusedAt + step;
  if (othersLostIt(reign)) return reign.cutAt + step;
  return Math.max(reign.cutAt, reign.heardAt + options.pulseIntervalMs * options.pulsesMissedMax) + step;
}

function leaderlessTime(state: BrainState, { heardAt }: Following): number {
  return heardAt + state.options.leaderlessMs + state.rankAmongReachable() * state.options.successorStepMs;
}

/** This node leads from now on; its term is durable before anything is said in it (SPEC R40). */
export function stand(state: BrainState, cause: ReignCause): void {
  const before = state.reign;
  const term = Math.max(state.highestTerm, before.role === 'looking' ? 0 : before.epoch.term) + 1;
  const epoch: Epoch = { term, peer: state.self };
  const leading: Leading = {
    role: 'leading',
    epoch,
    since: state.now,
    holdersCheckAt: state.now + state.options.holderAwayMs,
    awayCheckAt: state.now,
    someAway: false,
    pulses: 0,
    pulseDueAt: state.now,
    latest: undefined,
    newcomers: new Set(),
    followers: 0,
    followersFrom: state.now,
    inherited: before.role === 'following' ? before.successors : [],
    collecting: undefined,
    changed: new Set(state.machines.keys()),
    told: new Map(),
  };
  state.reign = leading;
  if (cause === 'lost') state.accuse('lost-coordinator');
  begin(state, epoch, cause);
  state.sequence = 0;
  const others = state.reachableOthers();
  for (const machine of state.machines.values()) {
    // Leases that this node only mirrored are its own now: from here on their holders must be heard.
    machine.leasedAt = Math.max(machine.leasedAt, state.now);
    // Whom the coordinator before reached is not reached from here for that.
    setReachable(machine, machine.peer === state.self || state.connected.has(machine.peer), state.now);
    delete machine.followsSince;
    delete machine.beaconAt;
    delete machine.unplaced;
    delete machine.followsAnother;
    delete machine.isProven;
    delete machine.relayed;
    delete machine.named;
    // What was taken back here nobody was told of: whoever holds it says so now, and is stopped or goes on (R114).
    if (machine.peer !== state.self) forgetTakenBack(state, machine);
  }
  collectFrom(state, leading, others);
  forgetSceneless(state);
  for (const job of state.jobs.values()) {
    for (const index of job.table.records.failed()) judgeMerged(state, job, index);
  }
  state.offersChanged();
}

/** Asks members what they hold, and waits for them (SPEC R43): for all in a reign until it is as old as that takes. */
function collectFrom(state: BrainState, reign: Leading, peers: readonly PeerId[]): void {
  const { until, waiting } = reign.collecting ?? {
    until: reign.since + state.options.collectMs,
    waiting: new Set(),
  };
  if (peers.length === 0 || until <= state.now) return;
  reign.collecting = { until, waiting: new Set([...waiting, ...peers]) };
  for (const peer of peers) state.out.send(peer, { kind: 'collect', epoch: reign.epoch });
}

/** The same reign goes on under a higher term, so that a coordinator that yields is followed nowhere else. */
function raise(state: BrainState, reign: Leading, above: number): void {
  const epoch: Epoch = { term: Math.max(state.highestTerm, above) + 1, peer: state.self };
  reign.epoch = epoch;
  reign.pulseDueAt = state.now;
  begin(state, epoch, undefined);
  state.sequence = 0;
}

function begin(state: BrainState, epoch: Epoch, cause: ReignCause | undefined): void {
  state.epoch = epoch;
  state.highestTerm = epoch.term;
  state.out.term = epoch.term;
  state.out.farm = true;
  state.worker.follow(epoch);
  if (cause !== undefined) remember(state, epoch, cause);
  state.tellNodes();
}

function remember(state: BrainState, epoch: Epoch, cause: ReignCause): void {
  const leaderlessMs = Math.max(0, Math.round(state.now - (state.ledAt ?? state.startedAt)));
  const { history } = state;
  history.push({ epoch, wallTime: state.wallTime, cause, leaderlessMs });
  if (history.length > REIGNS_KEPT) history.shift();
}

/** Follows another's reign; what this node leads or followed before ends. */
export function follow(state: BrainState, epoch: Epoch, cause: ReignCause, pulse?: Pulse): void {
  const before = state.reign;
  // Until its own are heard, those of the reign before stand in.
  const successors = before.role === 'following' ? before.successors : [];
  state.epoch = undefined;
  state.highestTerm = Math.max(state.highestTerm, epoch.term);
  state.reign = {
    role: 'following',
    epoch,
    heardAt: state.now,
    sequence: pulse?.sequence ?? 0,
    rowsSequence: pulse === undefined ? 0 : pulse.sequence - (pulse.rowsApart === true ? 1 : 0),
    successors: pulse?.successors ?? successors.filter((peer) => peer !== epoch.peer),
    cutAt: undefined,
    refusedAt: undefined,
    asked: new Map(),
    askedAt: undefined,
    doubters: new Set(),
    beaconDueAt: state.now,
    namedStale: false,
  };
  state.worker.follow(epoch);
  remember(state, epoch, cause);
  state.out.farm = true;
  state.tellNodes();
  state.sayClaim(epoch.peer);
  // Who is only slow still counts on this machine, and would take its silence for its end (SPEC R119).
  const left = cause === 'lost' && before.role === 'following' ? before.epoch.peer : undefined;
  if (left !== undefined && left !== epoch.peer && state.connected.has(left)) state.sayBeacon(left);
}

/** A pulse, by stream or gossip. True where its rows are to be taken: of the coordinator that this node follows now. */
export function takePulse(state: BrainState, from: PeerId, pulse: Pulse): boolean {
  const { epoch } = pulse;
  if (epoch.peer !== from || from === state.self) {
    state.ignore('foreign-sender');
    return false;
  }
  const { reign } = state;
  if (reign.role === 'leading') {
    meet(state, reign, pulse);
    return false;
  }
  if (reign.role === 'looking') follow(state, epoch, 'found', pulse);
  else if (reign.epoch.peer === epoch.peer) return renew(state, reign, pulse);
  else if (compareEpochs(epoch, reign.epoch) > 0 && isLost(state, reign)) follow(state, epoch, 'lost', pulse);
  else {
    state.ignore('foreign-coordinator');
    return false;
  }
  state.ledAt = state.now;
  return pulse.rowsApart !== true;
}

/** Whether a gossiped message is the followed coordinator's pulse once more: then it is of no use to a node without doubts. */
export function isKnownPulse(
  { reign, inDoubt }: BrainState,
  { from, message }: { from: PeerId; message: Message },
): boolean {
  if (message.kind !== 'pulse' || reign.role !== 'following' || inDoubt) return false;
  const { epoch, sequence } = message;
  if (epoch.peer !== from || compareEpochs(epoch, reign.epoch) !== 0) return false;
  return sequence <= reign.sequence && !hasNewRows(reign, message);
}

/** Rows that came apart are of use until those of a later pulse were taken (SPEC R121). */
function hasNewRows({ rowsSequence }: Following, { sequence, rowsApart }: Pulse): boolean {
  return rowsApart !== true && sequence > rowsSequence;
}

function renew(state: BrainState, reign: Following, pulse: Pulse): boolean {
  const order = compareEpochs(pulse.epoch, reign.epoch);
  if (order < 0) {
    state.ignore('stale-epoch');
    return false;
  }
  const isOfUse = hasNewRows(reign, pulse);
  if (isOfUse) reign.rowsSequence = pulse.sequence;
  if (order === 0 && pulse.sequence <= reign.sequence) return isOfUse;
  if (order > 0) {
    reign.epoch = pulse.epoch;
    state.highestTerm = Math.max(state.highestTerm, pulse.epoch.term);
    state.worker.follow(pulse.epoch);
    state.out.farm = true;
  }
  const wasHeardDirectly = !isHeardOnlyByWayOfOthers(state, reign);
  reign.sequence = pulse.sequence;
  reign.successors = pulse.successors;
  reign.namedStale = pulse.stale.includes(state.self);
  reign.heardAt = state.now;
  // Answers about a silence that has ended say nothing of a later one.
  if (reign.cutAt === undefined) reign.asked.clear();
  // Its leases end soon: the first beacon by way of others is not to wait for its turn.
  if (wasHeardDirectly && isHeardOnlyByWayOfOthers(state, reign)) reign.beaconDueAt = state.now;
  state.ledAt = state.now;
  return isOfUse;
}

/** Two coordinators meet: the one with more followers stays, then the longer reign, then the lower peer id. */
function meet(state: BrainState, reign: Leading, pulse: Pulse): void {
  reign.rivalAt = state.now;
  // Whoever leads follows nobody, whatever a beacon said that was long under way (SPEC R119).
  delete state.machine(pulse.epoch.peer).isProven;
  // Those of its latest pulse that are still known to follow: a node whose own time stood still has lost them since.
  let following = 0;
  for (const machine of state.machines.values()) if (follows(state, reign, machine)) following += 1;
  const order =
    Math.min(reign.followers, following) - pulse.followers ||
    reign.pulses - pulse.sequence ||
    compareText(pulse.epoch.peer, reign.epoch.peer);
  if (order > 0) {
    // The other one yields when it hears a higher term from here. Answering each pulse at once would go to and fro.
    if (reign.epoch.term <= pulse.epoch.term) raise(state, reign, pulse.epoch.term);
  } else if (compareEpochs(pulse.epoch, reign.epoch) > 0) yieldTo(state, reign, pulse);
  // Else it rises above this term once it has heard this node's next pulse. Where each takes itself for the younger,
  // since one pulse is always under way, nobody rises: then the lower of two epochs of one term gives way.
}

function yieldTo(state: BrainState, reign: Leading, pulse: Pulse): void {
  const message: Message = { kind: 'yield', epoch: reign.epoch, to: pulse.epoch };
  for (const machine of state.machines.values()) {
    if (machine.peer !== pulse.epoch.peer && machine.followsSince !== undefined) {
      state.out.send(machine.peer, message);
    }
  }
  follow(state, pulse.epoch, 'yielded', pulse);
  state.ledAt = state.now;
}

/** The followed coordinator gives way and says to whom. */
export function takeYield(
  state: BrainState,
  from: PeerId,
  message: Extract<Message, { kind: 'yield' }>,
): void {
  const { reign } = state;
  const { epoch, to } = message;
  if (reign.role !== 'following' || reign.epoch.peer !== from || epoch.peer !== from) {
    state.ignore('foreign-coordinator');
  } else if (compareEpochs(to, reign.epoch) <= 0) state.ignore('stale-epoch');
  // Whoever yields to a machine that is out has not heard so yet, and leads no more all the same.
  else if (state.isOut(to.peer)) state.ignore('no-member');
  else if (to.peer === state.self) stand(state, 'yielded');
  else follow(state, to, 'yielded');
}

/** Whether the coordinator of an epoch is lost from here as well: answered now, and again once it is. */
export function takeDoubt(state: BrainState, from: PeerId, epoch: Epoch): void {
  const { reign } = state;
  const follows = reign.role === 'following' && reign.epoch.peer === epoch.peer;
  if (follows) reign.doubters.add(from);
  const lost = follows ? isLost(state, reign) : reign.role === 'looking';
  state.out.send(from, { kind: 'doubt-answer', epoch, lost });
}

export function takeDoubtAnswer(
  state: BrainState,
  from: PeerId,
  { epoch, lost }: Extract<Message, { kind: 'doubt-answer' }>,
): void {
  const { reign } = state;
  const expected =
    reign.role === 'following' && compareEpochs(reign.epoch, epoch) === 0 && reign.asked.has(from);
  if (expected) reign.asked.set(from, lost);
  else state.ignore('foreign-sender');
}

/** What a connection's change means for who leads. */
export function peerChanged(
  state: BrainState,
  peer: PeerId,
  told: 'reachable' | 'lost' | 'refused' | 'silent',
): void {
  const { reign } = state;
  if (reign.role === 'looking') {
    if (told === 'reachable') reign.metAt ??= state.now;
    return;
  }
  if (reign.role === 'leading') {
    if (told === 'reachable') {
      // It may follow nobody, or another coordinator: either way it is to hear of this one now.
      if (isLarge(state)) reign.newcomers.add(peer);
      else reign.pulseDueAt = state.now;
      reign.changed.add(peer);
      // What it was asked went with its connection, and so did its answer (SPEC R118).
      if (state.reachableOthers().includes(peer)) collectFrom(state, reign, [peer]);
    } else reign.collecting?.waiting.delete(peer);
    return;
  }
  if (peer !== reign.epoch.peer) return;
  if (told === 'reachable') {
    reign.cutAt = undefined;
    reign.refusedAt = undefined;
    reign.asked.clear();
    state.sayClaim(peer);
    reign.beaconDueAt = state.now;
    return;
  }
  reign.cutAt ??= state.now;
  if (told === 'refused') reign.refusedAt ??= state.now;
  for (const doubter of reign.doubters) {
    state.out.send(doubter, { kind: 'doubt-answer', epoch: reign.epoch, lost: true });
  }
  reign.doubters.clear();
  if (told === 'lost' && reign.successors[0] === state.self) askOthers(state, reign);
}
