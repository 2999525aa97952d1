import {
  attemptKey,
  RecordBytes,
  type KnownRecord,
  type Message,
  type PeerId,
  type Signer,
} from '@cuadro/protocol';
import type { BlobStore } from '../../node/src/blobs/interface.ts';
import { createCore } from '../../node/src/core/core.ts';
import type { Changes, Core, CoreEffect, CoreInput, CoreQueries } from '../../node/src/core/interface.ts';
import { assembleDeparture } from '../../node/src/daemon/departure.ts';
import { networkOver, type Network } from '../../node/src/daemon/network.ts';
import { createDiary } from '../../node/src/diary/diary.ts';
import type { Diary } from '../../node/src/diary/interface.ts';
import { createDriver, type Driver } from '../../node/src/driver.ts';
import { createFarmMembership } from '../../node/src/farm/farm.ts';
import type { FarmMembership } from '../../node/src/farm/interface.ts';
import { readPlan } from '../../node/src/jobs/content.ts';
import { createCopyWatch } from '../../node/src/jobs/copy-watch.ts';
import type { JobsComponents } from '../../node/src/jobs/interface.ts';
import { createPinKeeper } from '../../node/src/jobs/pins.ts';
import type { Departure } from '../../node/src/replicas/departure.ts';
import { createVerifier, identityOf, type Identity } from '../../node/src/system/identity.ts';
import type { Clock, Logger, Startable } from '../../node/src/system/interface.ts';
import type { Dice } from './dice.ts';
import { newDisk, openBlobs, openRecords, refuses, type SimDisk } from './disk.ts';
import { Host } from './host.ts';
import { cheapVerify, sealOf, sharedOf } from './shared.ts';
import type { Tally } from './tally.ts';
import type { Timeline } from './timeline.ts';
import type { Station, SimWire } from './wire.ts';
import { SimWorker, type Engine } from './worker.ts';

/** What sees all that happens at the borders of the nodes; the checkers and the trace are made of it. */
export interface Witness {
  note(peer: PeerId | undefined, what: string, more?: unknown): void;
  /** The brain of a machine has decided; what it wants written goes first, and may take a while. */
  decided(machine: Machine, effects: readonly CoreEffect[], input: CoreInput): void;
  /** A coordinator's or a member's message leaves its node. */
  sent(machine: Machine, to: PeerId, message: Message): void;
  /** A message reached its node. */
  heard(machine: Machine, from: PeerId, message: Message, isGossip: boolean): void;
  /** The worker of a machine obeys a grant. */
  ran(machine: Machine, grant: Extract<Message, { kind: 'grants' }>['grants'][number]): void;
  ended(machine: Machine, attempt: string, how: string): void;
  /** The process of a machine is gone, and with it what it ran. */
  crashed(machine: Machine): void;
  /** Records of a node changed, are durable, and are what it shows. */
  changed(machine: Machine, changes: Changes): void;
}

export interface MachineComponents {
  readonly timeline: Timeline;
  readonly wire: SimWire;
  readonly dice: Dice;
  readonly witness: Witness;
  readonly engine: Engine;
  readonly tally: Tally;
  /** Whether messages are turned into bytes and back, and signatures are real. */
  readonly isExact: boolean;
  /** Whether machines write diaries. */
  readonly keepsDiary?: boolean;
  /** Told when a clock adds what its machine slept, some time after it woke; without it none does. */
  readonly onSlept?: (peer: PeerId) => void;
  /** Whether a node takes no record of its own removal. */
  readonly isStubborn?: boolean;
}

/** What runs in one life of the process. */
export interface Life {
  readonly clock: Clock;
  readonly core: Core;
  readonly driver: Driver;
  readonly network: Network;
  readonly farm: FarmMembership;
  readonly blobs: BlobStore;
  readonly worker: SimWorker;
  readonly departure: Departure;
  readonly diary: Diary | undefined;
  /** What people's actions on jobs need. */
  readonly jobs: Omit<JobsComponents, 'temporaries'>;
}

/** A machine: its disk and key, which stay, and its node, which comes and goes. */
export class Machine {
  readonly name: string;
  readonly identity: Identity;
  readonly signer: Signer;
  readonly host: Host;
  readonly station: Station;
  disk = newDisk();
  /** The disk that was destroyed. */
  lost: SimDisk | undefined;
  life: Life | undefined;
  /** What its worker can do at once. */
  slots = 1;
  /** Its disk is destroyed. */
  isGone = false;
  /** It is left switched off. */
  isOff = false;
  /** It is no member any more: the farm has removed it, or it has left. */
  isRemoved = false;
  /** It has left in order: all that it held is with others. */
  hasLeft = false;
  readonly #components: MachineComponents;

