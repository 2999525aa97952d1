import { compareText, RecordBytes, type KnownRecord } from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { createCore } from '../../../node/src/core/core.ts';
import { networkOver, type Network } from '../../../node/src/daemon/network.ts';
import { createDriver, type Driver } from '../../../node/src/driver.ts';
import { createFarmMembership } from '../../../node/src/farm/farm.ts';
import type { FarmMembership } from '../../../node/src/farm/interface.ts';
import type { Mesh, MeshStatus } from '../../../node/src/mesh/interface.ts';
import { createMemoryNetwork } from '../../../node/src/mesh/memory-mesh.ts';
import type { RecordSync } from '../../../node/src/replicas/interface.ts';
import { createMemoryStore, emptyDisk } from '../../../node/src/store/memory-store.ts';
import type { RecordStore } from '../../../node/src/store/interface.ts';
import { createVerifier, identityOf } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { createMetrics } from '../../../node/src/system/metrics.ts';
import { createSeededRandom } from '../../../node/src/system/random.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { FARM, farmRecord, memberRecords } from './signed-records.ts';

const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
/** What the farm of `signed-records.ts` is made of: its founder, a member, and one who was removed. */
const [FOUNDER, MEMBER, STRANGER] = [1, 2, 9].map(seedOf) as [Uint8Array, Uint8Array, Uint8Array];

/**
 * A node of a farm of two, composed as in the daemon by the same functions, on a network, a clock and a disk in
 * memory; and with it the meshes of the other member and of a stranger, by which anything can be said to it.
 */
export class WholeNode {
  readonly member: Mesh;
  readonly stranger: Mesh;
  readonly clock = new ManualClock();
  readonly #mesh: Mesh;
  readonly #network: Network;
  readonly #driver: Driver;
  readonly #farm: FarmMembership;
  readonly #views: () => unknown;
  /** Told at level error, which only mistakes of our own are. */
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  /** Batches and small values that were written to its disk, and files that came or went. */
  writes = 0;

  private constructor() {
    const network = createMemoryNetwork({ clock: this.clock });
    const mesh = (privateKey: Uint8Array): Mesh =>
      network.mesh({ privateKey, listen: ['127.0.0.1'], meshPort: 0, lobbyPort: 0, serviceName: undefined });
    this.#mesh = mesh(FOUNDER);
    this.member = mesh(MEMBER);
    this.stranger = mesh(STRANGER);
    const signer = identityOf(FOUNDER);
    const random = createSeededRandom(1);
    const bytes = new RecordBytes();
    const store = this.#counted(createMemoryStore(emptyDisk(), { bytes }));
    const blobs = createMemoryBlobStore();
    const records: KnownRecord[] = [farmRecord, ...memberRecords];
    const core = createCore({ self: signer.peer, name: 'studio', term: 0, records });
    const base = { clock: this.clock, random, logger: this.#logger(), store, blobs, bytes };
    this.#network = networkOver(this.#mesh, { ...base, replaceHours: () => 24 }, core, () => this.#driver);
    this.#driver = createDriver({
      core,
      store,
      clock: this.clock,
      logger: base.logger,
      ...this.#network.out,
      worker: { run: () => undefined, stop: () => undefined },
      readPlan: () => Promise.resolve(undefined),
      onChanges: (changes) => {
        this.#network.changed(changes);
        if (changes.members === true) this.#farm.changed();
      },
      onBroken: (error) => this.errors.push(String(error)),
    });
    this.#farm = createFarmMembership(
      {
        ...base,
        signer,
        store,
        verify: createVerifier(),
        mesh: this.#network.forFarm,
        queries: core,
        merge: (own) => this.#driver.merge(own),
        durable: () => this.#driver.flushed(),
        adopt: (others) => this.#driver.merge(others),
        tell: () => Promise.resolve(false),
        onDoor: () => undefined,
      },
      { name: () => 'studio', version: '0', discovery: false },
    );
    blobs.subscribe(() => (this.writes += 1));
    this.#views = () => [core.farm(), core.jobs(), core.nodes(), [...core.recordKeys()], blobs.pinOwners()];
    this.#starting = [store, blobs, this.#driver, this.#farm];
  }

  readonly #starting: { start(): Promise<void>; stop(): Promise<void> }[];

  static async start(): Promise<WholeNode> {
    const node = new WholeNode();
    for (const part of node.#starting) await part.start();
    for (const { component } of node.#network.parts) await component.start();
    const members = new Set(memberRecords.map(({ peer }) => peer).sort(compareText));
    await node.member.start();
    await node.stranger.start();
    node.#mesh.setMembership({ farm: FARM, members });
    node.member.setMembership({ farm: FARM, members });
    node.member.addAddresses(node.#mesh.self, node.#mesh.status().meshAddresses);
    node.#mesh.addAddresses(node.member.self, node.member.status().meshAddresses);
    for (let turn = 0; turn < 1_000 && node.member.reachable().length === 0; turn++) await nextTurn();
    if (node.member.reachable().length === 0) throw new Error('The two members do not meet.');
    // It has looked for others long enough, and leads.
    for (let second = 0; second < 8; second++) await node.clock.advanceSettled(1_000);
    return node;
  }

  get peer(): string {
    return this.#mesh.self;
  }

  /** Whether it and the other member still talk. */
  get isMet(): boolean {
    return this.member.reachable().includes(this.peer) && this.#mesh.reachable().includes(this.member.self);
  }

  get lobby(): readonly string[] {
    return this.#mesh.status().lobbyAddresses;
  }

  /** All that it shows of its records, of others and of its files: what a refused input may not change. */
  digest(): string {
    return JSON.stringify([this.writes, this.#views()]);
  }

  /** How much of what others sent it refused. */
  refused(): number {
    return Object.values(this.reasons()).reduce((sum, { count }) => sum + count, 0);
  }

  /** The same by reason, of the mesh and of the records, and who sent the last of each. */
  reasons(): MeshStatus['refused'] {
    const records = this.#network.parts.find(({ name }) => name === 'records')?.component;
    return { ...this.#mesh.status().refused, ...(records as RecordSync).status().refused };
  }

  /** The page of metrics. */
  metrics(): string {
    return this.#network.measure(createMetrics()).render();
  }

  async stop(): Promise<void> {
    for (const { component } of [...this.#network.parts].reverse()) await component.stop();
    for (const part of this.#starting.reverse()) await part.stop();
    await this.member.stop();
    await this.stranger.stop();
  }

  #counted(store: RecordStore): RecordStore {
    return {
      start: () => store.start(),
      stop: () => store.stop(),
      load: () => store.load(),
      write: (batch) => {
        this.writes += 1;
        return store.write(batch);
      },
      getLocal: (key) => store.getLocal(key),
      setLocal: (entries) => {
        this.writes += 1;
        return store.setLocal(entries);
      },
      listLocal: (prefix) => store.listLocal(prefix),
      eachLocalText: (prefix, each) => store.eachLocalText(prefix, each),
      listDamagedLocal: () => store.listDamagedLocal(),
    };
  }

  #logger(): Logger {
    const silent = (): void => undefined;
    const logger: Logger = {
      debug: silent,
      info: silent,
      warn: (message) => this.warnings.push(message),
      error: (message, fields) => this.errors.push(`${message} ${JSON.stringify(fields)}`),
      child: () => logger,
    };
    return logger;
  }
}
