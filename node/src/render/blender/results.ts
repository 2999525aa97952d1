/** Takes over what a driver says it wrote: checked, since a scene's script may have said it, and moved. */

import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, posix, sep } from 'node:path';
import { RenderError } from '../errors.ts';
import type { FrameFile, FrameResult } from '../interface.ts';

/** What the driver reports of a frame, before the files have moved. */
export interface DriverResult {
  readonly files: readonly Omit<FrameFile, 'path'>[];
  readonly hasPreview: boolean;
  readonly figures: Pick<
    FrameResult,
    'devices' | 'engine' | 'engineVersion' | 'renderMs' | 'loadMs' | 'peakMemoryBytes' | 'warnings'
  >;
}

export const previewName = 'cuadro-preview.jpg';

export function parseDriverResult(value: unknown): DriverResult {
  const result = record(value);
  const files = list(result['files']).map((entry) => parseFile(record(entry)));
  if (files.length === 0) throw unusable('it names no file');
  return {
    files,
    hasPreview: typeof result['preview'] === 'string',
    figures: {
      devices: texts(result['devices']),
      engine: text(result['engine']),
      engineVersion: text(result['engineVersion']),
      renderMs: number(result['renderMs']),
      loadMs: number(result['loadMs']),
      peakMemoryBytes: number(result['peakMemoryBytes']),
      warnings: texts(result['warnings']),
    },
  };
}

function parseFile(file: Record<string, unknown>): Omit<FrameFile, 'path'> {
  const name = text(file['name']).split(sep).join('/');
  if (!isInside(name)) throw unusable(`it names the file '${name}'`);
  const role = file['role'] === 'view' || file['role'] === 'compositor' ? file['role'] : 'image';
  return {
    name,
    role,
    width: number(file['width']),
    height: number(file['height']),
    format: text(file['format']),
  };
}

/** Whether a relative name with forward slashes stays below its folder. */
export function isInside(name: string): boolean {
  if (name === '' || name.includes('\0') || posix.isAbsolute(name)) return false;
  return posix.normalize(name) === name && name !== '..' && !name.startsWith('../') && name !== '.';
}

/**
 * Moves the files from the session's folder to where the caller wants them. Only regular files: a link could
 * point at anything that this user can read.
 */
export async function takeResults(
  result: DriverResult,
  from: { readonly output: string; readonly preview: string },
  outputDirectory: string,
): Promise<Pick<FrameResult, 'files' | 'preview'>> {
  const files: FrameFile[] = [];
  for (const file of result.files) {
    const path = join(outputDirectory, ...file.name.split('/'));
    if (dirname(path) !== outputDirectory) await mkdir(dirname(path), { recursive: true });
    await moveRegularFile(join(from.output, ...file.name.split('/')), path);
    files.push({ ...file, path });
  }
  if (!result.hasPreview) return { files };
  const path = join(outputDirectory, previewName);
  await moveRegularFile(from.preview, path);
  return { files, preview: { path } };
}

async function moveRegularFile(from: string, to: string): Promise<void> {
  const status = await lstat(from).catch(() => undefined);
  if (!status?.isFile())
    throw new RenderError('no-output', `Blender named ${from}, and no such file is there.`);
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await rm(from);
  }
}

/** Removes what an earlier frame, perhaps a failed one, left behind. */
export async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

function unusable(why: string): RenderError {
  return new RenderError('python-exception', `The session's driver gave no usable result: ${why}.`);
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw unusable('it is no object');
  return value as Record<string, unknown>;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
const texts = (value: unknown): string[] =>
  list(value)
    .map(text)
    .filter((entry) => entry !== '');