  constructor(components: MachineComponents, name: string, seed: Uint8Array) {
    this.#components = components;
    this.name = name;
    this.identity = identityOf(seed);
    const { peer } = this.identity;
    this.signer = components.isExact ? this.identity : { peer, sign: (bytes) => sealOf(peer, bytes) };
    const { onSlept } = components;
    this.host = new Host(components.timeline, onSlept && (() => onSlept(peer)));
    this.station = components.wire.station(peer, this.host);
  }

  get peer(): PeerId {
    return this.identity.peer;
  }

  get isUp(): boolean {
    return this.life !== undefined && this.host.isUp;
  }

  get queries(): CoreQueries | undefined {
    return this.life?.core;
  }

  /** Switches the node on; nothing to do where it runs. */
  start(): void {
    if (this.host.isUp || this.isGone || this.isOff) return;
    this.host.begin();
    this.#components.witness.note(this.peer, 'start');
    const { life } = this.host;
    this.#start().catch((error: unknown) => {
      // A node that can't write what it must at its start doesn't run; any other error is one of ours.
      if (!refuses(this.disk.faults)) this.#components.timeline.fail(error);
      else if (this.host.life === life) this.crash('killed');
    });
  }

  /** The process ends at once; with `power` the whole machine does. */
  crash(how: 'killed' | 'power'): void {
    if (!this.host.isUp) {
      if (how === 'power') this.#powerOff();
      return;
    }
    this.#components.witness.note(this.peer, 'crash', how);
    this.#components.witness.crashed(this);
    this.life?.worker.forget();
    this.life = undefined;
    this.host.end();
    this.station.powered = how !== 'power';
    this.#components.wire.gone(this.peer);
  }

  /** Its node had ended before: whoever still has a connection to it hears nothing any more. */
  #powerOff(): void {
    this.station.powered = false;
    this.#components.wire.lookAll(this.peer);
  }

  /** While its node is off its store comes to be too small: what nothing is pinned for goes. */
  sweep(): void {
    if (this.host.isUp) return;
    const { blobs, faults } = this.disk;
    const pinned = new Set(blobs.pins.pinned());
    for (const hash of blobs.contents.keys()) {
      if (pinned.has(hash)) continue;
      blobs.contents.delete(hash);
      faults.damaged.delete(hash);
    }
  }

  /** Its owner switches it off: the node ends in order, as far as its last words go. */
  async switchOff(): Promise<void> {
    const { life } = this.host;
    await this.life?.diary?.stop();
    if (this.host.life === life) this.crash('power');
  }

  /** Fire, or a thief: nothing that it held comes back. */
  destroy(): void {
    this.crash('power');
    this.isGone = true;
    this.lost = this.disk;
    this.disk = newDisk();
  }

  stall(): void {
    if (!this.host.isUp || this.host.isStalled) return;
    this.#components.witness.note(this.peer, 'stall');
    this.host.stall();
    this.#components.wire.lookAll(this.peer);
  }

  suspend(): void {
    if (!this.host.isUp || this.host.isStalled) return;
    this.#components.witness.note(this.peer, 'suspend');
    this.host.suspend();
    this.#components.wire.lookAll(this.peer);
  }

  resume(): void {
    if (!this.host.isStalled) return;
    this.#components.witness.note(this.peer, 'resume');
    this.host.resume(() => this.#components.wire.lookAll(this.peer));
  }

  async #start(): Promise<void> {
    const { wire, dice, isExact } = this.#components;
    const { host, signer } = this;
    const life = host.life;
    const clock = host.clock();
    const bytes = new RecordBytes();
    const logger = this.#logger();
    const random = dice.fork(`${this.name} ${life}`);
    const store = openRecords({ host, dice: random.fork('records'), bytes }, this.disk);
    const blobs = openBlobs({ host, dice: random.fork('blobs') }, this.disk);
    await store.start();
    await blobs.start();
    const { records, term, damaged, lacks } = await store.load();
    const core = createCore({ self: this.peer, name: this.name, term, records });
    const step = core.step.bind(core);
    core.step = (input) => {
      const effects = step(input);
      this.#components.witness.decided(this, effects, input);
      return effects;
    };
    const mesh = wire.mesh(this.peer, {
      privateKey: this.identity.privateKey(),
      listen: [],
      meshPort: 0,
      lobbyPort: 0,
      serviceName: 'simulated',
    });
    const shared = isExact ? undefined : sharedOf(this.#components.timeline);
    const common = { clock, random, store, blobs, bytes, logger, replaceHours: () => 24 };
    const base = { ...common, ...(shared && { reader: shared.reader }) };
    const network = networkOver(mesh, base, core, () => this.#watched(driver), shared?.messages);
    const driver = this.#driver({ core, clock, store, blobs, logger, network, farm: () => farm });
    const farm = createFarmMembership(
      {
        clock,
        random,
        logger,
        signer,
        verify: isExact ? createVerifier() : cheapVerify,
        mesh,
        store,
        queries: core,
        merge: (own) => driver.merge(own),
        durable: () => driver.flushed(),
        adopt: (others) => driver.merge(others),
        tell: async (record, isWanted) => (await network.copies.confirm([record], isWanted)).machines > 1,
        onDoor: () => undefined,
      },
      { name: () => this.name, version: '0.0.0', discovery: true },
    );
    const departure = assembleDeparture(
      { clock, logger, signer: this.identity },
      network,
      core,
      (why, isWanted) => farm.leave(why, { mayBeSilent: false, isWanted }),
    );
    const worker = new SimWorker(
      { host, clock, blobs, content: network.content, core, engine: this.#components.engine },
      {
        tally: this.#components.tally,
        machine: this.name,
        peer: this.peer,
        slots: this.slots,
        leaving: () => departure.says(),
        input: (input) => {
          if (input.kind === 'worker') diary?.worker(input);
          driver.input(input);
        },
        ended: (attempt, how) => this.#components.witness.ended(this, attemptKey(attempt), how),
      },
    );
    const jobs = {
      clock,
      random,
      logger,
      blobs,
      content: network.content,
      copies: network.copies,
      store,
      signer,
      driver,
    };
    const diary = this.#components.keepsDiary === true ? diaryOf(core, jobs, network.misfits) : undefined;
    this.life = { clock, core, driver, network, farm, blobs, worker, departure, diary, jobs };
    const isComplete = damaged === 0 && lacks === undefined;
    const parts: Startable[] = [
      driver,
      farm,
      ...network.parts.map(({ component }) => component),
      createPinKeeper(jobs, { isComplete }),
      createCopyWatch(jobs),
      ...(diary === undefined ? [] : [diary]),
      departure,
    ];
    for (const part of parts) {
      await part.start();
      if (host.life !== life || !host.isUp) return;
    }
    worker.start();
  }

  #driver(parts: {
    core: Core;
    clock: Clock;
    store: ReturnType<typeof openRecords>;
    blobs: BlobStore;
    logger: Logger;
    network: Network;
    farm: () => FarmMembership;
  }): Driver {
    const { core, clock, store, blobs, logger, network, farm } = parts;
    const { witness } = this.#components;
    const { out } = network;
    return createDriver({
      core,
      store,
      clock,
      logger,
      ...out,
      send: (to, message) => {
        witness.sent(this, to, message);
        out.send(to, message);
      },
      worker: {
        run: (grant, job, task) => {
          witness.ran(this, grant);
          this.life?.worker.run(grant, job, task);
        },
        stop: (attempt, reason) => this.life?.worker.stop(attempt, reason),
      },
      readPlan: (hash) => readPlan({ blobs, content: network.content, logger }, hash),
      onChanges: (changes) => {
        network.changed(changes);
        this.life?.diary?.changed(changes);
        if (changes.members === true) farm().changed();
        if (changes.members === true || changes.nodes.includes(this.peer)) this.life?.departure.changed();
        witness.changed(this, changes);
      },
      onMembersKnown: () => farm().membersKnown(),
      // A node whose records can't be written ends; whoever looks after the machine starts it again.
      onBroken: () => this.crash('killed'),
    });
  }

  /** The driver as the network sees it: what comes in is seen by the checkers, too. */
  #watched(driver: Driver): Pick<Driver, 'input' | 'deliver'> {
    const { witness, isStubborn = false } = this.#components;
    const isNoRemoval = (record: KnownRecord): boolean =>
      record.kind !== 'member' || record.peer !== this.peer || Object.keys(record.removals).length === 0;
    return {
      deliver: (from, records) => driver.deliver(from, isStubborn ? records.filter(isNoRemoval) : records),
      input: (input) => {
        if (input.kind === 'message') witness.heard(this, input.from, input.message, input.gossiped === true);
        if (input.kind === 'peer') witness.note(this.peer, input.state, input.peer.slice(-4));
        driver.input(input);
      },
    };
  }

  #logger(): Logger {
    const { witness } = this.#components;
    const say =
      (level: string) =>
      (message: string, fields?: Record<string, unknown>): void =>
        witness.note(this.peer, level, { message, ...fields });
    const logger: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: say('warn'),
      error: say('error'),
      child: () => logger,
    };
    return logger;
  }
}

function diaryOf(
  core: Core,
  { clock, logger, store, driver, copies }: Life['jobs'],
  misfits: Network['misfits'],
): Diary {
  return createDiary({
    ...{ clock, logger, store, queries: core },
    merge: (own) => driver.merge(own),
    confirm: (own) => copies.confirm(own),
    heldAlone: () => copies.state(),
    misfits,
  });
}
