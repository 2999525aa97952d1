import { join } from 'node:path';
import { Level } from 'level';
import {
  attemptKey,
  encode,
  type JobRecord,
  type KnownRecord,
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
import { createMemoryNetwork } from '../../node/src/mesh/memory-mesh.ts';
import type { RecordSync } from '../../node/src/replicas/interface.ts';
import { createRecordSync } from '../../node/src/replicas/sync.ts';
import type { RecordStore } from '../../node/src/store/interface.ts';
import { createLevelStore } from '../../node/src/store/level-store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { createVerifier, identityOf } from '../../node/src/system/identity.ts';
import type { Logger, Startable } from '../../node/src/system/interface.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, median, rounded } from './harness.ts';

const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 10_000);
const ROUNDS = 3;
const FARM = 'aaaaaaaaaaaaaaaa';
/** Who holds the second copies. */
const OTHER = identityOf(new Uint8Array(32).fill(3)).peer;

export const bench: Bench = {
  name: 'catch-up',
  measures:
    `seconds from the moment when a fresh node reaches a member to all records of a job of ${TASKS.toLocaleString('en-US')} done frames ` +
    'being merged and durable there, p50: real brain, driver, fsynced store and exchange, both nodes in one process, ' +
    'so the member’s part is in it; over the mesh in memory, so the network’s is not. The baseline writes the same ' +
    'bytes into a bare LevelDB in one fsynced batch. The ratio is baseline ÷ catch-up.',
  run,
};

const clock = createSystemClock();
const random = createSystemRandom();

async function run(context: BenchContext): Promise<Measured> {
  const seconds: number[] = [];
  const cpu: number[] = [];
  const bare: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const folder = await context.folder('catch-up');
    const caught = await catchUp(folder);
    seconds.push(caught.seconds);
    cpu.push(caught.cpuSeconds);
    bytes = caught.bytes;
    bare.push(await bareLevel(join(folder, 'bare'), caught.records));
    context.say(
      `${caught.records.length} records in ${caught.seconds.toFixed(2)} s, ${caught.cpuSeconds.toFixed(2)} s of CPU, ` +
        `${(bytes / 1e6).toFixed(1)} MB; bare LevelDB ${bare.at(-1)?.toFixed(2)} s.`,
    );
  }
  return {
    value: rounded(median(seconds), 2),
    unit: 's',
    baseline: rounded(median(bare), 3),
    ratio: rounded(median(bare) / median(seconds), 3),
    cpuSeconds: rounded(median(cpu), 2),
    exchangedMB: rounded(bytes / 1e6, 1),
    tasks: TASKS,
    mesh: 'memory',
  };
}

interface Member {
  readonly signer: Signer;
  readonly mesh: Mesh;
  readonly driver: Driver;
  readonly sync: RecordSync;
  /** What is durable, by key. */
  readonly held: ReadonlyMap<string, KnownRecord>;
  readonly parts: Startable[];
}

/** Records, brain, driver and exchange, composed as in a node; nothing else. */
async function startMember(
  folder: string,
  network: ReturnType<typeof createMemoryNetwork>,
  seed: number,
): Promise<Member> {
  const privateKey = new Uint8Array(32).fill(seed);
  const signer = identityOf(privateKey);
  const mesh = network.mesh({
    privateKey,
    listen: ['127.0.0.1'],
    meshPort: 0,
    lobbyPort: 0,
    serviceName: undefined,
  });
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
    listLocalText: (prefix) => level.listLocalText(prefix),
    write: async (batch) => {
      await level.write(batch);
      for (const record of batch.put) held.set(recordKey(record), record);
      for (const key of batch.remove) held.delete(key);
      sync.persisted(batch.put, batch.remove);
    },
  };
  await store.start();
  const driver = createDriver({
    core: createCore({ self: signer.peer, name: `machine ${seed}`, term: 0, records: [] }),
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

async function catchUp(
  folder: string,
): Promise<{ seconds: number; cpuSeconds: number; bytes: number; records: KnownRecord[] }> {
  const network = createMemoryNetwork();
  const [member, fresh] = [
    await startMember(join(folder, 'member'), network, 1),
    await startMember(join(folder, 'fresh'), network, 2),
  ];
  try {
    await member.driver.merge(
      foundFarm({ clock, random, signer: member.signer }, { farm: 'bench', machine: 'one' }),
    );
    await member.driver.merge(history(member.signer));
    const members = new Set([member.signer.peer, fresh.signer.peer]);
    await member.mesh.start();
    await fresh.mesh.start();
    member.mesh.setMembership({ farm: FARM, members });
    fresh.mesh.addAddresses(member.signer.peer, member.mesh.status().meshAddresses);
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    fresh.mesh.setMembership({ farm: FARM, members });
    await reached(fresh.mesh, member.signer.peer);
    await fresh.sync.syncWith(member.signer.peer);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    if (fresh.sync.root() === undefined || fresh.sync.root() !== member.sync.root()) {
      throw new CouldNotMeasure(`The fresh node holds ${fresh.held.size} of ${member.held.size} records.`);
    }
    const { sent, received } = fresh.sync.status().bytes;
    return {
      seconds,
      cpuSeconds: (user + system) / 1e6,
      bytes: sent + received,
      records: [...fresh.held.values()],
    };
  } finally {
    for (const { parts } of [fresh, member]) for (const part of parts.toReversed()) await part.stop();
  }
}

async function reached(mesh: Mesh, peer: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = mesh.subscribe({
    peer: (other, state) => {
      if (other === peer && state === 'reachable') resolve();
    },
  });
  if (mesh.reachable().includes(peer)) resolve();
  await promise;
  unsubscribe();
}

/** A job of done frames as workers write them, with two holders each. */
function history(signer: Signer): KnownRecord[] {
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
      tasks: TASKS,
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
  return [job, ...Array.from({ length: TASKS }, (_, index) => doneFrame(id, index, signer.peer))];
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

/** Seconds that a bare LevelDB needs for the same records in one fsynced batch. */
async function bareLevel(folder: string, records: readonly KnownRecord[]): Promise<number> {
  const operations = records.map((record) => ({
    type: 'put' as const,
    key: recordKey(record),
    value: encode(record),
  }));
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  await database.open();
  const startedAt = performance.now();
  await database.batch(operations, { sync: true });
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  return seconds;
}

const silent = (): void => undefined;
/** That the plan is not held is meant so here; only errors are told. */
const logger: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
};
