import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './files.ts';

/**
 * Folders at places that people name. Node's own recursive `mkdir` never ends where the system answers "no such
 * file" although the parent is there (`/proc/x`): it makes the parent and tries again, for ever, on all of a core.
 */

interface FolderOptions {
  mode?: number;
}

/** Makes a folder and the parents it lacks; one that is there is fine, and false. @throws the system's error. */
export async function makeFolder(folder: string, options: FolderOptions = {}): Promise<boolean> {
  try {
    await mkdir(folder, options);
    return true;
  } catch (error) {
    if (await isFolder(folder)) return false;
    if (systemCode(error) !== 'ENOENT' || (await isFolder(dirname(folder)))) throw error;
    await makeFolder(dirname(folder), options);
    return makeFolder(folder, options);
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

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function isFolderSync(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
