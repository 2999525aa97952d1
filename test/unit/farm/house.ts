import type { CuadroError, DoorView, KnownRecord } from '@cuadro/protocol';
import { createCore } from '../../../node/src/core/core.ts';
import type { Core } from '../../../node/src/core/interface.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import { createFarmMembership } from '../../../node/src/farm/farm.ts';
import type { FarmMembership, FarmOptions } from '../../../node/src/farm/interface.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { createMemoryNetwork, type MemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import { createMemoryStore, emptyDisk, type MemoryDisk } from '../../../node/src/store/memory-store.ts';
import { createVerifier, identityOf, type Identity } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet } as unknown as Logger;

/** Thrown by a store whose machine has lost its power. */
class PowerCut extends Error {}

export interface MachineInit {
  discovery?: boolean;
  options?: Partial<FarmOptions>;
  /** The machine loses its power right before this durable write of its run (counted from 1), or right after it. */
  dieAt?: { write: number; when: 'before' | 'after' };
}

/** One machine: its disk, its key, and while it runs the parts that a farm needs. */
export class Machine {
  readonly name: string;
  readonly identity: Identity;
  readonly disk: MemoryDisk = emptyDisk();
  readonly views: DoorView[] = [];
  readonly #house: House;
  #running: { mesh: Mesh; farm: FarmMembership; core: Core; driver: Driver } | undefined;
  isDead = false;
  writes = 0;
  /** While its disk hangs: what lets it go on. */
  hangs: PromiseWithResolvers<void> | undefined;

  constructor(house: House, name: string, identity: Identity) {
    this.#house = house;
    this.name = name;
    this.identity = identity;
  }

  get peer(): string {
    return this.identity.peer;
  }

  get isRunning(): boolean {
    return this.#running !== undefined && !this.isDead;
  }

  get parts() {
    if (this.#running === undefined) throw new Error(`${this.name} does not run.`);
    return this.#running;
  }

  get farm(): FarmMembership {
    return this.parts.farm;
  }

  get farmId(): string | undefined {
    return this.parts.core.farmRecord()?.id;
  }

  /** Peers of the members, as this machine derives them. */
  get members(): string[] {
    return this.farm
      .door()
      .members.map(({ peer }) => peer)
      .sort();
  }

  async start(init: MachineInit = {}): Promise<void> {
    const { clock, network, random } = this.#house;
    this.isDead = false;
    this.writes = 0;
    const store = this.#mortal(createMemoryStore(this.disk), init.dieAt);
    await store.start();
    const { records, term } = await store.load();
    const core = createCore({ self: this.peer, name: this.name, term, records });
    const driver = createDriver({
      core,
      store,
      clock,
      logger: quiet,
      send: () => undefined,
      gossip: () => undefined,
      publish: () => undefined,
      worker: { run: () => undefined, stop: () => undefined },
      readPlan: () => Promise.resolve(undefined),
      onChanges: (changes) => {
        if (changes.farm) farm.changed();
      },
      onMembersKnown: () => farm.membersKnown(),
      onBroken: () => undefined,
    });
    const mesh = this.#house.listen(
      network.mesh({
        privateKey: this.identity.privateKey(),
        listen: ['127.0.0.1'],
        meshPort: 0,
        lobbyPort: 0,
        serviceName: init.discovery === false ? undefined : 'test',
      }),
    );
    const farm = createFarmMembership(
      {
        clock,
        random,
        logger: quiet,
        signer: this.identity,
        verify: createVerifier(),
        mesh,
        store,
        queries: core,
        merge: (own) => driver.merge(own),
        durable: () => driver.flushed(),
        adopt: (others) => driver.merge(others),
        tell: (record) => this.#house.tell(this, record),
        onDoor: (view) => this.views.push(view()),
      },
      {
        name: () => this.name,
        version: '0.0.0',
        discovery: init.discovery ?? true,
        ...(init.options && { options: init.options }),
      },
    );
    this.#running = { mesh, farm, core, driver };
    try {
      await driver.start();
      await farm.start();
      await mesh.start();
    } catch (error) {
      if (!this.isDead) throw error;
    }
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await running.mesh.stop();
    await running.farm.stop();
    await running.driver.stop();
    this.#running = undefined;
  }

  /** The power is gone: nothing is written or said any more. */
  kill(): void {
    this.isDead = true;
    this.#house.network.kill(this.peer);
  }

  /** Its disk takes nothing until it is let go on. */
  hang(): void {
    this.hangs = Promise.withResolvers();
  }

  goOn(): void {
    this.hangs?.resolve();
    this.hangs = undefined;
  }

  /** Puts records into this machine, as its people or sync do. */
  merge(records: KnownRecord[]): Promise<void> {
    return this.parts.driver.merge(records);
  }

