import { readdir, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { CuadroError } from '@cuadro/protocol';
import { reasonOf } from '../system/files.ts';
import { makeFolder } from '../system/folders.ts';
import type { Random } from '../system/interface.ts';

/** Folders tried for one name before a random ending is used. */
const NUMBERED_FOLDERS = 1_000;

/** A folder name of letters, digits, blanks, dots and dashes that every file system takes. */
export function folderName(jobName: string): string {
  const plain = jobName
    .normalize('NFC')
    .replace(/[^\p{L}\p{N} ._-]+/gu, '-')
    .replace(/^[. ]+|[. ]+$/g, '');
  return plain.slice(0, 80) || 'job';
}

/**
 * The job's output folder, made and proven writable: the wanted one, or by default a new one of the job's own
 * below `base`, so that two jobs never mix their frames.
 * @throws CuadroError `output-unwritable`.
 */
export async function prepareOutputFolder(
  components: { random: Random },
  place: { base: string; name: string; wanted?: string | undefined },
): Promise<string> {
  if (place.wanted !== undefined && !isAbsolute(place.wanted)) {
    throw new CuadroError('request-invalid', { why: 'the output folder must be an absolute path' });
  }
  const folder =
    place.wanted === undefined
      ? await freeFolder(components, place.base, folderName(place.name))
      : resolve(place.wanted);
  try {
    await makeFolder(folder);
    const probe = join(folder, `.cuadro-${components.random.name()}.tmp`);
    await writeFile(probe, '');
    await rm(probe);
  } catch (cause) {
    throw new CuadroError('output-unwritable', { path: folder, why: reasonOf(cause) }, { cause });
  }
  return folder;
}

/** Makes and returns the first of `name`, `name-2`, … that is absent or empty. */
async function freeFolder(components: { random: Random }, base: string, name: string): Promise<string> {
  for (let number = 1; number <= NUMBERED_FOLDERS; number++) {
    const folder = join(base, number === 1 ? name : `${name}-${number}`);
    const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? undefined : ['?'],
    );
    if (entries === undefined) return folder;
  }
  return join(base, `${name}-${components.random.name()}`);
}
