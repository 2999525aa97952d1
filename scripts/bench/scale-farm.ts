import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  compareText,
  encode,
  type FarmRecord,
  type JobRecord,
  type KnownRecord,
  type MemberRecord,
  type PeerId,
  recordKey,
  signJobSpec,
} from '@cuadro/protocol';
import type { CoreEffect } from '../../node/src/core/interface.ts';
import { admit, foundFarm, ownRecord } from '../../node/src/farm/founding.ts';
import { recordToBytes } from '../../node/src/store/record-bytes.ts';
import { identityOf } from '../../node/src/system/identity.ts';
import { Dice } from '../../test/sim/dice.ts';
import { Host } from '../../test/sim/host.ts';
import { Tally } from '../../test/sim/tally.ts';
import { Machine, type Witness } from '../../test/sim/machine.ts';
import { planOfNothing } from './farm-member.ts';
import { CouldNotMeasure } from './harness.ts';
import { createLightWorker, type LightWorker } from './light-worker.ts';
import { MeteredTimeline, type Passed, ScaleWire, threadMs } from './scale-wire.ts';

/**
 * One farm of a given size on the simulator's virtual clock and network. Its first members are whole nodes: one
 * coordinates, the next succeed it, the last but one submitted the job, and the last one comes late, to see what memory
 * a node takes. All others are light (`light-worker.ts`). Each works at one frame at a time.
 */

