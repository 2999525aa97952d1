import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CuadroError,
  EXIT,
  PLAN_BYTES_MAX,
  decode,
  planSchema,
  verifyRecord,
  type Config,
  type ExitCode,
  type HereView,
  type KnownRecord,
  type Plan,
  type Signer,
} from '@cuadro/protocol';
import { createEventHub, type EventHub } from './api/event-hub.ts';
import type { HereActions } from './api/interface.ts';
import { createApi, type Api } from './api/server.ts';
import type { BlobStore } from './blobs/interface.ts';
import { createFileBlobStore } from './blobs/store.ts';
import { createCore } from './core/core.ts';
import type { CoreQueries } from './core/interface.ts';
import { createDriver, type Driver } from './driver.ts';
import { createJobActions } from './jobs/actions.ts';
import { createCollection, type Collection } from './jobs/collection.ts';
import { createContentReader } from './jobs/content.ts';
import { foundFarm } from './jobs/founding.ts';
import { withCollection } from './jobs/queries.ts';
import type { SubmissionComponents } from './jobs/submission.ts';
import { createBlenderSessions } from './render/blender/pool.ts';
import { createPictureProcess } from './render/verify/pictures.ts';
import { createLevelStore } from './store/level-store.ts';
import type { RecordStore } from './store/interface.ts';
import { createSystemClock } from './system/clock.ts';
import { loadConfig, saveConfig } from './system/config.ts';
import { createFolderLock } from './system/folder-lock.ts';
import { createVerifier, loadIdentity } from './system/identity.ts';
import type { Clock, Random, Startable } from './system/interface.ts';
import { createLifecycle, handleSignals, type LifecyclePart } from './system/lifecycle.ts';
import { createLogger, type OwnedLogger } from './system/logger.ts';
import { createLoopDelay, createMetrics, type LoopDelay } from './system/metrics.ts';
import { removeNodeFile, signinAddress, writeNodeFile } from './system/node-file.ts';
import { createSystemRandom } from './system/random.ts';
import { startError } from './system/start-error.ts';
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
/** The built dashboard, beside the node in the house. */
const uiFolder = fileURLToPath(new URL('../../ui/dist', import.meta.url));

