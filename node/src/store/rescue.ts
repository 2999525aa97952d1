import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { syncFolder } from '../system/files.ts';
import { StoreError } from './errors.ts';
import { isBroken } from './log-format.ts';

/**
 * A database of which files are cut, garbled or gone: what can be read of it is copied into a new one, and the damaged
 * one is put aside (SPEC R173). What it lacks then comes back from other machines.
 */

/** Where the damaged database lies, until a person removes it. */
export const asideOf = (folder: string): string => `${folder}.damaged`;
const freshOf = (folder: string): string => `${folder}.rescued`;

/** All that its first file may hold: the name of a list of files. */
const LIST_NAME = /^MANIFEST-\d+\n$/;

/** Whether an error of LevelDB tells of damaged files, and not of a disk that is full or refuses. */
export function isDamage(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === 'LEVEL_CORRUPTION') return true;
    if (/Corruption:|: (No such file or directory|Invalid argument)$|too short/.test(cause.message))
      return true;
  }
  return false;
}

/**
 * Whether opening it would lose what is there without a word: LevelDB begins anew where its first file is gone, follows
 * a list of files that is cut, and in both cases deletes the files that it then doesn't know. A garbled first file is
 * followed wherever it leads, out of the folder or to something without an end, so none but a list's own name is.
 */
export async function wouldLose(folder: string): Promise<boolean> {
  const current = await readFile(join(folder, 'CURRENT'), 'latin1').catch(() => undefined);
  if (current === undefined) return hasTables(folder);
  if (!LIST_NAME.test(current)) return true;
  const list = await readFile(join(folder, current.trim())).catch(() => undefined);
  return list !== undefined && isBroken(list);
}

async function hasTables(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (/^\d+\.(ldb|sst|log)$/.test(name) && (await stat(join(folder, name))).size > 0) return true;
  }
  return false;
}

/** Whether a write in one of the logs was cut or garbled, as by a power cut or a bad sector. */
export async function hasBrokenLog(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (/^\d+\.log$/.test(name) && isBroken(await readFile(join(folder, name)))) return true;
  }
  return false;
}

/** An exchange that a kill cut in two is brought to its end, or taken back. */
export async function finishRescue(folder: string): Promise<void> {
  if (existsSync(folder) || !existsSync(asideOf(folder))) return;
  // The damaged one is put aside only once the new one is whole.
  await rename(existsSync(freshOf(folder)) ? freshOf(folder) : asideOf(folder), folder);
  await syncFolder(dirname(folder));
}

/** Exit code of the child where the new one can't be written. */
const UNWRITABLE = 3;

/**
 * Exchanges a closed database for what can be read of it. `repair` makes its list of files anew first.
 * @throws StoreError `store-open-failed` where nothing can be read of it at all, or there is no room for the new one.
 */
export async function rescue(folder: string, mode: 'read' | 'repair'): Promise<void> {
  const fresh = freshOf(folder);
  await rm(fresh, { recursive: true, force: true });
  let trouble = await copyReadable(folder, fresh, mode);
  if (mode === 'read' && !existsSync(join(fresh, 'CURRENT'))) {
    await rm(fresh, { recursive: true, force: true });
    trouble = await copyReadable(folder, fresh, 'repair');
  }
  if (trouble?.code === UNWRITABLE) {
    await rm(fresh, { recursive: true, force: true });
    throw new StoreError(
      'store-open-failed',
      `The records in ${folder} are damaged, and what can be read of them can't be written anew beside them. Make room on that disk, and start again.`,
      { cause: trouble },
    );
  }
  if (!existsSync(join(fresh, 'CURRENT'))) {
    throw new StoreError(
      'store-open-failed',
      `The records in ${folder} are damaged, and nothing of them can be read. Move that folder away: the node then takes them from the other machines.`,
      { cause: trouble },
    );
  }
  await rm(asideOf(folder), { recursive: true, force: true });
  await rename(folder, asideOf(folder));
  await rename(fresh, folder);
  await syncFolder(dirname(folder));
}

/**
 * In a process of its own: on garbled tables LevelDB ends its process by an assertion. What was copied until then is
 * what can be had.
 */
function copyReadable(
  from: string,
  to: string,
  mode: 'read' | 'repair',
): Promise<ExecFileException | undefined> {
  // The published package holds emitted JavaScript, the checkout TypeScript.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const child = fileURLToPath(new URL(`./rescue-child${extension}`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [child, from, to, mode], (error) => resolve(error ?? undefined));
  });
}
