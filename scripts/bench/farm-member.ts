import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AttemptId,
  compareText,
  decode,
  encode,
  type Grant,
  type JobRecord,
  type KnownRecord,
  type PeerId,
  type Plan,
  PlanView,
  PLAN_BYTES_MAX,
  planSchema,
  RecordBytes,
  signJobSpec,
} from '@cuadro/protocol';
import type { BlobStore } from '../../node/src/blobs/interface.ts';
import { createFileBlobStore } from '../../node/src/blobs/store.ts';
import { createCore } from '../../node/src/core/core.ts';
import type { Changes } from '../../node/src/core/interface.ts';
import { networkOver, type Network } from '../../node/src/daemon/network.ts';
import { createDriver, type Driver } from '../../node/src/driver.ts';
import { admit, foundFarm, ownRecord } from '../../node/src/farm/founding.ts';
import { readPlan } from '../../node/src/jobs/content.ts';
import type { Mesh, MeshInit } from '../../node/src/mesh/interface.ts';
import type { RecordStore } from '../../node/src/store/interface.ts';
import { createLevelStore } from '../../node/src/store/level-store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { type Identity, identityOf } from '../../node/src/system/identity.ts';
import type { Clock, Logger, Startable } from '../../node/src/system/interface.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { createEchoSleepRunner } from '../../node/src/worker/runners/echo-sleep.ts';
import { createWorker, type Worker } from '../../node/src/worker/worker.ts';
import { CouldNotMeasure } from './harness.ts';

/**
 * Members of one farm, composed as in the daemon by the same functions: brain, driver, durable store, blobs, copies,
 * records' gossip and exchange, worker. Only Blender, the API, the collection and the door are left out, so that
 * many fit into one process, and a bench can see what a node does at the moment when it does it.
 */

const MEMBERS_MAX = 32;
/** Keys in the order of their peer ids: among members that start together the lowest leads, which is member 1 then. */
const seeds = Array.from({ length: MEMBERS_MAX }, (_, index) => new Uint8Array(32).fill(index + 1)).sort(
  (a, b) => compareText(identityOf(a).peer, identityOf(b).peer),
);

function seedOf(number: number): Uint8Array {
  const seed = seeds[number - 1];
  if (seed === undefined) throw new RangeError(`There are members 1 to ${MEMBERS_MAX}.`);
  return seed;
}

export const identityOfMember = (number: number): Identity => identityOf(seedOf(number));

/** The records that make `count` members one farm, the same in every process. Member 1 founds it. */
export function farmOf(count: number): { id: string; records: KnownRecord[]; peers: PeerId[] } {
  const founder = identityOfMember(1);
  // The farm is the same for all processes of a run only if nothing in it is random or of the clock.
  const clock: Clock = { ...createSystemClock(), wallTime: () => 0 };
  const random = { ...createSystemRandom(), name: (length: number) => 'a'.repeat(length) };
  const records = foundFarm({ clock, random, signer: founder }, { farm: 'bench', machine: nameOf(1) });
  const [farm] = records;
  if (farm?.kind !== 'farm') throw new TypeError('A farm begins with its record.');
  const peers = Array.from({ length: count }, (_, index) => identityOfMember(index + 1).peer);
  for (let number = 2; number <= count; number++) {
    const newcomer = ownRecord(identityOfMember(number), nameOf(number));
    records.push(admit({ clock, signer: founder }, farm, newcomer));
  }
  return { id: farm.id, records, peers };
}

const nameOf = (number: number): string => `machine ${number}`;

const silent = (): void => undefined;
/** Only errors are told: that a machine isn't reached yet is meant so here. */
const logger: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
};

export interface FarmMemberInit {
  folder: string;
  /** Counted from 1; the key and the name derive from it. */
  number: number;
  /** Members of the farm in all. */
  members: number;
  slots: number;
  tags?: string[];
  mesh: (components: { clock: Clock; logger: Logger }, init: MeshInit) => Mesh;
  clock?: Clock;
  /** A fsynced LevelDB by default. */
  store?: RecordStore;
  /** A task begins on this member: called before its worker sees it. */
  onRun?: (grant: Grant) => void;
  /** A task ended on this member: called before its brain hears of it. */
  onEnded?: (attempt: AttemptId) => void;
  /** These changed, and are durable here. */
  onChanges?: (changes: Changes) => void;
}

export interface FarmMember extends Startable {
  readonly signer: Identity;
  readonly mesh: Mesh;
  readonly driver: Driver;
  readonly blobs: BlobStore;
}

const random = createSystemRandom();

