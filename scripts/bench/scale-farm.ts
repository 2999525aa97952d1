import type { PeerId } from '@cuadro/protocol';
import type { Machine } from '../../test/sim/machine.ts';
import { garbageCollector } from '../../test/unit/collect-garbage.ts';
import { CouldNotMeasure } from './harness.ts';
import { ScaleFarm } from './scale-members.ts';
import { type Passed, threadMs } from './scale-wire.ts';

/** One farm of a given size, at rest, at work, and when its coordinator ends: in a process of its own. */

/** When what happens, in virtual milliseconds. */
const AT_REST_MS = [10_000, 15_000] as const;
const SUBMITTED_MS = 15_500;
const RENDERING_MS = [26_000, 36_000] as const;
const KILLED_MS = 36_500;
const POWER_CUT_MS = 46_500;
const LATE_MS = 55_000;
const END_MS = 62_000;

/** Per second of virtual time. */
export interface Rates {
  /** Messages and bytes in and out of a whole node that follows, and of the coordinator. */
  node: Passed;
  coordinator: Passed;
  /** Gossiped messages that all say together. */
  gossip: number;
  /** Share of one processor that the coordinator takes. */
  coordinatorShare: number;
  /** Of the node's messages, by kind. */
  kinds: Record<string, number>;
}

export interface FarmFigures {
  nodes: number;
  whole: number;
  atRest: Rates;
  rendering: Rates;
  grantsPerSecond: number;
  /** Microseconds of the coordinator's thread for each grant, all that it does while frames are rendered counted in. */
  grantUs: number;
  /** Microseconds of the brain's steps alone. */
  stepUs: number;
  /** From the coordinator's end to the next one's begin, to the moment when all follow it, and to its first grant. */
  killed: Failover;
  powerCut: Failover;
  /** What a node takes in a farm of this size, in MB: brain, replicas, and the memory twins of store and network. */
  nodeMB: number;
  seconds: number;
}

export interface Failover {
  standsMs: number;
  followedMs: number;
  grantsMs: number;
  /** What the new one's thread ran until its first grant, in milliseconds: on the virtual clock that takes no time. */
  ranMs: number;
}

const gc = garbageCollector();

