import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { TaskView } from '@cuadro/protocol';
import type { NodeClient } from '../../node/src/cli/client.ts';
import { until } from './local-farm.ts';

const run = promisify(execFile);

const TASKS_AT_ONCE = 1_000;

/** A node that can be asked, wherever it runs. */
export interface Asked {
  readonly client: Pick<NodeClient, 'call'>;
}

export interface Verified {
  folder: string;
  frames: number;
  /** Name of the film and the frames that decoding it gives; empty and 0 where the job makes none. */
  film: string;
  filmFrames: number;
}

/**
 * Waits until everything of a job lies in the output folder of the node that submitted it, then reads every file:
 * it must be the very content that its record names, every frame must decode to its last pixel at the size that the
 * record says, and the film must have all of them.
 */
export async function verifyCollected(node: Asked, id: string): Promise<Verified> {
  const params = { job: id };
  const job = await until('all files to be collected', async () => {
    const view = await node.client.call('job', { params });
    const tasks = await allTasks(node, id);
    const files = tasks.reduce((sum, task) => sum + task.files.length, 0);
    const done = view.counts.done + view.counts.rendered === view.counts.total;
    return done && (view.live.collected ?? 0) >= files && view;
  });
  return verifyFiles(await allTasks(node, id), job.outputFolder);
}

/** Reads every file that the results of these tasks name in a folder: none may be missing, cut or another one. */
export async function verifyFiles(tasks: readonly TaskView[], folder: string): Promise<Verified> {
  sharp.cache(false);
  let frames = 0;
  let film = '';
  for (const { name: task, files } of tasks) {
    if (files.length === 0) throw new Error(`${task} gave no file.`);
    for (const { name, blob, role, width, height } of files) {
      const path = join(folder, name);
      const hash = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      if (hash !== blob) throw new Error(`${name} is not what ${task} gave.`);
      if (role === 'film') film = name;
      else if (/\.(png|jpe?g|webp|tiff?)$/i.test(name)) {
        const { info } = await sharp(path, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
        if (info.width !== width || info.height !== height) throw new Error(`${name} has the wrong size.`);
        frames++;
      }
    }
  }
  const filmFrames = film === '' ? 0 : await countFrames(join(folder, film));
  if (film !== '' && filmFrames !== frames) {
    throw new Error(`The film has ${filmFrames} frames; ${frames} were rendered.`);
  }
  return { folder, frames, film, filmFrames };
}

export async function allTasks(node: Asked, job: string): Promise<TaskView[]> {
  const tasks: TaskView[] = [];
  for (;;) {
    const query = { offset: tasks.length, limit: TASKS_AT_ONCE };
    const page = await node.client.call('tasks', { params: { job }, query });
    tasks.push(...page.tasks);
    if (page.tasks.length === 0 || tasks.length >= page.total) return tasks;
  }
}

async function countFrames(path: string): Promise<number> {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-select_streams', 'v:0'],
    ...['-show_entries', 'stream=nb_read_frames', '-of', 'csv=p=0', path],
  ]);
  return Number(stdout.trim().replace(/,$/, ''));
}
