import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type FileCalls, systemFileCalls } from './file-calls.ts';
import { isUnwritable, syncFolder, systemCode } from './files.ts';

/**
 * Folders at places that people name. Node's own recursive `mkdir` never ends where the system answers "no such
 * file" although the parent is there (`/proc/x`): it makes the parent and tries again, for ever, on all of a core.
 */

interface FolderOptions {
  mode?: number;
}

/**
 * Makes a folder and the parents it lacks, with durable names; one that is there is fine, and false.
 * @throws the system's error.
 */
export async function makeFolder(
  folder: string,
  options: FolderOptions = {},
  files: FileCalls = systemFileCalls,
): Promise<boolean> {
  try {
    await files.mkdir(folder, options);
  } catch (error) {
    if (await isFolder(folder, files)) return false;
    if (systemCode(error) !== 'ENOENT' || (await isFolder(dirname(folder), files))) throw error;
    await makeFolder(dirname(folder), options, files);
    return makeFolder(folder, options, files);
  }
  await syncNames(dirname(folder), files);
  return true;
}

/** Makes the names in a folder durable that others may have closed to reading: then that is theirs to care for. */
export async function syncNames(folder: string, files: FileCalls = systemFileCalls): Promise<void> {
  try {
    await syncFolder(folder, files);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
  }
}

/**
 * Makes the folders of a path below a folder, with durable names. Those that are there are synced, too: a process that
 * was killed may have made them a moment ago.
 */
export async function makeFoldersBelow(
  folder: string,
  path: string,
  files: FileCalls = systemFileCalls,
): Promise<void> {
  let parent = folder;
  for (const name of path.split('/').filter((name) => name !== '.')) {
    const below = join(parent, name);
    if (!(await makeFolder(below, {}, files))) await syncNames(parent, files);
    parent = below;
  }
}

/** The same for what has to be done before anything else can go on. */
export function makeFolderSync(folder: string, options: FolderOptions = {}): void {
  try {
    mkdirSync(folder, options);
  } catch (error) {
    if (isFolderSync(folder)) return;
    if (systemCode(error) !== 'ENOENT' || isFolderSync(dirname(folder))) throw error;
    makeFolderSync(dirname(folder), options);
    makeFolderSync(folder, options);
  }
}

/** Whether a folder stands there. @throws the system's error, where it can't tell: a folder on a failing disk must not pass for another thing. */
export async function isFolder(path: string, files: FileCalls = systemFileCalls): Promise<boolean> {
  try {
    return (await files.stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'EIO') throw error;
    return false;
  }
}

function isFolderSync(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
