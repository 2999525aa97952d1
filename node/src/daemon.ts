import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CuadroError,
  EXIT,
  verifyRecord,
  type Config,
  type ExitCode,
  type KnownRecord,
  type Signer,
} from '@cuadro/protocol';
import { createEventHub, type EventHub } from './api/event-hub.ts';
import { createApi, type Api } from './api/server.ts';
import type { BlobStore } from './blobs/interface.ts';
import { createFileBlobStore } from './blobs/store.ts';
import { createCore } from './core/core.ts';
import type { Core, CoreQueries } from './core/interface.ts';
import { createDriver, type Driver, type DriverInput } from './driver.ts';
import { createJobActions } from './jobs/actions.ts';
import { createCopyWatch } from './jobs/copies.ts';
import { createCollection, type Collection } from './jobs/collection.ts';
import { createContentReader, readPlan } from './jobs/content.ts';
import { foundFarm } from './jobs/founding.ts';
import { withCollection } from './jobs/queries.ts';
import { createBlenderSessions } from './render/blender/pool.ts';
import type { RenderLimits } from './render/limits.ts';
import { createPictureProcess } from './render/verify/pictures.ts';
import { createLevelStore } from './store/level-store.ts';
import type { RecordStore } from './store/interface.ts';
import { createSystemClock } from './system/clock.ts';
import { loadConfig } from './system/config.ts';
import { createFolderLock } from './system/folder-lock.ts';
import { createVerifier, loadIdentity } from './system/identity.ts';
import type { Clock, Random, Startable } from './system/interface.ts';
import { createLifecycle, handleSignals, type LifecyclePart } from './system/lifecycle.ts';
import { createLogger, type OwnedLogger } from './system/logger.ts';
import { createLoopDelay, createMetrics, type LoopDelay, type Metrics } from './system/metrics.ts';
import { loadToken, removeNodeFile, signinAddress, writeNodeFile } from './system/node-file.ts';
import { createSystemRandom } from './system/random.ts';
import { startError } from './system/start-error.ts';
import { createTemporaryFiles, type TemporaryFiles } from './system/temporary-files.ts';
import { createHere } from './worker/here.ts';
import type { TaskReader } from './worker/interface.ts';
import { createMachine, type Machine } from './worker/machine.ts';
import { createBlenderFrameRunner } from './worker/runners/blender-frame.ts';
import { createCommandRunner } from './worker/runners/command.ts';
import { createEchoSleepRunner } from './worker/runners/echo-sleep.ts';
import { createFilmRunner } from './worker/runners/film.ts';
import { SceneFolders } from './worker/scenes.ts';
import { createWorker, type Worker } from './worker/worker.ts';

/** The composition root: the only file that imports every room. */
const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
const uiFolder = fileURLToPath(new URL('../../ui/dist', import.meta.url));

export interface NodeInit {
  dataFolder: string;
  /** First port of the dashboard; the configured one by default, 0 for any. */
  port?: number;
  /** Replaces configured values for this run only. */
  config?: Partial<Config>;
  /** Bounds of rendering other than the usual ones. */
  renderLimits?: Partial<RenderLimits>;
  /** Called when the node can't go on (its records can't be written) or was asked to end through the API. */
  onEnd?: (reason: { error?: unknown }) => void;
  /** Short lines for people; none by default. */
  human?: { write(line: string): unknown };
}

/** A running node. */
export interface CuadroNode extends Startable {
  readonly address: string;
  readonly port: number;
  readonly token: string;
  readonly signinAddress: string;
  readonly queries: CoreQueries;
}

interface Foundation {
  clock: Clock;
  random: Random;
  logger: OwnedLogger;
  loopDelay: LoopDelay;
  config: Config;
  signer: Signer;
  store: RecordStore;
  blobs: BlobStore;
  temporaries: TemporaryFiles;
  records: KnownRecord[];
  term: number;
}

