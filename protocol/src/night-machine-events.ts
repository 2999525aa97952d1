import type { DiaryEvent, ToldEntry } from './diary.ts';
import type { PeerId } from './ids.ts';
import type { NightSource } from './night-facts.ts';
import type { PowerCut, Stretch } from './night-machines.ts';
import type { NightEvent } from './night-views.ts';
import { counted, lasting, listed } from './night-words.ts';

/** What happened to machines, in sentences (SPEC R127). */

type Names = Pick<NightSource, 'nameOf'>;

export function powerCutEvent({ nameOf }: Names, { stretches, at, until }: PowerCut): NightEvent {
  const peers = [...new Set(stretches.map(({ peer }) => peer))];
  return {
    id: `power-cut ${at}`,
    kind: 'power-cut',
    at,
    until,
    lasts: false,
    sentence: `All ${peers.length} machines that were on went down together, as in a power cut: ${listed(peers.map(nameOf))}. The last was back after ${lasting(until - at)}, and the work went on.`,
    tone: 'bad',
    machines: peers,
  };
}

export function stretchEvent(names: Names, stretch: Stretch): NightEvent {
  const { peer, kind, from, to } = stretch;
  return {
    id: `${kind} ${peer} ${from}`,
    kind,
    at: from,
    ...(to !== undefined && { until: to }),
    lasts: to === undefined,
    sentence: stretchSentence(names.nameOf(peer), stretch),
    tone: TONES[kind] ?? 'note',
    machines: [peer],
  };
}

const TONES: Partial<Record<Stretch['kind'], NightEvent['tone']>> = {
  lost: 'bad',
  rebooted: 'odd',
  'cut-off': 'odd',
  'disk-full': 'bad',
  fault: 'bad',
};

function stretchSentence(name: string, { kind, from, to, said = '', by }: Stretch): string {
  const long = to === undefined ? undefined : lasting(to - from);
  switch (kind) {
    case 'asleep':
      return `${name} slept for ${long ?? 'a while'}.`;
    case 'switched-off':
      return long === undefined
        ? `${name} was switched off, and is off still.`
        : `${name} was switched off, and was back after ${long}.`;
    case 'rebooted':
      return `${name} went down without notice (a restart, a crash or a power cut), and was back after ${long ?? 'a while'}.`;
    case 'lost':
      return `${name} was lost: it can't be reached since. It is asleep, switched off, cut off or broken.`;
    case 'cut-off':
      return `${name} was out of reach for ${long ?? 'a while'} and came back without having stopped, so it was the network.`;
    case 'disk-full':
      // A full disk, a quota that is reached, a folder that is gone or only to be read.
      return `${name} could keep no more results and took no work${forLong(long)}.${quoted(said)}`;
    case 'paused':
      return by === 'owner'
        ? `The owner of ${name} wanted it back, so it took no work${forLong(long)}.`
        : `Somebody paused ${name}, so it took no work${forLong(long)}.`;
    default:
      return `${name} took no work${forLong(long)}.${quoted(said)}`;
  }
}

const forLong = (long: string | undefined): string =>
  long === undefined ? ', and still takes none' : ` for ${long}`;

/** It spoke of that time: by the morning it need not be so. */
const quoted = (said: string): string => (said === '' ? '' : ` It said: “${said}”`);

/** Entries that tell of a moment by themselves. */
export function momentEvents(
  names: Names,
  entries: readonly ToldEntry[],
  stretches: readonly Stretch[],
): NightEvent[] {
  const told = entries.flatMap(({ peer, sequence, at, event }): NightEvent[] => {
    const moment = momentSentence(names, { peer, at, event }, stretches);
    if (moment === undefined) return [];
    return [
      {
        id: `${moment.kind} ${peer} ${sequence}`,
        machines: [peer],
        ...moment,
        at,
        lasts: false,
      },
    ];
  });
  const isJoin = ({ kind }: NightEvent): boolean => kind === 'joined';
  return [...told.filter((event) => !isJoin(event)), ...joins(names, told.filter(isJoin))];
}

/** A new farm's machines are switched on one after the other. */
const JOINS_TOGETHER_MS = 600_000;

function joins({ nameOf }: Names, events: readonly NightEvent[]): NightEvent[] {
  const groups: NightEvent[][] = [];
  for (const event of [...events].sort((a, b) => a.at - b.at)) {
    const last = groups.at(-1);
    if (last !== undefined && event.at - (last.at(-1)?.at ?? 0) <= JOINS_TOGETHER_MS) last.push(event);
    else groups.push([event]);
  }
  return groups.map((group): NightEvent => {
    const [first] = group as [NightEvent];
    const machines = group.flatMap((event) => event.machines);
    if (machines.length === 1) return first;
    const sentence = `The nodes of ${listed(machines.map(nameOf))} ran for the first time.`;
    return { ...first, sentence, machines };
  });
}

