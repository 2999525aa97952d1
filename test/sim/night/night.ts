import { isDeepStrictEqual } from 'node:util';
import type { NightEvent, NightKind, NightView } from '@cuadro/protocol';
import { defaultOptions } from '../../../node/src/core/options.ts';
import { collectNight } from '../../../node/src/diary/night.ts';
import { Violation } from '../checkers/checker.ts';
import { Checkers } from '../checkers/checkers.ts';
import { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import { profileOf, type Profile } from '../profile.ts';
import { lookAround, witnessOf } from '../run.ts';
import { Trace } from '../trace.ts';
import { EVENING_MS, HOUR_MS, MINUTE_MS, NIGHT_MS, NightScript, type Expected } from './script.ts';

export interface NightReport {
  readonly seed: bigint;
  readonly virtualMs: number;
  readonly events: number;
  readonly results: number;
  /** What happened, as a machine of the farm tells it in the morning. */
  readonly view: NightView | undefined;
  /** A machine that is there in the morning. */
  readonly machine: Machine | undefined;
  /** How many things were done to the farm. */
  readonly scripted: number;
  /** What was done to the farm and the morning does not tell, and what it tells that never happened. */
  readonly unexplained: readonly string[];
  readonly invented: readonly string[];
  readonly failure: { readonly rule: string; readonly sentence: string; readonly error: unknown } | undefined;
}

/** Nothing goes wrong by chance: the night is scripted. */
const PROFILE: Partial<Profile> = {
  machines: 6,
  slots: 1,
  isFounded: true,
  isExact: false,
  keepsDiary: true,
  addsSleep: true,
  clockSkew: 0.0001,
  wallSkewMs: 1_000,
  destroys: false,
  removes: false,
  joins: false,
  leaves: 0,
  staysOff: false,
};

/** After the night all work ends within so long, or something is stuck. */
const MORNING_MAX_MS = 2 * HOUR_MS;
const REST_MS = 6_000;
const LOOK_MS = 1_000;

export async function simulateNight(
  seed: bigint,
  init: { trace?: (line: string) => void } = {},
): Promise<NightReport> {
  const trace = new Trace({
    isOn: init.trace !== undefined,
    ...(init.trace !== undefined && { write: init.trace }),
  });
  const checkers = new Checkers();
  const profile = { ...profileOf(seed), ...PROFILE };
  const farm: SimFarm = new SimFarm(
    seed,
    profile,
    witnessOf(trace, checkers, () => farm),
  );
  farm.note = (peer, what, more) =>
    trace.add(farm.timeline.now, peer === undefined ? '-' : (farm.of(peer)?.name ?? '?'), what, more);
  for (const { host } of farm.machines) host.faults.wallOffsetMs += EVENING_MS;
  checkers.begin(farm);
  const script = new NightScript(farm, (deed) => checkers.deed(deed));
  let view: NightView | undefined;
  let failure: NightReport['failure'];
  const judged = { unexplained: [] as string[], invented: [] as string[] };
  try {
    script.plan();
    lookAround(farm, checkers);
    await farm.timeline.run(NIGHT_MS);
    await morning(farm, checkers);
    script.end();
    view = await sameEverywhere(farm);
    judged.unexplained.push(...unexplained(farm, script, view));
    judged.invented.push(...invented(farm, script, view));
  } catch (error) {
    const rule = error instanceof Violation ? error.rule : 'error';
    failure = { rule, sentence: (error as Error).message, error };
  }
  return {
    ...{ seed, view, failure, ...judged },
    machine: farm.up()[0],
    virtualMs: farm.timeline.now,
    events: farm.timeline.events,
    results: checkers.results,
    scripted: script.expected.length,
  };
}

/** All work ends, and whatever was cut off has caught up. */
async function morning(farm: SimFarm, checkers: Checkers): Promise<void> {
  const { timeline } = farm;
  farm.isHealed = true;
  checkers.settled();
  const until = timeline.now + MORNING_MAX_MS;
  let restMs = 0;
  while (timeline.now < until && restMs < REST_MS) {
    await timeline.run(timeline.now + LOOK_MS);
    restMs = farm.isAtRest() ? restMs + LOOK_MS : 0;
  }
  // Words of the last minutes are written down and told.
  await timeline.run(timeline.now + MINUTE_MS + defaultOptions.renderAgainMs);
  checkers.end(restMs >= REST_MS, MORNING_MAX_MS);
}

async function told(farm: SimFarm, machine: Machine): Promise<NightView> {
  const { queries } = machine;
  if (queries === undefined) throw new Error(`${machine.name} is off.`);
  const from = wallOf(farm, 0);
  return collectNight(queries, { from, to: wallOf(farm, farm.timeline.now) });
}

/** Virtual time as a right clock shows it. */
function wallOf(farm: SimFarm, at: number): number {
  const [first] = farm.machines;
  if (first === undefined) return at;
  const { wallOffsetMs } = first.host.faults;
  return first.host.clock().wallTime() - wallOffsetMs + EVENING_MS - farm.timeline.now + at;
}

/** Every machine that is on tells the same night, word for word. */
async function sameEverywhere(farm: SimFarm): Promise<NightView> {
  const [first, ...others] = farm.up();
  if (first === undefined) throw new Error('Nobody is there in the morning.');
  const view = await told(farm, first);
  for (const other of others) {
    const events = (await told(farm, other)).events;
    const at = events.findIndex((event, index) => !isDeepStrictEqual(event, view.events[index]));
    if (at >= 0 || events.length !== view.events.length)
      throw new Violation(
        'one night',
        `${other.name} tells "${events[at]?.sentence}", ${first.name} "${view.events[at]?.sentence}".`,
      );
  }
  return view;
}

/** How far apart a deed and its telling may be: an alive machine is noted once a minute, losses after seconds. */
const NEAR_MS = 90_000;

function tells(farm: SimFarm, event: NightEvent, expected: Expected): boolean {
  if (event.kind !== expected.kind) return false;
  const isNear = (at: number | undefined, virtual: number): boolean =>
    at !== undefined && Math.abs(at - wallOf(farm, virtual)) <= NEAR_MS;
  // When a job ends, and a task is given up, is not for the script to say.
  const isTimeless = expected.kind === 'job-ended' || expected.kind === 'task-failed';
  if (!isTimeless && !isNear(event.at, expected.at)) return false;
  if (expected.until !== undefined && !isNear(event.until, expected.until)) return false;
  if (expected.job !== undefined && event.job !== expected.job) return false;
  const named = new Set(event.machines);
  if (!expected.machines.every(({ peer }) => named.has(peer))) return false;
  if (expected.machines.length > 0 && named.size !== expected.machines.length) return false;
  return expected.says?.test(event.sentence) !== false;
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);

/** Deeds without an event of their kind, machine and time. */
function unexplained(farm: SimFarm, script: NightScript, view: NightView): string[] {
  return script.expected
    .filter((expected) => !view.events.some((event) => tells(farm, event, expected)))
    .map(({ kind, at, machines }) => {
      const who = machines.map(({ name }) => name).join(', ');
      return `${kind} at ${clock(wallOf(farm, at))}${who === '' ? '' : ` on ${who}`}`;
    });
}

/** Kinds of which every single one was scripted. */
const SCRIPTED: ReadonlySet<NightKind> = new Set([
  'submitted',
  'task-failed',
  'power-cut',
  'rebooted',
  'switched-off',
  'asleep',
  'lost',
  'cut-off',
  'disk-full',
  'off-hours',
  'paused',
  'held-back',
  'fault',
]);

function invented(farm: SimFarm, script: NightScript, view: NightView): string[] {
  return view.events
    .filter(({ kind }) => SCRIPTED.has(kind))
    .filter((event) => !script.expected.some((expected) => tells(farm, event, expected)))
    .map(({ at, kind, sentence }) => `${kind} at ${clock(at)}: ${sentence}`);
}