/**
 * Builds and starts a node, in the order of its parts; `stop` goes in reverse.
 * @throws CuadroError `data-folder-in-use`, `store-unwritable`, `port-taken`, `request-invalid` (config).
 */
export async function startNode(init: NodeInit): Promise<CuadroNode> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const folder = init.dataFolder;
  const lock = createFolderLock(folder);
  await lock.start().catch((error: unknown) => {
    throw startError(error, folder);
  });
  const logger = createLogger(
    { clock },
    {
      file: { path: join(folder, 'node.log') },
      ...(init.human && { human: { stream: init.human, level: 'warn' as const } }),
    },
  );
  const started: Startable[] = [lock, logger];
  const start = async <T extends Startable>(component: T): Promise<T> => {
    await component.start();
    started.push(component);
    return component;
  };
  try {
    await logger.start();
    const config = { ...(await loadConfig(folder)), ...init.config };
    const signer = await loadIdentity({ random }, join(folder, 'identity.key'));
    const store = await start(createLevelStore(join(folder, 'records')));
    const temporaries = createTemporaryFiles({ random }, { owner: signer.peer.slice(-8) });
    const blobs = await start(
      createFileBlobStore({ clock, random, temporaries }, { folder, options: blobOptions(config) }),
    );
    const loopDelay = await start(createLoopDelay());
    const { records, term, damaged } = await store.load();
    if (damaged > 0) logger.error('Stored records were damaged and left out.', { damaged });
    const shared = { clock, random, logger, loopDelay, signer, store, blobs, temporaries };
    return await assemble(init, { ...shared, config, records, term }, started);
  } catch (error) {
    for (const component of started.reverse()) await component.stop().catch(() => undefined);
    throw startError(error, folder);
  }
}

const GIB = 2 ** 30;
const blobOptions = (config: Config): { quotaBytes: number; reserveBytes: number } => ({
  quotaBytes: config.quotaGiB * GIB,
  reserveBytes: config.reserveGiB * GIB,
});

/** The configuration as it is now; parts ask for it each time. */
interface LiveConfig {
  current: Config;
}

/** What renders: engines, the worker, and what this machine can do. */
interface Rendering {
  parts: LifecyclePart[];
  machine: Machine;
  worker: Worker;
}

/** Engines and worker; what they tell goes to `input`. */
async function assembleRendering(
  init: Pick<NodeInit, 'dataFolder' | 'renderLimits'>,
  base: Foundation,
  live: LiveConfig,
  brain: { tasks: TaskReader; input(input: DriverInput): void },
): Promise<Rendering> {
  const { clock, random, logger, blobs } = base;
  const { slots, confine, blender, ffmpeg } = live.current;
  const folder = init.dataFolder;
  const scenes = new SceneFolders({ blobs, random }, { folder: join(folder, 'scenes') });
  await mkdir(scenes.folder, { recursive: true });
  const threads = Math.max(1, Math.floor(availableParallelism() / slots));
  const sessions = createBlenderSessions(
    { clock, random, logger },
    {
      sessionsDirectory: join(folder, 'sessions'),
      readableDirectories: [scenes.folder],
      slots: Array.from({ length: slots }, () => (slots === 1 ? {} : { threads })),
      confine,
      ...(blender !== '' && { blender }),
      ...(init.renderLimits && { limits: init.renderLimits }),
    },
  );
  const pictures = createPictureProcess({ clock, random, logger }, ffmpeg === '' ? {} : { ffmpeg });
  const machine = createMachine({
    clock,
    logger,
    blobs,
    sessions,
    config: () => live.current,
    bundles: () => scenes.bundles(),
    onWorker: (worker) => brain.input({ kind: 'worker', ...worker }),
    onLoad: (load) => brain.input({ kind: 'load', ...load }),
  });
  const worker = createWorker(
    {
      clock,
      logger,
      blobs,
      reports: {
        progress: (attempt, progress) => brain.input({ kind: 'progress', attempt, ...progress }),
        ended: (attempt, outcome) => brain.input({ kind: 'ended', attempt, outcome }),
      },
      onMachineFault: (sentence) => machine.fault(sentence),
      runners: {
        'blender-frame': createBlenderFrameRunner({ blobs, pictures, logger, sessions, scenes }),
        film: createFilmRunner({ blobs, clock, random, tasks: brain.tasks, ffmpeg: () => machine.ffmpeg() }),
        command: createCommandRunner({ blobs, clock, random, allowedPrograms: () => live.current.programs }),
        'echo-sleep': createEchoSleepRunner({ clock }),
      },
    },
    { workFolder: join(folder, 'work'), logFolder: join(folder, 'logs'), slots },
  );
  const parts = [
    { name: 'sessions', component: sessions },
    { name: 'pictures', component: pictures },
    { name: 'worker', component: worker },
  ];
  return { parts, machine, worker };
}

