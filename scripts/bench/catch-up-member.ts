import { join } from 'node:path';
import {
  attemptKey,
  type JobRecord,
  type KnownRecord,
  type PeerId,
  RecordBytes,
  recordKey,
  signJobSpec,
  type Signer,
  type TaskRecord,
} from '@cuadro/protocol';
import { createCore } from '../../node/src/core/core.ts';
import { createDriver, type Driver } from '../../node/src/driver.ts';
import { foundFarm } from '../../node/src/farm/founding.ts';
import type { Mesh } from '../../node/src/mesh/interface.ts';
import { createMesh } from '../../node/src/mesh/mesh.ts';
import type { RecordSync } from '../../node/src/replicas/interface.ts';
import { createRecordSync } from '../../node/src/replicas/sync.ts';
import type { RecordStore } from '../../node/src/store/interface.ts';
import { createLevelStore } from '../../node/src/store/level-store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { createVerifier, identityOf } from '../../node/src/system/identity.ts';
import type { Logger, Startable } from '../../node/src/system/interface.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { until } from './harness.ts';

/**
 * The members of the bench `catch-up`. As a process of its own (`catch-up-member.ts FOLDER TASKS`) it is the one that
 * holds a history; it says where it is as one line of JSON, and ends with its standard input.
 */

export const FARM = 'aaaaaaaaaaaaaaaa';
const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
export const HOLDER = 1;
export const FRESH = 2;
export const peerOf = (number: number): PeerId => identityOf(seedOf(number)).peer;
/** Who holds the second copies. */
const OTHER = peerOf(3);

const clock = createSystemClock();
const random = createSystemRandom();

const silent = (): void => undefined;
/** That the plan is not held is meant so here; only errors are told. */
const logger: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
};

export interface Member {
  readonly signer: Signer;
  readonly mesh: Mesh;
  readonly driver: Driver;
  readonly sync: RecordSync;
  /** What is durable, by key. */
  readonly held: ReadonlyMap<string, KnownRecord>;
  readonly parts: Startable[];
}

/** Records, brain, driver and exchange, composed as in a node; nothing else. */
export async function startMember(folder: string, number: number): Promise<Member> {
  const privateKey = seedOf(number);
  const signer = identityOf(privateKey);
  const mesh = createMesh(
    { clock, random, logger },
    { privateKey, listen: ['127.0.0.1'], meshPort: 0, lobbyPort: 0, serviceName: undefined },
  );
  const held = new Map<string, KnownRecord>();
  const bytes = new RecordBytes();
  const level = createLevelStore(folder, { bytes });
  const store: RecordStore = {
    start: () => level.start(),
    stop: () => level.stop(),
    load: (options) => level.load(options),
    getLocal: (key) => level.getLocal(key),
    setLocal: (entries) => level.setLocal(entries),
    listLocal: (prefix) => level.listLocal(prefix),
    eachLocalText: (prefix, each) => level.eachLocalText(prefix, each),
    listDamagedLocal: () => level.listDamagedLocal(),
    write: async (batch) => {
      await level.write(batch);
      for (const record of batch.put) held.set(recordKey(record), record);
      for (const key of batch.remove) held.delete(key);
      sync.persisted(batch.put, batch.remove);
    },
  };
  await store.start();
  const driver = createDriver({
    core: createCore({ self: signer.peer, name: `machine ${number}`, term: 0, records: [] }),
    store,
    clock,
    logger,
    send: () => undefined,
    gossip: () => undefined,
    publish: () => undefined,
    worker: { run: () => undefined, stop: () => undefined },
    readPlan: () => Promise.resolve(undefined),
    onChanges: () => undefined,
    onBroken: (error) => {
      throw error;
    },
  });
  const sync = createRecordSync({
    mesh,
    clock,
    random,
    logger,
    verify: createVerifier(),
    bytes,
    records: { get: (key) => held.get(key), all: () => held.values() },
    deliver: async (from, records) => {
      driver.input({ kind: 'records', from, records });
      await driver.flushed();
    },
  });
  await driver.start();
  await sync.start();
  return { signer, mesh, driver, sync, held, parts: [store, driver, sync, mesh] };
}

/** A job of done frames as workers write them, with two holders each. */
function history(signer: Signer, tasks: number): KnownRecord[] {
  const id = random.name(16);
  const job: JobRecord = {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: 'history',
      type: 'echo-sleep',
      settings: {},
      plan: '0'.repeat(64),
      tasks,
      order: 1,
      after: [],
      outputFolder: '/nowhere',
      wallTime: clock.wallTime(),
    }),
    control: {},
    requests: {},
    holders: { bundle: {}, plan: { [signer.peer]: { held: true, counter: 1 } } },
    acknowledged: true,
  };
  return [job, ...Array.from({ length: tasks }, (_, index) => doneFrame(id, index, signer.peer))];
}

function doneFrame(job: string, index: number, peer: string): TaskRecord {
  const attempt = { epoch: { term: 1, peer }, sequence: index + 1 };
  const hash = (kind: number): string => `${kind}${String(index).padStart(63, '0')}`;
  return {
    kind: 'task',
    job,
    index,
    redo: 0,
    retry: 0,
    failures: {},
    results: {
      [attemptKey(attempt)]: {
        attempt,
        peer,
        state: 'done',
        files: [
          {
            name: `frame_${String(index + 1).padStart(4, '0')}.png`,
            blob: hash(1),
            sizeBytes: 400_000 + index,
            pixels: hash(2),
            width: 640,
            height: 360,
            role: 'image',
          },
        ],
        holders: { [peer]: { held: true, counter: 1 }, [OTHER]: { held: true, counter: 1 } },
        renderMs: 500,
        thumbnail: hash(3),
        wallTime: 1_700_000_000_000 + index * 500,
      },
    },
  };
}

async function main(folder: string, tasks: number): Promise<void> {
  const member = await startMember(join(folder, 'records'), HOLDER);
  const { signer, driver, mesh } = member;
  await driver.merge(foundFarm({ clock, random, signer }, { farm: 'bench', machine: 'one' }));
  await driver.merge(history(signer, tasks));
  await mesh.start();
  mesh.setMembership({ farm: FARM, members: new Set([HOLDER, FRESH].map(peerOf)) });
  const { meshAddresses: addresses } = await until('the mesh to listen', () => {
    const status = mesh.status();
    return status.meshAddresses.length > 0 ? status : undefined;
  });
  console.log(
    JSON.stringify({
      addresses,
      root: member.sync.root(),
      records: member.held.size,
    }),
  );
  process.stdin.resume().once('end', () => void stopMember(member));
}

export async function stopMember({ parts }: Member): Promise<void> {
  for (const part of parts.toReversed()) await part.stop();
}

if (import.meta.main) await main(process.argv[2] as string, Number(process.argv[3]));
