import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, type Config, type DoorView, type ExitCode, type JobId } from '@cuadro/protocol';
import type { EventHub } from './api/event-hub.ts';
import { createApi, type Api } from './api/server.ts';
import type { CoreQueries } from './core/interface.ts';
import { assembleBrain } from './daemon/brain.ts';
import { assembleDeparture } from './daemon/departure.ts';
import { openFoundation, type Foundation, type LiveConfig, type NodeInit } from './daemon/foundation.ts';
import { assembleNetwork, copySettings, type Network } from './daemon/network.ts';
import { assembleRendering, type Rendering } from './daemon/rendering.ts';
import { createFarmMembership } from './farm/farm.ts';
import type { FarmMembership } from './farm/interface.ts';
import { ableMachines } from './jobs/able-machines.ts';
import { createJobActions } from './jobs/actions.ts';
import { createContentReader } from './jobs/content.ts';
import { createSystemClock } from './system/clock.ts';
import { createVerifier } from './system/identity.ts';
import type { Logger, Startable } from './system/interface.ts';
import { createLifecycle, handleSignals } from './system/lifecycle.ts';
import { createLogger } from './system/logger.ts';
import { createMemoryKeeper } from './system/memory.ts';
import { createNodeMetrics } from './system/metrics.ts';
import { loadToken, removeNodeFile, signinAddress, writeNodeFile } from './system/node-file.ts';
import { startError, writeError } from './system/start-error.ts';
import { createHere, type HereInit } from './worker/here.ts';

/** The composition root: with `daemon/`, the only files that import every room. */
const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
const uiFolder = fileURLToPath(new URL('../../ui/dist', import.meta.url));

export type { NodeInit } from './daemon/foundation.ts';

/** A running node. */
export interface CuadroNode extends Startable {
  readonly address: string;
  readonly port: number;
  readonly token: string;
  readonly signinAddress: string;
  readonly queries: CoreQueries;
}

/**
 * Builds and starts a node, in the order of its parts; `stop` goes in reverse.
 * @throws CuadroError `data-folder-in-use`, `store-unwritable`, `port-taken`, `config-invalid`.
 */
export async function startNode(init: NodeInit): Promise<CuadroNode> {
  const started: Startable[] = [];
  try {
    return await assemble(init, await openFoundation(init, started), started);
  } catch (error) {
    for (const component of started.reverse()) await component.stop().catch(() => undefined);
    throw startError(error, init.dataFolder);
  }
}

const gossipOf =
  ({ mesh }: Network) =>
  () =>
    mesh?.status().gossip;

function hereInit(init: NodeInit, live: LiveConfig, address: () => string): HereInit {
  return {
    version,
    dataFolder: init.dataFolder,
    address,
    config: () => live.current,
    setConfig: (config) => {
      live.current = { ...config, ...init.config };
    },
    end: () => init.onEnd?.({}),
  };
}

function tellDoor({ onDoor }: NodeInit, hub: EventHub, door: DoorView): void {
  hub.emit({ kind: 'door', door });
  onDoor?.(door);
}

/** Who belongs to the farm, and the door to it. */
function assembleFarm(
  init: NodeInit,
  network: Network,
  live: LiveConfig,
  { shared, core, hub }: Pick<ReturnType<typeof assembleBrain>, 'shared' | 'hub'> & { core: CoreQueries },
): FarmMembership {
  const { driver } = shared;
  return createFarmMembership(
    {
      ...shared,
      verify: createVerifier(),
      mesh: network.forFarm,
      queries: core,
      merge: (own) => driver.merge(own),
      durable: () => driver.flushed(),
      adopt: (others) => driver.merge(others),
      tell: async (record, isWanted) => (await network.copies.confirm([record], isWanted)).machines > 1,
      onDoor: (view) => tellDoor(init, hub, view()),
    },
    { name: () => live.current.name, version, discovery: network.mesh !== undefined },
  );
}