/** The brain with its driver, and what people do with jobs. `hub` hears of every change once it is durable. */
function assembleBrain(init: NodeInit, base: Foundation, core: Core, rendering: () => Rendering) {
  const { clock, random, logger, signer, store, blobs, temporaries } = base;
  const driver: Driver = createDriver({
    core,
    store,
    clock,
    logger,
    send: (to, message) => logger.warn('There is no way to another machine yet.', { to, kind: message.kind }),
    worker: {
      run: (grant, job, task) => rendering().worker.run(grant, job, task),
      stop: (attempt, reason) => rendering().worker.stopAttempt(attempt, reason),
    },
    readPlan: (hash) => readPlan(blobs, hash),
    onChanges: (changes) => {
      hub.notify(changes);
      for (const { job, indices } of changes.tasks) collection.changed(job, indices);
      for (const job of changes.removed) collection.removed(job);
    },
    onBroken: (error) => init.onEnd?.({ error }),
  });
  const shared = { clock, random, logger, blobs, temporaries, store, signer, driver };
  const collection: Collection = createCollection(shared, {
    onCollected: (job) => hub.notify({ jobs: [job], removed: [], tasks: [], nodes: [], farm: false }),
  });
  const queries = withCollection(core, (job) => collection.state(job));
  const hub: EventHub = createEventHub({ queries, clock });
  return { driver, shared, collection, queries, hub };
}

/** Stored records whose signatures are good; the rest is told and left out. */
function trustedRecords({ records, logger }: Foundation): KnownRecord[] {
  const verify = createVerifier();
  const trusted = records.filter((record) => verifyRecord(record, verify));
  const count = records.length - trusted.length;
  if (count > 0) logger.error('Stored records with bad signatures were left out.', { count });
  return trusted;
}

