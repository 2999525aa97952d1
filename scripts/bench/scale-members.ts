import { createHash } from 'node:crypto';
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
import { MeteredTimeline, type Passed, ScaleWire } from './scale-wire.ts';

/**
 * The members of one farm of a given size on the simulator's virtual clock and network. The first of them are whole
 * nodes: one coordinates, the next succeed it, the last but one submits the job, and the last one comes late, to see
 * what memory a node takes. All others are light (`light-worker.ts`). Each works at one frame at a time.
 */

const WHOLE_MAX = 8;
/** What is rendered. */
const FRAME_MS = 10_000;
const LIGHT_STARTS_MS = 6_000;
/** Within 20 virtual ms each is told of a new reign, answers, and is granted what it has room for, the gossip of it included. */
const EVENTS_EACH = 100;
/** So many frames for each member: more than are rendered until the end. */
const FRAMES_EACH = 10;

export class ScaleFarm {
  readonly timeline: MeteredTimeline;
  readonly #tally = new Tally();
  readonly dice = new Dice(1n);
  readonly wire: ScaleWire;
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
    this.timeline = new MeteredTimeline({ windowEventsMax: 15_000 + EVENTS_EACH * nodes });
    this.wire = new ScaleWire(this.timeline, this.dice.fork('wire'));
    this.wire.seen = (peer, kind, bytes, way) => {
      let kinds = this.passed.get(peer);
      if (kinds === undefined) this.passed.set(peer, (kinds = new Map<string, Passed>()));
      const key = `${kind} ${way}`;
      const known = kinds.get(key) ?? { messages: 0, bytes: 0 };
      kinds.set(key, known);
      known.messages += 1;
      known.bytes += bytes;
    };
    const seeds = Array.from({ length: nodes }, () => this.dice.bytes(32))
      .map((seed) => ({ seed, peer: identityOf(seed).peer }))
      .sort((a, b) => compareText(a.peer, b.peer))
      .map(({ seed }) => seed);
    // The lowest ids: among nodes that start together the lowest leads.
    const count = Math.min(nodes, WHOLE_MAX);
    for (const [place, seed] of seeds.entries()) {
      if (place < count) this.whole.push(this.#newMachine(seed, `whole ${place}`));
    }
    this.wire.isFar(this.submitter.peer);
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
