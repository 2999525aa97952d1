import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandWork } from '@cuadro/protocol';
import type { BlobStore } from '../../blobs/interface.ts';
import { runCommand } from '../../render/command/command.ts';
import type { Clock, Random } from '../../system/interface.ts';
import type { TaskRunner } from '../interface.ts';
import { keepFiles } from '../outputs.ts';

export interface CommandComponents {
  blobs: BlobStore;
  clock: Clock;
  random: Random;
  /** What this machine's owner allowed, now. */
  allowedPrograms(): readonly string[];
}

/** Runs a program for one frame; every file that it leaves in its output folder is a result. */
export function createCommandRunner(components: CommandComponents): TaskRunner {
  return async (context) => {
    const work = context.task.work as CommandWork;
    const [output, working] = [join(context.folder, 'output'), join(context.folder, 'working')];
    await mkdir(output);
    await mkdir(working);
    const values: Record<string, string> = { frame: String(context.task.number), output };
    const result = await runCommand(
      components,
      {
        program: work.program,
        args: work.args.map((arg) =>
          arg.replace(/\{(frame|output)\}/g, (_, name: string) => values[name] ?? ''),
        ),
        allowed: components.allowedPrograms(),
        workingDirectory: working,
        outputDirectory: output,
        frame: context.task.number,
        ...(work.timeoutMs !== undefined && { timeoutMs: work.timeoutMs }),
      },
      { signal: context.signal, logFile: context.logFile, onProgress: context.progress },
    );
    context.engineFree();
    const files = result.files.map(({ path, name }) => ({ path, name, role: 'file' }));
    const place = { job: context.job.id, signal: context.signal };
    return { files: await keepFiles(components, files, place), renderMs: result.elapsedMs };
  };
}
