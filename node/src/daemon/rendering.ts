import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { attemptKey, JOB_ENDS, type BlobHash } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { ContentSource } from '../blobs/source.ts';
import type { DriverInput } from '../driver.ts';
import { createBlenderSessions } from '../render/blender/pool.ts';
import { createStayAwake } from '../render/process/stay-awake.ts';
import { createTraceKeeper, type TraceKeeper } from '../render/scene/keeper.ts';
import { createPictureProcess } from '../render/verify/pictures.ts';
import type { LifecyclePart } from '../system/lifecycle.ts';
import type { TaskReader } from '../worker/interface.ts';
import { createMachine, type Machine } from '../worker/machine.ts';
import { createBlenderFrameRunner } from '../worker/runners/blender-frame.ts';
import { createCommandRunner } from '../worker/runners/command.ts';
import { createEchoSleepRunner } from '../worker/runners/echo-sleep.ts';
import { createFilmRunner } from '../worker/runners/film.ts';
import { SceneFolders } from '../worker/scenes.ts';
import { createWorker, type Worker } from '../worker/worker.ts';
import type { Foundation, LiveConfig, NodeInit } from './foundation.ts';

/** What renders: engines, the worker, and what this machine can do. */
export interface Rendering {
  parts: LifecyclePart[];
  machine: Machine;
  worker: Worker;
  keeper: TraceKeeper;
  /** Begins what the brain granted; the machine stays awake until all of it has ended. */
  run: Worker['run'];
}

/** Engines and worker; what they tell goes to `input`. */
export async function assembleRendering(
  init: Pick<NodeInit, 'dataFolder' | 'renderLimits'>,
  base: Foundation & { content: ContentSource },
  live: LiveConfig,
  brain: {
    tasks: TaskReader & WantedQueries;
    input(input: DriverInput): void;
    /** How this machine stands with leaving the farm; undefined where it stays. */
    leaving(): string | undefined;
  },
): Promise<Rendering> {
  const { clock, random, logger, blobs, content } = base;
  const { disk } = base.store;
  const { slots, confine, blender, ffmpeg } = live.current;
  const folder = init.dataFolder;
  const scenes = new SceneFolders({ blobs, content, random, logger }, { folder: join(folder, 'scenes') });
  await mkdir(scenes.folder, { recursive: true });
  await scenes.sweep(wantedBundles(brain.tasks));
  const threads = Math.max(1, Math.floor(availableParallelism() / slots));
  // Blender counts the machine's cores, also where this node was given some of them only (taskset, a container).
  const hasAll = threads >= cpus().length;
  const sessions = createBlenderSessions(
    { clock, random, logger },
    {
      sessionsDirectory: join(folder, 'sessions'),
      readableDirectories: [scenes.folder],
      slots: Array.from({ length: slots }, () => (hasAll ? {} : { threads })),
      confine,
      ...(blender !== '' && { blender }),
      ...(init.renderLimits && { limits: init.renderLimits }),
    },
  );
  const pictures = createPictureProcess({ clock, random, logger }, ffmpeg === '' ? {} : { ffmpeg });
  const wanted = () => brain.tasks.nodeRecord(base.signer.peer)?.fields;
  // Blender's processes are laid out at the start: more of them come with the next.
  const slotsNow = (): number => Math.min(slots, live.current.slots, wanted()?.slots?.value ?? slots);
  const machine = createMachine({
    clock,
    logger,
    blobs,
    sessions,
    config: () => live.current,
    slots: slotsNow,
    hours: () => wanted()?.hours?.value,
    leaving: () => brain.leaving(),
    slowDisk: () => disk.says(),
    bundles: () => scenes.bundles(),
    onWorker: (worker) => brain.input({ kind: 'worker', ...worker }),
    onLoad: (load) => brain.input({ kind: 'load', ...load }),
  });
  disk.onChange(() => machine.tell());
  const awake = createStayAwake({ clock, logger });
  const held = new Set<string>();
  const worker = createWorker(
    {
      clock,
      logger,
      blobs,
      reports: {
        progress: (attempt, progress) => brain.input({ kind: 'progress', attempt, ...progress }),
        ended: (attempt, outcome) => {
          held.delete(attemptKey(attempt));
          awake.busy(held.size > 0);
          brain.input({ kind: 'ended', attempt, outcome });
        },
      },
      onMachineFault: (sentence) => machine.fault(sentence),
      runners: {
        'blender-frame': createBlenderFrameRunner({ blobs, pictures, logger, sessions, scenes }),
        film: createFilmRunner({
          blobs,
          content,
          clock,
          random,
          tasks: brain.tasks,
          ffmpeg: () => machine.ffmpeg(),
        }),
        command: createCommandRunner({ blobs, clock, random, allowedPrograms: () => live.current.programs }),
        'echo-sleep': createEchoSleepRunner({ clock }),
      },
    },
    { workFolder: join(folder, 'work'), logFolder: join(folder, 'logs'), slots: slotsNow },
  );
  const keeper = createTraceKeeper({ clock }, { ...(blender !== '' && { blender }) });
  const parts = [
    { name: 'awake', component: awake },
    { name: 'sessions', component: sessions },
    { name: 'pictures', component: pictures },
    { name: 'worker', component: worker },
  ];
  const run: Worker['run'] = (grant, job, task) => {
    held.add(attemptKey(grant.attempt));
    awake.busy(true);
    worker.run(grant, job, task);
  };
  return { parts, machine, worker, keeper, run };
}

type WantedQueries = Pick<CoreQueries, 'jobs' | 'jobRecord' | 'nodeRecord'>;

/** Scenes of jobs that have not ended. */
function wantedBundles(queries: WantedQueries): Set<BlobHash> {
  const jobs = queries.jobs().filter(({ state }) => !JOB_ENDS.has(state));
  return new Set(jobs.flatMap(({ id }) => queries.jobRecord(id)?.spec.bundle ?? []));
}
