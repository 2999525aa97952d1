import type { DiaryEvent, ToldEntry } from './diary.ts';
import type { PeerId } from './ids.ts';
import type { NightKind, NightState } from './night-views.ts';

/** What a machine's diary and its coordinators' say of it, as stretches of time (SPEC R127). Pure. */

export interface Stretch {
  readonly peer: PeerId;
  readonly kind: NightKind;
  readonly state: NightState;
  readonly from: number;
  /** Undefined while it lasts. */
  readonly to: number | undefined;
  /** What the machine itself said of it. */
  readonly said?: string;
  /** By whom a machine was paused. */
  readonly by?: 'owner' | 'farm';
}

/**
 * Where the network was cut, both sides lost the other and say so. Of two that lost each other, the one that lost more
 * machines was with the few: its word is left out, and what the many say of the few stands.
 */
export function withoutTheFew(entries: readonly ToldEntry[]): ToldEntry[] {
  const losses = entries.flatMap((entry) =>
    entry.event.kind === 'lost'
      ? [{ by: entry.peer, machine: entry.event.machine, at: entry.at, entry }]
      : [],
  );
  const atOnce = (by: PeerId, at: number) =>
    losses.filter((loss) => loss.by === by && Math.abs(loss.at - at) <= SAME_TIME_MS);
  const few = losses.filter(({ by, machine, at }) => {
    const lostMe = losses.find(
      (other) => other.machine === by && other.by !== by && Math.abs(other.at - at) <= SAME_TIME_MS,
    );
    if (lostMe === undefined) return false;
    const order = atOnce(by, at).length - atOnce(lostMe.by, at).length;
    return order > 0 || (order === 0 && machine === lostMe.by && by > lostMe.by);
  });
  const left = new Set(few.map(({ entry }) => entry));
  return entries.filter((entry) => !left.has(entry));
}

/** A loss belongs to what the machine says of the same time: its own word is a minute late at most. */
const SAME_TIME_MS = 90_000;

/** All stretches of one machine. `entries` are everybody's. */
export function stretchesOf(peer: PeerId, entries: readonly ToldEntry[]): Stretch[] {
  const own = entries.filter((entry) => entry.peer === peer);
  const losses = lossesOf(peer, entries);
  const absences = absencesOf(peer, own).map((absence) => sharpened(absence, losses));
  const unexplained = losses.filter((loss) => !absences.some((absence) => explains(absence, loss)));
  return [...absences, ...unexplained, ...restsOf(peer, own)].sort((a, b) => a.from - b.from);
}

/** What the machine itself told of its absences once it was back, and its word when it went. */
function absencesOf(peer: PeerId, own: readonly ToldEntry[]): Stretch[] {
  const absences: Stretch[] = [];
  for (const { at, event } of own) {
    if (event.kind === 'woke')
      absences.push({ peer, kind: 'asleep', state: 'asleep', from: at - event.forMs, to: at });
    if (event.kind === 'started' && event.since !== undefined) {
      const kind = event.after === 'order' ? 'switched-off' : 'rebooted';
      absences.push({ peer, kind, state: 'off', from: Math.min(event.since, at), to: at });
    }
  }
  const last = own.at(-1);
  if (last?.event.kind === 'ended')
    absences.push({ peer, kind: 'switched-off', state: 'off', from: last.at, to: undefined });
  return absences;
}

/** When its coordinators lost it and found it again. */
function lossesOf(peer: PeerId, entries: readonly ToldEntry[]): Stretch[] {
  const about = entries.filter(({ event }) => isAbout(event, peer)).sort((a, b) => a.at - b.at);
  const losses: Stretch[] = [];
  let from: number | undefined;
  const loss = (to: number | undefined): void => {
    if (from === undefined) return;
    const kind = to === undefined ? 'lost' : 'cut-off';
    losses.push({ peer, kind, state: 'lost', from, to });
    from = undefined;
  };
  for (const { at, event } of about) {
    if (event.kind === 'lost') from ??= at;
    else loss(at);
  }
  loss(undefined);
  return losses;
}

const isAbout = (event: DiaryEvent, peer: PeerId): boolean =>
  (event.kind === 'lost' || event.kind === 'back') && event.machine === peer;

/** The machine has told why: its absence covers the moment at which it was lost. */
function explains({ from, to }: Stretch, loss: Stretch): boolean {
  const end = to ?? Number.POSITIVE_INFINITY;
  return loss.from >= from - SAME_TIME_MS && loss.from <= end + SAME_TIME_MS;
}

/** A machine that vanished knows only to the minute when; whoever lost it knows better. */
function sharpened(absence: Stretch, losses: readonly Stretch[]): Stretch {
  if (absence.kind !== 'rebooted' || absence.to === undefined) return absence;
  const { from, to } = absence;
  const loss = losses.find((one) => one.from >= from && one.from <= Math.min(to, from + SAME_TIME_MS));
  return loss === undefined ? absence : { ...absence, from: loss.from };
}