/** Wires the parts above the foundation and starts them. */
async function assemble(init: NodeInit, base: Foundation, started: Startable[]): Promise<CuadroNode> {
  const { clock, random, logger, signer, blobs, loopDelay, core } = base;
  const { dataFolder } = init;
  const live: LiveConfig = { current: base.config };
  const onLacking = (job: JobId): void => showAgain(job);
  const network = assembleNetwork({ ...base, ...copySettings(live), onLacking }, core, () => driver);
  const rendering: Rendering = await assembleRendering(init, { ...base, content: network.content }, live, {
    tasks: core,
    leaving: () => departure.says(),
    input: (input) => {
      if (input.kind === 'worker') diary.worker(input);
      driver.input(input);
    },
  });
  const { machine, worker } = rendering;
  const brain = assembleBrain(init, base, core, {
    rendering: () => rendering,
    network,
    farm: () => farm,
    departureChanged: () => departure.changed(),
    keepDays: () => live.current.keepDays,
  });
  const { driver, shared, parts, queries, hub, diary, telling, showAgain, accepted } = brain;
  const jobs = createJobActions({
    ...shared,
    tools: async () => {
      const blender = await machine.blender();
      return blender.state === 'ready'
        ? { blender: blender.path, clock, keeper: rendering.keeper }
        : undefined;
    },
    machines: () => ableMachines(machine.forPreflight(), core.nodes()),
    outputBase: () => live.current.outputFolder,
    dataFolder,
    emit: (event) => hub.emit(event),
    accepted,
  });
  const farm = assembleFarm(init, network, live, { shared, core, hub });
  const departure = assembleDeparture(base, network, core, (why, isWanted) =>
    farm.leave(why, { mayBeSilent: false, isWanted }),
  );
  const here = createHere(
    { clock, random, signer, loopDelay, machine, copies: network.copies, departure },
    hereInit(init, live, () => api.address),
  );
  const content = createContentReader({
    blobs,
    content: network.content,
    queries: core,
    logFile: (...place) => worker.logFile(...place),
  });
  const metrics = network.measure(createNodeMetrics({ loopDelay, gossip: gossipOf(network) }));
  const token = await loadToken({ random }, dataFolder);
  const api: Api = createApi(
    {
      queries,
      jobs,
      door: farm,
      here,
      ...telling,
      content,
      events: hub,
      metrics,
      durable: () => driver.flushed(),
    },
    { token, version, logger, clock, uiFolder, port: init.port ?? base.config.port },
  );
  const lifecycle = createLifecycle(
    { clock, logger },
    {
      parts: [
        ...rendering.parts,
        { name: 'driver', component: driver },
        { name: 'farm', component: farm },
        ...network.parts,
        ...parts,
        { name: 'departure', component: departure },
        { name: 'machine', component: machine },
        { name: 'events', component: { start: () => Promise.resolve(), stop: () => hub.stop() } },
        { name: 'api', component: api },
        { name: 'tracer', component: rendering.keeper },
      ],
    },
  );
  started.push(lifecycle);
  await lifecycle.start();
  const { address, port } = api;
  await tellClients(init, base, { address, port, token }, started);
  logger.info('The node runs.', { address, peer: signer.peer, version });
  return {
    address,
    port,
    token,
    signinAddress: signinAddress({ address, token }),
    queries,
    start: () => Promise.resolve(),
    stop: () => stopAll(started, logger),
  };
}

/** In reverse. A file that can't be removed (the disk came to be read-only) must not keep the rest from ending. */
async function stopAll(started: Startable[], logger: Logger): Promise<void> {
  for (let part = started.pop(); part !== undefined; part = started.pop()) {
    await part.stop().catch((error: unknown) => logger.error('A part failed to stop.', { error }));
  }
}

/** The node runs. Clients find it by a file, so that is written last and removed first. */
async function tellClients(
  { dataFolder }: NodeInit,
  { clock, random, loopDelay }: Foundation,
  place: { address: string; port: number; token: string },
  started: Startable[],
): Promise<void> {
  await writeNodeFile({ random }, dataFolder, { pid: process.pid, ...place });
  started.push({ start: () => Promise.resolve(), stop: () => removeNodeFile(dataFolder) });
  const memory = createMemoryKeeper({ clock });
  // What starting cost the loop is no sign of how it runs.
  loopDelay.reset();
  await memory.start();
  started.push(memory);
}

export interface DaemonOptions {
  dataFolder: string;
  port?: number;
  config?: Partial<Config>;
  signal?: AbortSignal;
  onReady?: (ready: { address: string; signinAddress: string; port: number }) => void;
  /** The door's page has changed; it may come before `onReady`. */
  onDoor?: (door: DoorView) => void;
  /** Ctrl-C was pressed once. */
  onStopping?: () => void;
}

/** Runs a node until it is asked to end: by Ctrl-C or SIGTERM (once in order, twice at once), the API, or the signal. */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  const clock = createSystemClock();
  const ended = Promise.withResolvers<{ error?: unknown }>();
  let isStopping = false;
  const onStop = (): void => {
    isStopping = true;
    options.onStopping?.();
    ended.resolve({});
  };
  // Before the start, which takes its time: it is ended in order once it is through, and a closed terminal ends none. They
  // stay to the end of the process: a second Ctrl-C may come when all has stopped, and is no reason to be killed.
  handleSignals(
    {
      clock,
      logger: createLogger({ clock }, {}),
      source: process,
      outputs: [process.stdout, process.stderr],
    },
    { onStop, onForce: () => process.exit(EXIT.interrupted) },
  );
  options.signal?.addEventListener('abort', onStop, { once: true });
  if (options.signal?.aborted === true) onStop();
  const node = await startNode({
    dataFolder: options.dataFolder,
    onEnd: (reason) => ended.resolve(reason),
    human: process.stderr,
    ...(options.onDoor && { onDoor: options.onDoor }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.config && { config: options.config }),
  });
  if (!isStopping)
    options.onReady?.({ address: node.address, signinAddress: node.signinAddress, port: node.port });
  const reason = await ended.promise;
  await node.stop();
  if (reason.error === undefined) return EXIT.ok;
  throw writeError(reason.error, options.dataFolder);
}
