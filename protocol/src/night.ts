import type { PeerId } from './ids.ts';
import { type NightSource, type NightWork } from './night-facts.ts';
import { jobEvents, jobNeeds, jobSummary } from './night-job-events.ts';
import { momentEvents, powerCutEvent, stretchEvent } from './night-machine-events.ts';
import {
  onSince,
  powerCuts,
  stretchesOf,
  timelineOf,
  withoutTheFew,
  type Span,
  type Stretch,
} from './night-machines.ts';
import {
  NIGHT_EVENTS_MAX,
  type NightEvent,
  type NightMachine,
  type NightNeed,
  type NightState,
  type NightView,
} from './night-views.ts';
import { counted, lasting, within } from './night-words.ts';

/**
 * What the night did: one pure function of diaries and records, so every machine tells the same (SPEC R127), and the
 * one place in which its sentences are made, for the dashboard, the command line and the API.
 */
export function tellNight(source: NightSource): NightView {
  const { from, to, jobs } = source;
  const diary = withoutTheFew(source.diary);
  const peers = new Set<PeerId>([...source.nodes.map(({ peer }) => peer), ...diary.map(({ peer }) => peer)]);
  const stretches = [...peers].flatMap((peer) => stretchesOf(peer, diary));
  const members = new Set(source.nodes.map(({ peer }) => peer));
  // Who was removed writes nothing any more, and that it did not go down says nothing; nor does anybody wait for it.
  const cuts = powerCuts(stretches, onSince(diary.filter(({ peer }) => members.has(peer))));
  const inCuts = new Set(cuts.flatMap((cut) => cut.stretches));
  const all: NightEvent[] = [
    ...cuts.map((cut) => powerCutEvent(source, cut)),
    ...stretches
      .filter((one) => !inCuts.has(one) && (members.has(one.peer) || (one.to ?? one.from) >= from))
      .map((one) => stretchEvent(source, one)),
    ...momentEvents(source, diary, stretches),
    ...jobs.flatMap((job) => jobEvents(source, job)),
  ];
  // What began before and ended in this time, or lasts, belongs to it.
  const events = all
    .filter(({ at, until, lasts }) => at <= to && (lasts || (until ?? at) >= from))
    .sort((a, b) => a.at - b.at || isEnd(a) - isEnd(b) || (a.id < b.id ? -1 : 1));
  const needs = [...jobs.flatMap(jobNeeds), ...machineNeeds(source, stretches)];
  const machines = source.nodes.map((node) => machineView(source, node.peer, stretches));
  return {
    from,
    to,
    summary: summaryOf(source, needs),
    needs,
    jobs: jobs.map((job) => jobSummary(source, job)),
    machines,
    events: events.slice(-NIGHT_EVENTS_MAX),
    leftOut: Math.max(0, events.length - NIGHT_EVENTS_MAX),
  };
}

/** A job ends with the last of its tasks, at the same time: what made it end is told before. */
const isEnd = ({ kind }: NightEvent): number => (kind === 'job-ended' ? 1 : 0);

function machineNeeds({ nodes, nameOf }: NightSource, stretches: readonly Stretch[]): NightNeed[] {
  const members = new Map(nodes.map((node) => [node.peer, node]));
  return stretches.flatMap((stretch): NightNeed[] => {
    const { peer, kind, to, said } = stretch;
    const node = members.get(peer);
    if (to !== undefined || node === undefined) return [];
    const id = `${kind} ${peer}`;
    const name = nameOf(peer);
    if (kind === 'disk-full')
      return [{ id, machine: peer, sentence: `${name} can keep no more results: ${said ?? ''}` }];
    if (kind === 'fault')
      return [{ id, machine: peer, sentence: `Look after ${name}: ${within(said ?? '')}.` }];
    if (kind === 'lost' && !node.live.reachable)
      return [
        { id, machine: peer, sentence: `Look after ${name}: it can't be reached, and told nobody why.` },
      ];
    return [];
  });
}

const IDLE: NightWork = { spans: [], results: 0, failures: 0 };

function machineView(source: NightSource, peer: PeerId, stretches: readonly Stretch[]): NightMachine {
  const { from, to } = source;
  const work = source.work.get(peer) ?? IDLE;
  const parts: Span[] = [
    ...work.spans.map((span) => ({ state: 'rendering' as const, ...span })),
    ...stretches
      .filter((one) => one.peer === peer)
      .map((one) => ({ state: one.state, from: one.from, to: one.to ?? to })),
  ];
  const spans = timelineOf(parts, { from, to });
  return {
    peer,
    name: source.nameOf(peer),
    results: work.results,
    failures: work.failures,
    sentence: machineSentence(work, spans),
    spans,
  };
}

const STATE_WORDS: Record<Exclude<NightState, 'idle' | 'rendering'>, string> = {
  resting: 'at rest',
  paused: 'paused',
  faulty: 'faulty',
  full: 'full',
  asleep: 'asleep',
  off: 'off',
  lost: 'out of reach',
};

function machineSentence({ results, failures }: NightWork, spans: readonly Span[]): string {
  const times = new Map<NightState, number>();
  for (const { state, from, to } of spans) times.set(state, (times.get(state) ?? 0) + to - from);
  const busy = times.get('rendering') ?? 0;
  const made = results === 0 ? 'No result' : `${counted(results, 'result')} in ${lasting(busy)} of work`;
  const failed = failures === 0 ? '' : `, ${counted(failures, 'failed attempt')}`;
  const others = Object.entries(STATE_WORDS).flatMap(([state, word]) => {
    const ms = times.get(state as NightState) ?? 0;
    return ms < 1_000 ? [] : `${word} for ${lasting(ms)}`;
  });
  return `${[`${made}${failed}`, ...others].join('; ')}.`;
}

function summaryOf({ jobs, work }: NightSource, needs: readonly NightNeed[]): string {
  const states = new Map<string, number>();
  for (const { view } of jobs) {
    const state = view.state === 'active' ? 'still being rendered' : view.state;
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  const results = [...work.values()].reduce((sum, one) => sum + one.results, 0);
  const parts = [...states].map(([state, count]) => `${counted(count, 'job')} ${state}`);
  const jobsTold = parts.length === 0 ? 'No job was at work' : parts.join(', ');
  const made = results === 0 ? 'nothing was rendered' : `${counted(results, 'result')} rendered`;
  const hand =
    needs.length === 0
      ? 'Nothing needs you.'
      : `${counted(needs.length, 'thing')} need${needs.length === 1 ? 's' : ''} you.`;
  return `${jobsTold}; ${made}. ${hand}`;
}