const RESTS = {
  owner: ['paused', 'paused'],
  farm: ['paused', 'paused'],
  hours: ['off-hours', 'resting'],
  disk: ['disk-full', 'full'],
  slots: ['held-back', 'resting'],
  fault: ['fault', 'faulty'],
} as const satisfies Record<string, readonly [NightKind, NightState]>;

/** When it took no work, and why. */
function restsOf(peer: PeerId, own: readonly ToldEntry[]): Stretch[] {
  const rests: Stretch[] = [];
  let open: { at: number; event: Extract<DiaryEvent, { kind: 'rests' }> } | undefined;
  const close = (to: number | undefined): void => {
    if (open === undefined) return;
    const { at: from, event } = open;
    const [kind, state] = RESTS[event.why];
    const by = event.why === 'owner' || event.why === 'farm' ? { by: event.why } : {};
    rests.push({ peer, kind, state, from, to, said: event.sentence, ...by });
    open = undefined;
  };
  for (const { at, event } of own) {
    if (event.kind !== 'rests' && event.kind !== 'works') continue;
    close(at);
    if (event.kind === 'rests') open = { at, event };
  }
  close(undefined);
  return rests;
}

/** Machines that went down within so long of each other went down together: each knows it to the minute. */
const TOGETHER_MS = 90_000;

export interface PowerCut {
  readonly stretches: readonly Stretch[];
  readonly at: number;
  readonly until: number;
}

/** Times at which every machine that was on went down at once, two at least. */
export function powerCuts(all: readonly Stretch[], onSince: ReadonlyMap<PeerId, number>): PowerCut[] {
  const falls = all
    .filter(({ kind, to }) => kind === 'rebooted' && to !== undefined)
    .sort((a, b) => a.from - b.from);
  const cuts: PowerCut[] = [];
  for (const fall of falls) {
    const known = cuts.some(({ stretches }) => stretches.includes(fall));
    const together = falls.filter(({ from }) => from >= fall.from && from - fall.from <= TOGETHER_MS);
    const peers = new Set(together.map(({ peer }) => peer));
    if (known || peers.size < 2) continue;
    // None knows a later time than that of the cut.
    const at = Math.max(...together.map(({ from }) => from));
    if (survivors(peers, at, all, onSince).length > 0) continue;
    cuts.push({ stretches: together, at, until: Math.max(...together.map(({ to }) => to ?? at)) });
  }
  return cuts;
}

/** Machines that were on at that time and not among these. */
function survivors(
  fallen: ReadonlySet<PeerId>,
  at: number,
  all: readonly Stretch[],
  onSince: ReadonlyMap<PeerId, number>,
): PeerId[] {
  const isAway = (peer: PeerId): boolean =>
    all.some(
      (one) =>
        one.peer === peer &&
        (one.state === 'off' || one.state === 'asleep' || one.state === 'lost') &&
        one.from <= at + SAME_TIME_MS &&
        (one.to ?? Number.POSITIVE_INFINITY) >= at,
    );
  return [...onSince]
    .filter(([peer, since]) => since < at && !fallen.has(peer) && !isAway(peer))
    .map(([peer]) => peer);
}

/** When each machine first appears in the diaries. */
export function onSince(entries: readonly ToldEntry[]): Map<PeerId, number> {
  const since = new Map<PeerId, number>();
  for (const { peer, at } of entries) since.set(peer, Math.min(at, since.get(peer) ?? at));
  return since;
}

/** What covers what, where a machine was several things at once. */
const RANKS: readonly NightState[] = [
  'idle',
  'rendering',
  'resting',
  'paused',
  'faulty',
  'full',
  'lost',
  'off',
  'asleep',
];

export interface Span {
  readonly state: NightState;
  readonly from: number;
  readonly to: number;
}

/** One state for each moment from `from` to `to`: the highest of those that cover it. */
export function timelineOf(parts: readonly Span[], { from, to }: { from: number; to: number }): Span[] {
  const inside = parts
    .map((part) => ({ ...part, from: Math.max(part.from, from), to: Math.min(part.to, to) }))
    .filter((part) => part.to > part.from);
  const bounds = [...new Set([from, to, ...inside.flatMap((part) => [part.from, part.to])])].sort(
    (a, b) => a - b,
  );
  const spans: Span[] = [];
  for (const [i, begin] of bounds.entries()) {
    const end = bounds[i + 1];
    if (end === undefined) break;
    let state: NightState = 'idle';
    for (const part of inside) {
      if (part.from > begin || part.to < end) continue;
      if (RANKS.indexOf(part.state) > RANKS.indexOf(state)) state = part.state;
    }
    const last = spans.at(-1);
    if (last?.state === state) spans[spans.length - 1] = { ...last, to: end };
    else spans.push({ state, from: begin, to: end });
  }
  return spans;
}