  /** Every write of this room and of the records is counted, and may be the last. */
  #mortal(store: RecordStore, dieAt: MachineInit['dieAt']): RecordStore {
    const write = async (perform: () => Promise<void>): Promise<void> => {
      if (this.isDead) throw new PowerCut();
      await this.hangs?.promise;
      this.writes++;
      const isLast = this.writes === dieAt?.write;
      if (isLast && dieAt.when === 'before') this.kill();
      if (this.isDead) throw new PowerCut();
      await perform();
      if (!isLast) return;
      this.kill();
      throw new PowerCut();
    };
    return {
      start: () => store.start(),
      stop: () => store.stop(),
      load: () => store.load(),
      write: (batch) => write(() => store.write(batch)),
      getLocal: (key) => store.getLocal(key),
      setLocal: (entries) => write(() => store.setLocal(entries)),
      listLocal: (prefix) => store.listLocal(prefix),
      eachLocalText: (prefix, each) => store.eachLocalText(prefix, each),
      listDamagedLocal: () => store.listDamagedLocal(),
    };
  }
}

/** Machines on one network, with one clock and one seed. */
export class House {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork = createMemoryNetwork({ clock: this.clock });
  readonly random: ReturnType<typeof createSeededRandom>;
  readonly machines: Machine[] = [];
  /** Share of lobby questions that are lost, and of answers. */
  loss = 0;
  /** Whether whoever is told something lives to hear that it was taken. */
  answersTelling = true;
  /** Whether no mesh knows yet where others were reached. */
  hidesAddresses = false;

  constructor(seed = 1) {
    this.random = createSeededRandom(seed);
  }

  machine(name: string): Machine {
    const machine = new Machine(this, name, identityOf(this.random.bytes(32)));
    this.machines.push(machine);
    return machine;
  }

  /** A mesh whose lobby loses what `loss` says. */
  listen(mesh: Mesh): Mesh {
    return new Proxy(mesh, {
      get: (target, name) => {
        if (name === 'askLobby') {
          return async (...args: Parameters<Mesh['askLobby']>) => {
            if (this.random.float() < this.loss) return new Promise(() => undefined);
            const reply = await target.askLobby(...args);
            return this.random.float() < this.loss ? new Promise(() => undefined) : reply;
          };
        }
        if (name === 'knownAddresses' && this.hidesAddresses) return () => [];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** Lets time pass, and everything that follows from it. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) await this.clock.advanceSettled(Math.min(left, stepMs));
  }

  /** Lets time pass until something holds. */
  async until(holds: () => boolean, withinMs = 120_000): Promise<void> {
    for (let left = withinMs; left > 0 && !holds(); left -= 100) await this.pass(100);
    if (!holds()) throw new Error(`It did not come to hold within ${withinMs} ms: ${this.toString()}`);
  }

  /** What sync does: members that reach each other hold the same records. */
  async sync(): Promise<void> {
    for (const machine of this.running()) {
      for (const other of this.running()) {
        if (!machine.parts.mesh.reachable().includes(other.peer)) continue;
        const { core } = other.parts;
        const jobs = core.jobIds().flatMap((id) => core.jobRecord(id) ?? []);
        const farm = core.farmRecord();
        await machine.merge([...(farm === undefined ? [] : [farm]), ...core.memberRecords(), ...jobs]);
      }
    }
  }

  /** What a request to hold a record does: another member has it, durably; its answer may be lost. */
  async tell(from: Machine, record: KnownRecord): Promise<boolean> {
    const other = this.running().find(({ peer }) => from.parts.mesh.reachable().includes(peer));
    if (other === undefined) return false;
    await other.merge([record]);
    return this.answersTelling;
  }

  running(): Machine[] {
    return this.machines.filter((machine) => machine.isRunning);
  }

  /** Whether all that run are members of one farm, know it, and reach each other. */
  isOne(machines = this.running()): boolean {
    const peers = machines.map(({ peer }) => peer).sort();
    return machines.every(
      (machine) =>
        machine.farmId !== undefined &&
        machine.farmId === machines[0]?.farmId &&
        peers.every((peer) => machine.members.includes(peer)),
    );
  }

  async stop(): Promise<void> {
    for (const machine of this.machines) await machine.stop();
  }

  toString(): string {
    return this.running()
      .map((machine) => {
        const { state, members, asked } = machine.farm.door();
        return `${machine.name}: ${state} ${machine.farmId ?? '-'} with ${members.map(({ name }) => name).join(',')} asked ${asked.length}`;
      })
      .join('\n');
  }
}

/** What a disk holds, by key. */
export const recordsOn = (machine: Machine): string[] => [...machine.disk.records.keys()].sort();

/** For `assert.rejects`: an error of the protocol's catalogue. */
export const code = (expected: string) => (error: unknown) => (error as CuadroError).code === expected;

/** Machines that are one farm, started one after the other. */
export async function farmIn(house: House, ...names: string[]): Promise<Machine[]> {
  const machines = names.map((name) => house.machine(name));
  for (const machine of machines) await machine.start();
  await house.until(() => house.isOne(machines));
  await house.sync();
  return machines;
}