/** Bytes that live on the heap and outside of it, in MB. */
function livingMB(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

/** What passed so far, and what the coordinator spent. */
interface Look {
  passed: Map<PeerId, Map<string, Passed>>;
  spentMs: number;
  stepMs: number;
  grants: number;
  /** Of this process: what passed, and what of it the thread ran. */
  wallMs: number;
  threadMs: number;
}

function look(farm: ScaleFarm, leader: Machine): Look {
  const passed = new Map(
    [...farm.passed].map(([peer, kinds]) => [
      peer,
      new Map([...kinds].map(([kind, { messages, bytes }]) => [kind, { messages, bytes }])),
    ]),
  );
  const spentMs = farm.timeline.spentOn(leader.peer);
  const { stepMs, grants } = farm;
  return { passed, spentMs, stepMs, grants, wallMs: performance.now(), threadMs: threadMs() };
}

/** What of the time that passed between two looks the thread ran, while others had the processor, too. */
const ranShare = (from: Pick<Look, 'wallMs' | 'threadMs'>, to: Pick<Look, 'wallMs' | 'threadMs'>): number =>
  Math.min(1, (to.threadMs - from.threadMs) / (to.wallMs - from.wallMs));

function rates(farm: ScaleFarm, leader: Machine, from: Look, to: Look, ms: number): Rates {
  const perSecond = 1_000 / ms;
  const kindsOf = (peer: PeerId): Map<string, Passed> => {
    const before = from.passed.get(peer);
    const after = [...(to.passed.get(peer) ?? [])];
    return new Map(
      after.map(([kind, { messages, bytes }]) => {
        const was = before?.get(kind) ?? { messages: 0, bytes: 0 };
        return [
          kind,
          { messages: (messages - was.messages) * perSecond, bytes: (bytes - was.bytes) * perSecond },
        ];
      }),
    );
  };
  const sumOf = (kinds: Map<string, Passed>): Passed => {
    const sum = { messages: 0, bytes: 0 };
    for (const { messages, bytes } of kinds.values()) {
      sum.messages += messages;
      sum.bytes += bytes;
    }
    return sum;
  };
  // The submitter holds everybody's results, and is no node like the others.
  const followers = farm.up().filter((machine) => machine !== leader && machine !== farm.submitter);
  const node = { messages: 0, bytes: 0 };
  const kinds: Record<string, number> = {};
  for (const { peer } of followers) {
    for (const [kind, { messages, bytes }] of kindsOf(peer)) {
      node.messages += messages / followers.length;
      node.bytes += bytes / followers.length;
      kinds[kind] = (kinds[kind] ?? 0) + messages / followers.length;
    }
  }
  let gossip = 0;
  for (const peer of to.passed.keys()) {
    const own = kindsOf(peer);
    gossip += own.get('records out')?.messages ?? 0;
  }
  return {
    node,
    coordinator: sumOf(kindsOf(leader.peer)),
    gossip,
    coordinatorShare: ((to.spentMs - from.spentMs) * ranShare(from, to)) / ms,
    kinds,
  };
}

async function failover(farm: ScaleFarm, how: 'killed' | 'power', until: number): Promise<Failover> {
  const { timeline } = farm;
  const before = farm.leader();
  if (before === undefined) throw new CouldNotMeasure('There is no coordinator to lose.');
  const at = timeline.now;
  const seen: Partial<Failover> = {};
  const spentMs = new Map(farm.up().map(({ peer }) => [peer, timeline.spentOn(peer)]));
  const began = { wallMs: performance.now(), threadMs: threadMs() };
  farm.onGrant = (by) => {
    if (by === before.peer || seen.grantsMs !== undefined) return;
    seen.grantsMs = timeline.now - at;
    const share = ranShare(began, { wallMs: performance.now(), threadMs: threadMs() });
    seen.ranMs = (timeline.spentOn(by) - (spentMs.get(by) ?? 0)) * share;
  };
  before.crash(how);
  const watch = (): void => {
    const leader = farm.leader();
    if (leader !== undefined) {
      seen.standsMs ??= timeline.now - at;
      if (farm.isFollowed(leader)) seen.followedMs ??= timeline.now - at;
    }
    if (seen.followedMs === undefined) timeline.after(1, watch);
  };
  watch();
  await timeline.run(until);
  farm.onGrant = () => undefined;
  const { standsMs, followedMs, grantsMs, ranMs } = seen;
  if ([standsMs, followedMs, grantsMs, ranMs].includes(undefined))
    throw new CouldNotMeasure(`After the coordinator's end: ${JSON.stringify(seen)}.`);
  return seen as Failover;
}

export async function measureFarm(nodes: number): Promise<FarmFigures> {
  const startedAt = performance.now();
  const farm = new ScaleFarm(nodes);
  const { timeline } = farm;
  farm.start();
  await timeline.run(AT_REST_MS[0]);
  const leader = farm.leader();
  if (leader === undefined || !farm.isFollowed(leader))
    throw new CouldNotMeasure('Not all members follow one coordinator.');
  const rest = [look(farm, leader)];
  await timeline.run(AT_REST_MS[1]);
  rest.push(look(farm, leader));
  await timeline.run(SUBMITTED_MS);
  farm.submit().catch((error: unknown) => timeline.fail(error));
  await timeline.run(RENDERING_MS[0]);
  const rendering = [look(farm, leader)];
  await timeline.run(RENDERING_MS[1]);
  rendering.push(look(farm, leader));
  if (farm.leader() !== leader)
    throw new CouldNotMeasure('The coordinator changed while frames were rendered.');
  const [from, to] = rendering as [Look, Look];
  const grants = to.grants - from.grants;
  const figures = {
    nodes,
    whole: farm.whole.length,
    atRest: rates(farm, leader, rest[0] as Look, rest[1] as Look, AT_REST_MS[1] - AT_REST_MS[0]),
    rendering: rates(farm, leader, from, to, RENDERING_MS[1] - RENDERING_MS[0]),
    grantsPerSecond: (grants / (RENDERING_MS[1] - RENDERING_MS[0])) * 1_000,
    grantUs: ((to.spentMs - from.spentMs) / grants) * ranShare(from, to) * 1_000,
    stepUs: ((to.stepMs - from.stepMs) / grants) * ranShare(from, to) * 1_000,
  };
  await timeline.run(KILLED_MS);
  const killed = await failover(farm, 'killed', POWER_CUT_MS);
  const powerCut = await failover(farm, 'power', LATE_MS);
  const before = livingMB();
  farm.startLate();
  await timeline.run(END_MS);
  const { queries } = farm.late;
  if (queries?.epoch?.peer !== farm.leader()?.peer)
    throw new CouldNotMeasure('The member that came late does not follow.');
  const nodeMB = livingMB() - before;
  return { ...figures, killed, powerCut, nodeMB, seconds: (performance.now() - startedAt) / 1_000 };
}

if (import.meta.main) console.log(JSON.stringify(await measureFarm(Number(process.argv[2]))));