function momentSentence(
  { nameOf }: Names,
  { peer, at, event }: { peer: PeerId; at: number; event: DiaryEvent },
  stretches: readonly Stretch[],
): (Pick<NightEvent, 'kind' | 'sentence' | 'tone'> & Partial<Pick<NightEvent, 'machines'>>) | undefined {
  const name = nameOf(peer);
  switch (event.kind) {
    case 'started':
      if (event.since !== undefined) return undefined;
      return { kind: 'joined', sentence: `The node of ${name} ran for the first time.`, tone: 'note' };
    case 'copied':
      return {
        kind: 'copied',
        sentence: `${counted(event.results, 'result')} that only ${name} held ${event.results === 1 ? 'is' : 'are'} on a second machine now.`,
        tone: 'good',
      };
    case 'misfit':
      return {
        kind: 'misfit',
        sentence: misfitSentence(name, nameOf(event.machine), event),
        tone: 'bad',
        machines: [event.machine, peer],
      };
    case 'leads':
      return {
        kind: 'coordinator',
        sentence: isApart(peer, at, stretches)
          ? `${name} was cut off from the others and coordinated what it could do alone.`
          : leadsSentence(nameOf, name, event, whyGone(event.before, at, stretches)),
        tone: event.cause === 'lost' ? 'odd' : 'note',
      };
    default:
      return undefined;
  }
}

/** Of a hash as much as people compare. */
const HASH_SHOWN = 12;

function misfitSentence(
  name: string,
  liar: string,
  { hash, count }: Extract<DiaryEvent, { kind: 'misfit' }>,
): string {
  const file = `the file ${hash.slice(0, HASH_SHOWN)}`;
  return count === 1
    ? `${liar} sent ${name} a wrong piece of ${file}. It was dropped, and ${liar} was not asked for a while.`
    : `${liar} sent ${name} ${count} wrong pieces, the last of ${file}. They were dropped, and ${liar} was not asked for a while.`;
}

/** A coordinator is found to be gone within seconds, and says so within two minutes. */
const BEFORE_MS = 120_000;

/** A machine that was cut off stands within seconds, and is missed a little later. */
const APART_MS = 15_000;

/** Whether the many tell that it was out of reach when it came to lead. */
const isApart = (peer: PeerId, at: number, stretches: readonly Stretch[]): boolean =>
  stretches.some(
    (one) =>
      one.peer === peer && one.kind === 'cut-off' && one.from - APART_MS <= at && at < (one.to ?? at) - 1,
  );

/** What became of the coordinator before. */
function whyGone(before: PeerId | undefined, at: number, stretches: readonly Stretch[]): string | undefined {
  const gone = stretches.findLast(
    ({ peer, state, from, to }) =>
      peer === before &&
      (state === 'off' || state === 'asleep' || state === 'lost') &&
      Math.abs(at - from) <= BEFORE_MS &&
      (to ?? at) >= at - BEFORE_MS,
  );
  switch (gone?.kind) {
    case 'asleep':
      return 'fell asleep';
    case 'switched-off':
      return 'was switched off';
    case 'rebooted':
      return 'went down';
    case undefined:
      return undefined;
    default:
      return 'was lost';
  }
}

/** One that ends in order gives way at once: less is no news. */
const LEADERLESS_MIN_MS = 500;

function leadsSentence(
  nameOf: (peer: PeerId) => string,
  name: string,
  { cause, leaderlessMs, before }: Extract<DiaryEvent, { kind: 'leads' }>,
  whyGoneBefore: string | undefined,
): string {
  const meanwhile =
    leaderlessMs >= LEADERLESS_MIN_MS ? ` Nobody did for ${lasting(leaderlessMs)}; what ran went on.` : '';
  switch (cause) {
    case 'lost': {
      const who = before === undefined ? 'the coordinator before' : nameOf(before);
      return `${name} coordinates the farm, because ${who} ${whyGoneBefore ?? "couldn't be reached"}.${meanwhile}`;
    }
    case 'yielded':
      return `${name} coordinates the farm: two parts of it met again, and the one with fewer followers gave way.`;
    default:
      return `${name} coordinates the farm: it found no other coordinator when it started.`;
  }
}