const WHOLE_MAX = 8;
/** What is rendered. */
const FRAME_MS = 10_000;
/** When what happens, in virtual milliseconds. */
const LIGHT_STARTS_MS = 6_000;
const AT_REST_MS = [20_000, 30_000] as const;
const SUBMITTED_MS = 30_500;
const RENDERING_MS = [45_000, 65_000] as const;
const KILLED_MS = 65_500;
const POWER_CUT_MS = 85_500;
const LATE_MS = 100_000;
const END_MS = 112_000;
/** So many frames for each member: more than are rendered until the end. */
const FRAMES_EACH = 16;

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
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Bytes that live on the heap and outside of it, in MB. */
function livingMB(): number {
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

class ScaleFarm {
  readonly timeline = new MeteredTimeline();
  readonly #tally = new Tally();
  readonly dice = new Dice(1n);
  readonly wire = new ScaleWire(this.timeline, this.dice.fork('wire'));
  readonly whole: Machine[] = [];
  readonly light: LightWorker[] = [];
  readonly passed = new Map<PeerId, Map<string, Passed>>();
  gossipSaid = 0;
  grants = 0;
  stepMs = 0;
  stepStarts = 0;
  onGrant: (by: PeerId) => void = () => undefined;
  readonly #nodes: number;

  constructor(nodes: number) {
    this.#nodes = nodes;
    this.wire.seen = (peer, kind, bytes, way) => {
      let kinds = this.passed.get(peer);
      if (kinds === undefined) this.passed.set(peer, (kinds = new Map<string, Passed>()));
      const key = `${kind} ${way}`;
      const known = kinds.get(key) ?? { messages: 0, bytes: 0 };
      kinds.set(key, known);
      known.messages += 1;
      known.bytes += bytes;
    };
    const seeds = Array.from({ length: nodes }, () => this.dice.bytes(32)).sort((a, b) =>
      compareText(identityOf(a).peer, identityOf(b).peer),
    );
    // The lowest ids: among nodes that start together the lowest leads.
    const count = Math.min(nodes, WHOLE_MAX);
    for (const [place, seed] of seeds.entries()) {
      if (place < count) this.whole.push(this.#newMachine(seed, `whole ${place}`));
    }
    const farm = this.#found(seeds);
    for (const seed of seeds.slice(count)) this.#newLight(seed, farm);
  }

  #newMachine(seed: Uint8Array, name: string): Machine {
    const { timeline, wire } = this;
    const machine = new Machine(
      {
        timeline,
        wire,
        dice: this.dice.fork(name),
        witness: this.#witness(),
        tally: this.#tally,
        engine: {
          fate: () => ({ kind: 'renders', ms: this.#frameMs(), files: 0, differs: false }),
          kill: () => undefined,
          content: () => '',
        },
        isExact: true,
      },
      name,
      seed,
    );
    wire.isWhole(machine.peer, machine.host);
    return machine;
  }

  #frameMs(): number {
    return FRAME_MS * this.dice.between(0.8, 1.2);
  }

  #witness(): Witness {
    const silent = (): void => undefined;
    return {
      note: silent,
      sent: silent,
      heard: silent,
      ran: silent,
      ended: silent,
      crashed: silent,
      changed: silent,
      decided: (machine, effects) => this.#decided(machine, effects),
    };
  }

  /** Counts grants where they are given, not where they are obeyed. */
  #decided(machine: Machine, effects: readonly CoreEffect[]): void {
    if (machine.queries?.isCoordinator !== true) return;
    for (const effect of effects) {
      const given =
        effect.kind === 'run'
          ? 1
          : effect.kind === 'send' && effect.message.kind === 'grants'
            ? effect.message.grants.length
            : 0;
      if (given === 0) continue;
      this.grants += given;
      this.onGrant(machine.peer);
    }
  }

  /** All are members, and every whole one's disk says so. */
  #found(seeds: readonly Uint8Array[]): { id: string; peers: PeerId[] } {
    const [founder] = this.whole as [Machine];
    const clock = founder.host.clock();
    const { identity: signer } = founder;
    const names = { farm: 'the farm', machine: founder.name };
    const [farm, own] = foundFarm({ clock, random: this.dice, signer }, names) as [FarmRecord, MemberRecord];
    const others = seeds.slice(1).map((seed, place) => {
      const newcomer = ownRecord(identityOf(seed), `machine ${place + 2}`);
      return admit({ clock, signer }, farm, newcomer);
    });
    const records: KnownRecord[] = [farm, own, ...others];
    const stored = records.map((record) => [recordKey(record), recordToBytes(record)] as const);
    for (const machine of this.whole)
      for (const [key, bytes] of stored) machine.disk.records.records.set(key, bytes);
    return { id: farm.id, peers: [own, ...others].map(({ peer }) => peer) };
  }

  #newLight(seed: Uint8Array, farm: { id: string; peers: PeerId[] }): void {
    const { timeline, wire } = this;
    const host = new Host(timeline);
    const { peer } = identityOf(seed);
    wire.station(peer, host);
    host.begin();
    const mesh = wire.mesh(peer, {
      privateKey: seed,
      listen: [],
      meshPort: 0,
      lobbyPort: 0,
      serviceName: undefined,
    });
    const worker = createLightWorker(
      { mesh, clock: host.clock() },
      {
        farm,
        slots: 1,
        taskMs: () => this.#frameMs(),
        submitter: this.submitter.peer,
        onFault: (error) => timeline.fail(error),
      },
    );
    this.light.push(worker);
  }

  get submitter(): Machine {
    return this.whole.at(-2) as Machine;
  }

  get late(): Machine {
    return this.whole.at(-1) as Machine;
  }

  start(): void {
    for (const machine of this.whole.slice(0, -1)) this.#startWhole(machine);
    for (const [place, light] of this.light.entries())
      this.timeline.after(LIGHT_STARTS_MS + (place * 1_000) / this.light.length, () => void light.start());
  }

  #startWhole(machine: Machine): void {
    this.timeline.mark(machine.peer);
    machine.start();
    this.timeline.mark(undefined);
    const look = (): void => {
      const core = machine.life?.core;
      if (core === undefined) return void this.timeline.after(1, look);
      const step = core.step.bind(core);
      core.step = (input) => {
        if (machine.queries?.isCoordinator !== true) return step(input);
        const startedAt = performance.now();
        const effects = step(input);
        this.stepMs += performance.now() - startedAt;
        return effects;
      };
    };
    look();
  }

  startLate(): void {
    this.#startWhole(this.late);
  }

  /** The whole members that run. */
  up(): Machine[] {
    return this.whole.filter(({ isUp, life }) => isUp && life !== undefined);
  }

  leader(): Machine | undefined {
    return this.up().find(({ queries }) => queries?.isCoordinator === true);
  }

  /** Whether everybody that runs follows this one. */
  isFollowed({ peer }: Machine): boolean {
    return (
      this.up().every(({ queries }) => queries?.epoch?.peer === peer) &&
      this.light.every((light) => light.epoch?.peer === peer)
    );
  }

  async submit(): Promise<void> {
    const { life, identity } = this.submitter;
    if (life === undefined) throw new CouldNotMeasure('The submitter does not run.');
    const { blobs, driver, clock } = life;
    const id = this.dice.name(16);
    const plan = planOfNothing(FRAMES_EACH * this.#nodes);
    const bytes = encode(plan);
    const stored = await blobs.putBytes(bytes, { pin: id });
    const spec = {
      id,
      name: 'frames',
      type: 'echo-sleep',
      settings: {},
      plan: createHash('sha256').update(bytes).digest('hex'),
      tasks: FRAMES_EACH * this.#nodes,
      order: driver.queries.nextOrder(),
      after: [],
      outputFolder: '/nowhere',
      wallTime: clock.wallTime(),
    };
    const holders = { bundle: {}, plan: { [identity.peer]: { held: true, counter: 1 } } };
    const record: JobRecord = {
      kind: 'job',
      id,
      spec: signJobSpec(identity, { ...spec, plan: stored.hash }),
      control: {},
      requests: {},
      holders,
      acknowledged: true,
    };
    await driver.merge([record]);
  }
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
const ranShare = (from: Look, to: Look): number =>
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
  farm.onGrant = (by) => {
    if (by !== before.peer) seen.grantsMs ??= timeline.now - at;
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
  const { standsMs, followedMs, grantsMs } = seen;
  if (standsMs === undefined || followedMs === undefined || grantsMs === undefined)
    throw new CouldNotMeasure(`After the coordinator's end: ${JSON.stringify(seen)}.`);
  return { standsMs, followedMs, grantsMs };
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
