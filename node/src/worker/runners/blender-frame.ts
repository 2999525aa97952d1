import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlenderFrameWork } from '@cuadro/protocol';
import type { BlenderSessions, FrameSettings } from '../../render/interface.ts';
import type { TaskRunner } from '../interface.ts';
import { missingInput } from '../failures.ts';
import { fileSystemTime, keepFrame, type OutputComponents } from '../outputs.ts';
import type { SceneFolders } from '../scenes.ts';

export interface BlenderFrameComponents extends OutputComponents {
  sessions: BlenderSessions;
  scenes: SceneFolders;
}

/** One frame by a warm Blender, verified and stored. */
export function createBlenderFrameRunner(components: BlenderFrameComponents): TaskRunner {
  return async (context) => {
    const work = context.task.work as BlenderFrameWork;
    const { bundle: hash } = context.job.spec;
    if (hash === undefined) throw missingInput('of the scene');
    const scene = await components.scenes.open(hash, {
      job: context.job.id,
      signal: context.signal,
      progress: (text) => context.progress({ fraction: 0, text }),
    });
    try {
      const outputDirectory = join(context.folder, 'output');
      await mkdir(outputDirectory);
      const startedAt = await fileSystemTime(outputDirectory);
      await context.engineTurn();
      const frame = await components.sessions.render(
        {
          scene: {
            directory: scene.directory,
            blendFile: scene.bundle.main,
            key: hash,
            remap: scene.bundle.remap,
          },
          frame: context.task.number,
          settings: frameSettings(work),
          outputDirectory,
        },
        { signal: context.signal, logFile: context.logFile, onProgress: context.progress },
      );
      context.engineFree();
      const place = { job: context.job.id, folder: context.folder, startedAt, signal: context.signal };
      return { ...(await keepFrame(components, frame, place)), renderMs: frame.renderMs };
    } finally {
      scene.release();
    }
  };
}

function frameSettings(work: BlenderFrameWork): FrameSettings {
  const { scene, camera, samples, resolutionPercent, format, allowScripts, denoise } = work;
  return {
    allowScripts,
    ...(scene !== undefined && { sceneName: scene }),
    ...(camera !== undefined && { camera }),
    ...(samples !== undefined && { samples }),
    ...(resolutionPercent !== undefined && { resolutionPercent }),
    ...(format !== undefined && { format }),
    ...(denoise !== undefined && { denoise }),
  };
}