/** Wires the parts above the foundation and starts them. */
async function assemble(init: NodeInit, base: Foundation, started: Startable[]): Promise<CuadroNode> {
  const { clock, random, logger, signer, blobs, loopDelay } = base;
  const { dataFolder } = init;
  const live: LiveConfig = { current: base.config };
  const records = trustedRecords(base);
  const core = createCore({ self: signer.peer, name: base.config.name, term: base.term, records });
  const rendering: Rendering = await assembleRendering(init, base, live, {
    tasks: core,
    input: (input) => driver.input(input),
  });
  const { machine, worker } = rendering;
  const { driver, shared, collection, queries, hub } = assembleBrain(init, base, core, () => rendering);
  const jobs = createJobActions({
    ...shared,
    tools: async () => {
      const blender = await machine.blender();
      return blender.state === 'ready' ? { blender: blender.path, clock } : undefined;
    },
    machines: () => machine.forPreflight(),
    outputBase: () => live.current.outputFolder,
    dataFolder,
    emit: (event) => hub.emit(event),
  });
  const here = createHere(
    { clock, random, signer, loopDelay, machine },
    {
      version,
      dataFolder,
      address: () => api.address,
      config: () => live.current,
      setConfig: (config) => {
        live.current = { ...config, ...init.config };
      },
      end: () => init.onEnd?.({}),
    },
  );
  const content = createContentReader({
    blobs,
    queries: core,
    logFile: (...place) => worker.logFile(...place),
  });
  const metrics = nodeMetrics(loopDelay);
  const token = await loadToken({ random }, dataFolder);
  const api: Api = createApi(
    { queries, jobs, here, content, events: hub, metrics },
    { token, version, logger, clock, uiFolder, port: init.port ?? base.config.port },
  );
  const lifecycle = createLifecycle(
    { clock, logger },
    {
      parts: [
        ...rendering.parts,
        { name: 'driver', component: driver },
        { name: 'collection', component: collection },
        { name: 'copies', component: createCopyWatch(shared) },
        { name: 'machine', component: machine },
        { name: 'events', component: { start: () => Promise.resolve(), stop: async () => hub.stop() } },
        { name: 'api', component: api },
      ],
    },
  );
  started.push(lifecycle);
  await lifecycle.start();
  if (!records.some((record) => record.kind === 'farm')) {
    const { name } = base.config;
    await driver.merge(foundFarm({ clock, random, signer }, { farm: `${name}'s farm`, machine: name }));
  }
  // Clients find the node by this file, so it is written last and removed first.
  const { address, port } = api;
  await writeNodeFile({ random }, dataFolder, { pid: process.pid, address, port, token });
  started.push({ start: () => Promise.resolve(), stop: () => removeNodeFile(dataFolder) });
  logger.info('The node runs.', { address, peer: signer.peer, version });
  return {
    address,
    port,
    token,
    signinAddress: signinAddress({ address, token }),
    queries,
    start: () => Promise.resolve(),
    stop: async () => {
      for (let part = started.pop(); part !== undefined; part = started.pop()) await part.stop();
    },
  };
}

function nodeMetrics(loopDelay: LoopDelay): Metrics {
  const metrics = createMetrics();
  const help = 'How late the event loop runs, 99th percentile, milliseconds';
  metrics.gaugeOf('cuadro_loop_delay_p99_ms', help, () => loopDelay.percentileMs(0.99));
  return metrics;
}

export interface DaemonOptions {
  dataFolder: string;
  port?: number;
  config?: Partial<Config>;
  signal?: AbortSignal;
  onReady?: (ready: { address: string; signinAddress: string; port: number }) => void;
  /** Ctrl-C was pressed once. */
  onStopping?: () => void;
}

/** Runs a node until it is asked to end: by Ctrl-C or SIGTERM (once in order, twice at once), the API, or the signal. */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const clock = createSystemClock();
  const ended = Promise.withResolvers<{ error?: unknown }>();
  const node = await startNode({
    dataFolder: options.dataFolder,
    onEnd: (reason) => ended.resolve(reason),
    human: process.stderr,
    ...(options.port !== undefined && { port: options.port }),
    ...(options.config && { config: options.config }),
  });
  const onStop = (): void => {
    options.onStopping?.();
    ended.resolve({});
  };
  const removeHandlers = handleSignals(
    {
      clock,
      logger: createLogger({ clock }, {}),
      source: process,
      outputs: [process.stdout, process.stderr],
    },
    { onStop, onForce: () => process.exit(EXIT.interrupted) },
  );
  options.signal?.addEventListener('abort', onStop, { once: true });
  options.onReady?.({ address: node.address, signinAddress: node.signinAddress, port: node.port });
  const reason = await ended.promise;
  await node.stop();
  removeHandlers();
  if (reason.error === undefined) return EXIT.ok;
  throw new CuadroError(
    'store-unwritable',
    { path: options.dataFolder, why: (reason.error as Error).message },
    { cause: reason.error },
  );
}
