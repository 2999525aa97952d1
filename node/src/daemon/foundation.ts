import { join } from 'node:path';
import { type Config, type DoorView, RecordBytes } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import { blobOptionsOf } from '../blobs/options.ts';
import { localContent } from '../blobs/source.ts';
import { createFileBlobStore } from '../blobs/store.ts';
import { loadCore } from '../core/core.ts';
import type { Core } from '../core/interface.ts';
import { readPlan } from '../jobs/content.ts';
import type { RenderLimits } from '../render/limits.ts';
import { createLevelStore } from '../store/level-store.ts';
import { createWatchedStore, type WatchedStore } from '../store/watched-store.ts';
import { createSystemClock } from '../system/clock.ts';
import { loadConfig } from '../system/config.ts';
import { createFolderLock } from '../system/folder-lock.ts';
import { type Identity, loadIdentity, trustedRecords } from '../system/identity.ts';
import type { Clock, Random, Startable } from '../system/interface.ts';
import { createLogger, type OwnedLogger } from '../system/logger.ts';
import { createLoopDelay, type LoopDelay } from '../system/metrics.ts';
import { createSystemRandom } from '../system/random.ts';
import { startError } from '../system/start-error.ts';
import { createTemporaryFiles, type TemporaryFiles } from '../system/temporary-files.ts';
import { findLacking, type Lacking } from './lacking.ts';

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
  /** Called with the door's page whenever that has changed. */
  onDoor?: (door: DoorView) => void;
  /** Short lines for people; none by default. */
  human?: { write(line: string): unknown };
}

/** What everything else stands on, started in this order: lock, log, records, blobs. */
export interface Foundation extends Pick<Lacking, 'lacks' | 'lack'> {
  clock: Clock;
  random: Random;
  logger: OwnedLogger;
  loopDelay: LoopDelay;
  config: Config;
  signer: Identity;
  store: WatchedStore;
  blobs: BlobStore;
  temporaries: TemporaryFiles;
  /** Canonical bytes of records, encoded once for store, digests and gossip. */
  bytes: RecordBytes;
  /** The brain, which holds what was stored. */
  core: Core;
  /** Stored records that could not be read or trusted, and were left out. */
  leftOut: number;
}

/**
 * Opens the data folder. What was started is in `started`, which the caller stops in reverse, also after an error.
 * @throws CuadroError `data-folder-in-use`, `store-unwritable`, `config-invalid`.
 */
export async function openFoundation(init: NodeInit, started: Startable[]): Promise<Foundation> {
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
  started.push(lock, logger);
  const start = async <T extends Startable>(component: T): Promise<T> => {
    await component.start();
    started.push(component);
    return component;
  };
  await logger.start();
  const config = { ...(await loadConfig(folder)), ...init.config };
  const signer = await loadIdentity({ random }, join(folder, 'identity.key'));
  const bytes = new RecordBytes();
  const recordsFolder = join(folder, 'records');
  const database = createLevelStore(recordsFolder, { bytes });
  const store = await start(createWatchedStore({ clock, logger }, database));
  const temporaries = createTemporaryFiles({ random }, { owner: signer.peer.slice(-8) });
  const blobs = createFileBlobStore(
    { clock, random, temporaries },
    { folder, options: blobOptionsOf(config) },
  );
  const loopDelay = await start(createLoopDelay());
  const brain = loadCore({ self: signer.peer, name: config.name });
  let records = 0;
  const trusted = trustedRecords({ logger }, (record) => {
    records++;
    brain.take(record);
  });
  const blobsStarted = start(blobs);
  const loading = store.load({
    each: (record) => trusted.take(record),
    beforeTasks: async () => {
      await blobsStarted;
      for (const { job, plan: hash } of brain.wantedPlans()) {
        // Where it can't be read, who asks for it later says why.
        const plan = await readPlan({ blobs, content: localContent, logger }, hash).catch(() => undefined);
        if (plan !== undefined) brain.plan(job, plan);
      }
    },
  });
  loading.catch(() => undefined);
  await blobsStarted;
  const { damaged, ...loaded } = await loading;
  if (damaged > 0) logger.error('Stored records were damaged and left out.', { damaged });
  const { term, ...lacking } = await findLacking({ store, blobs, logger }, recordsFolder, {
    ...loaded,
    count: records,
  });
  const shared = { clock, random, logger, loopDelay, signer, store, blobs, temporaries, bytes };
  const leftOut = damaged + trusted.end();
  return { ...shared, config, core: brain.end(term), leftOut, ...lacking };
}

/** The configuration as it is now; parts ask for it each time. */
export interface LiveConfig {
  current: Config;
}