/** Resolves when it runs; it reaches others once it is told where they are (`mesh.addAddresses`). */
export async function startFarmMember(init: FarmMemberInit): Promise<FarmMember> {
  const { folder, number, slots } = init;
  const clock = init.clock ?? createSystemClock();
  const signer = identityOfMember(number);
  const bytes = new RecordBytes();
  await mkdir(folder, { recursive: true });
  const store = init.store ?? createLevelStore(join(folder, 'records'), { bytes });
  const blobs = createFileBlobStore({ clock, random }, { folder, options: { reserveBytes: 0 } });
  await store.start();
  await blobs.start();
  const farm = farmOf(init.members);
  // As one that starts again: it knows its farm, and looks for its coordinator.
  await store.write({ put: farm.records, remove: [] });
  const core = createCore({ self: signer.peer, name: nameOf(number), term: 0, records: farm.records });
  const mesh = init.mesh(
    { clock, logger },
    {
      privateKey: seedOf(number),
      listen: ['127.0.0.1'],
      meshPort: 0,
      lobbyPort: 0,
      serviceName: undefined,
    },
  );
  const network: Network = networkOver(
    mesh,
    { clock, random, logger, store, blobs, bytes, replaceHours: () => 24 },
    core,
    () => driver,
  );
  const worker = createFarmWorker(init, { clock, blobs }, () => driver);
  const driver: Driver = createDriver({
    core,
    store,
    clock,
    logger,
    ...network.out,
    worker: {
      run: (grant, job, task) => {
        init.onRun?.(grant);
        worker.run(grant, job, task);
      },
      stop: (attempt, reason) => worker.stopAttempt(attempt, reason),
    },
    readPlan: (hash) => readPlan({ blobs, content: network.content, logger }, hash),
    onChanges: (changes) => {
      network.changed(changes);
      init.onChanges?.(changes);
    },
    onBroken: (error) => {
      throw error;
    },
  });
  const parts: Startable[] = [
    store,
    blobs,
    worker,
    driver,
    ...network.parts.map(({ component }) => component),
  ];
  await worker.start();
  await driver.start();
  mesh.setMembership({ farm: farm.id, members: new Set(farm.peers) });
  for (const { component } of network.parts) await component.start();
  driver.input({ kind: 'worker', slots, bundles: [], accepting: true, capabilities: capabilitiesOf(init) });
  return {
    signer,
    mesh,
    driver,
    blobs,
    start: () => Promise.resolve(),
    stop: async () => {
      for (let part = parts.pop(); part !== undefined; part = parts.pop()) await part.stop();
    },
  };
}

export function capabilitiesOf({ tags = [] }: Pick<FarmMemberInit, 'tags'>) {
  const none = { renderEngines: [], denoisers: [], devices: [], programs: [], scripts: false };
  return { ...none, engines: { node: '1' }, tags, cores: 1, memoryBytes: 0 };
}

function createFarmWorker(
  init: FarmMemberInit,
  parts: { clock: Clock; blobs: BlobStore },
  driver: () => Driver,
): Worker {
  const { clock } = parts;
  const neverHere = (): never => {
    throw new CouldNotMeasure('A task of another kind was granted.');
  };
  return createWorker(
    {
      ...parts,
      logger,
      reports: {
        progress: (attempt, progress) => driver().input({ kind: 'progress', attempt, ...progress }),
        ended: (attempt, outcome) => {
          init.onEnded?.(attempt);
          driver().input({ kind: 'ended', attempt, outcome });
        },
      },
      onMachineFault: (sentence) => {
        throw new CouldNotMeasure(sentence);
      },
      runners: {
        'blender-frame': neverHere,
        film: neverHere,
        command: neverHere,
        'echo-sleep': createEchoSleepRunner({ clock }),
      },
    },
    { workFolder: join(init.folder, 'work'), logFolder: join(init.folder, 'logs'), slots: () => init.slots },
  );
}

/** Waits until a member reaches so many others. */
export async function reaches(member: FarmMember, others: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (member.mesh.reachable().length >= others) resolve();
  };
  const unsubscribe = member.mesh.subscribe({ peer: look });
  look();
  await promise;
  unsubscribe();
}

/** So many tasks that do nothing. */
export const planOfNothing = (count: number): Plan => ({
  version: 1,
  order: 'sequential',
  groups: [
    {
      name: 'nothing',
      work: { kind: 'echo-sleep', message: '', sleepMs: 0 },
      numbers: [{ start: 1, end: count, step: 1 }],
      after: [],
      requires: { engine: 'node' },
    },
  ],
});

/** A job of this member by its plan, stored and signed; merging the record submits it. */
export async function jobOfPlan({ signer, blobs, driver }: FarmMember, plan: Plan): Promise<JobRecord> {
  const id = random.name(16);
  const checked = planSchema.parse(decode(encode(plan), PLAN_BYTES_MAX)) as Plan;
  const stored = await blobs.putBytes(encode(checked), { pin: id });
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: 'bench',
      type: 'echo-sleep',
      settings: {},
      plan: stored.hash,
      tasks: new PlanView(checked).taskCount,
      order: driver.queries.nextOrder(),
      after: [],
      outputFolder: '/nowhere',
      wallTime: createSystemClock().wallTime(),
    }),
    control: {},
    requests: {},
    holders: { bundle: {}, plan: { [signer.peer]: { held: true, counter: 1 } } },
    acknowledged: false,
  };
}