export interface NodeInit {
  dataFolder: string;
  /** First port of the dashboard; the configured one by default, 0 for any. */
  port?: number;
  /** Replaces configured values for this run only. */
  config?: Partial<Config>;
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
    const blobs = await start(
      createFileBlobStore({ clock, random }, { folder, options: blobOptions(config) }),
    );
    const loopDelay = await start(createLoopDelay());
    const { records, term, damaged } = await store.load();
    if (damaged > 0) logger.error('Stored records were damaged and left out.', { damaged });
    const foundation: Foundation = {
      clock,
      random,
      logger,
      loopDelay,
      config,
      signer,
      store,
      blobs,
      records,
      term,
    };
    return await assemble(init, foundation, started);
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

/** Wires the parts above the foundation and starts them. */
async function assemble(init: NodeInit, base: Foundation, started: Startable[]): Promise<CuadroNode> {
  const { clock, random, logger, signer, store, blobs } = base;
  const folder = init.dataFolder;
  let config = base.config;
  const scenes = new SceneFolders({ blobs, random }, { folder: join(folder, 'scenes') });
  await mkdir(scenes.folder, { recursive: true });
  const verify = createVerifier();
  const records = base.records.filter((record) => verifyRecord(record, verify));
  if (records.length < base.records.length)
    logger.error('Stored records with bad signatures were left out.', {
      count: base.records.length - records.length,
    });
  const core = createCore({ self: signer.peer, name: config.name, term: base.term, records });

  const sessions = createBlenderSessions(
    { clock, random, logger },
    {
      sessionsDirectory: join(folder, 'sessions'),
      readableDirectories: [scenes.folder],
      slots: Array.from({ length: config.slots }, () => ({})),
      confine: config.confine,
      ...(config.blender !== '' && { blender: config.blender }),
    },
  );
  const pictures = createPictureProcess(
    { clock, random, logger },
    config.ffmpeg === '' ? {} : { ffmpeg: config.ffmpeg },
  );
  const machine: Machine = createMachine({
    clock,
    logger,
    blobs,
    sessions,
    config: () => config,
    bundles: () => scenes.bundles(),
    onWorker: (worker) => driver.input({ kind: 'worker', ...worker }),
    onLoad: (load) => driver.input({ kind: 'load', ...load }),
  });
  const worker: Worker = createWorker(
    {
      clock,
      logger,
      blobs,
      reports: {
        progress: (attempt, progress) => driver.input({ kind: 'progress', attempt, ...progress }),
        ended: (attempt, outcome) => driver.input({ kind: 'ended', attempt, outcome }),
      },
      runners: {
        'blender-frame': createBlenderFrameRunner({ blobs, pictures, logger, sessions, scenes }),
        film: createFilmRunner({ blobs, clock, random, tasks: core, ffmpeg: () => machine.ffmpeg() }),
        command: createCommandRunner({ blobs, clock, random, allowedPrograms: () => config.programs }),
        'echo-sleep': createEchoSleepRunner({ clock }),
      },
    },
    { workFolder: join(folder, 'work'), logFolder: join(folder, 'logs'), slots: config.slots },
  );
  const driver: Driver = createDriver({
    core,
    store,
    clock,
    logger,
    send: (to, message) => logger.warn('There is no way to another machine yet.', { to, kind: message.kind }),
    worker: {
      run: (grant, job, task) => worker.run(grant, job, task),
      stop: (attempt, reason) => worker.stopAttempt(attempt, reason),
    },
    readPlan: (hash) => readPlan(blobs, hash),
    onChanges: (changes) => {
      hub.notify(changes);
      for (const { job } of changes.tasks) collection.changed(job);
    },
    onBroken: (error) => init.onEnd?.({ error }),
  });
  const shared = { clock, random, logger, blobs, store, signer, driver };
  const collection: Collection = createCollection(shared, {
    onCollected: (job) => hub.notify({ jobs: [job], removed: [], tasks: [], nodes: [], farm: false }),
  });
  const queries = withCollection(core, (job) => collection.state(job));
  const hub: EventHub = createEventHub({ queries, clock });
  const submission: SubmissionComponents = {
    ...shared,
    tools: async () => {
      const blender = await machine.blender();
      return blender.state === 'ready' ? { blender: blender.path, clock } : undefined;
    },
    machines: () => machine.forPreflight(),
    outputBase: () => config.outputFolder,
    dataFolder: folder,
    emit: (event) => hub.emit(event),
  };
  const metrics = createMetrics();
  const token = random.name(32);
  const startedAt = clock.wallTime();
  const view = async (): Promise<HereView> => ({
    peer: signer.peer,
    name: config.name,
    version,
    pid: process.pid,
    address: api.address,
    dataFolder: folder,
    startedAt,
    memoryBytes: process.memoryUsage().rss,
    loopDelayP99Ms: base.loopDelay.percentileMs(0.99),
    ...(await machine.view()),
  });
  const here: HereActions = {
    here: view,
    config: () => config,
    setConfig: async (change) => {
      config = { ...(await saveConfig({ random }, folder, change)), ...init.config };
      machine.tell();
      return config;
    },
    stop: () => {
      clock.after(STOP_ANSWER_MS, () => init.onEnd?.({}));
      return { machines: 1, message: 'The node ends.' };
    },
  };
  const api: Api = createApi(
    {
      queries,
      jobs: createJobActions(submission),
      here,
      content: createContentReader({ blobs, queries: core, logFile: (...place) => worker.logFile(...place) }),
      events: hub,
      metrics,
    },
    { token, version, logger, clock, uiFolder, port: init.port ?? config.port },
  );
  metrics.gaugeOf(
    'cuadro_loop_delay_p99_ms',
    'How late the event loop runs, 99th percentile, milliseconds',
    () => base.loopDelay.percentileMs(0.99),
  );
  const parts: LifecyclePart[] = [
    { name: 'sessions', component: sessions },
    { name: 'pictures', component: pictures },
    { name: 'worker', component: worker },
    { name: 'driver', component: driver },
    { name: 'collection', component: collection },
    { name: 'machine', component: machine },
    { name: 'events', component: { start: () => Promise.resolve(), stop: async () => hub.stop() } },
    { name: 'api', component: api },
    {
      name: 'node file',
      component: nodeFile({ random }, folder, () => ({ address: api.address, port: api.port, token })),
    },
  ];
  const lifecycle = createLifecycle({ clock, logger }, { parts });
  await lifecycle.start();
  started.push(lifecycle);
  if (!records.some((record) => record.kind === 'farm')) {
    await driver.merge(
      foundFarm({ clock, random, signer }, { farm: `${config.name}'s farm`, machine: config.name }),
    );
  }
  logger.info('The node runs.', { address: api.address, peer: signer.peer, version });
  return {
    address: api.address,
    port: api.port,
    token,
    signinAddress: signinAddress({ address: api.address, token }),
    queries,
    start: () => Promise.resolve(),
    stop: async () => {
      while (started.length > 0) await (started.pop() as Startable).stop();
    },
  };
}

/** The answer to "stop" leaves the machine before the server does. */
const STOP_ANSWER_MS = 100;

async function readPlan(blobs: BlobStore, hash: string): Promise<Plan | undefined> {
  if ((await blobs.has(hash)) === undefined) return undefined;
  return planSchema.parse(decode(await blobs.read(hash, { maxBytes: PLAN_BYTES_MAX }), PLAN_BYTES_MAX));
}

/** Clients find the node by this file, so it is written last and removed first. */
function nodeFile(
  components: { random: Random },
  folder: string,
  contents: () => { address: string; port: number; token: string },
): Startable {
  return {
    start: () => writeNodeFile(components, folder, { pid: process.pid, ...contents() }),
    stop: () => removeNodeFile(folder),
  };
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
    { path: options.dataFolder, why: String((reason.error as Error).message) },
    { cause: reason.error },
  );
}
