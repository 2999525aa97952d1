import { mkdir, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { CuadroError } from '@cuadro/protocol';
import { DestinationUnwritableError } from '../blobs/errors.ts';
import { reasonOf, systemCode } from '../system/files.ts';
import { isFolder, makeFolder, syncNames } from '../system/folders.ts';
import type { Random } from '../system/interface.ts';
import { isMountPoint } from '../system/mounts.ts';
import type { TemporaryFiles } from '../system/temporary-files.ts';
import type { LocalJob } from './interface.ts';

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

export interface PreparedFolder {
  folder: string;
  /** It was made for this job, so it goes again with a submission that is refused. */
  isNew: boolean;
}

/**
 * The job's output folder, made and proven writable: the wanted one, or by default a new one of the job's own
 * below `base`, so that two jobs never mix their frames.
 * @throws CuadroError `output-unwritable`.
 */
export async function prepareOutputFolder(
  components: { random: Random; temporaries: TemporaryFiles },
  place: { base: string; name: string; wanted?: string | undefined },
): Promise<PreparedFolder> {
  const { wanted } = place;
  if (wanted !== undefined && !isAbsolute(wanted)) {
    throw new CuadroError('request-invalid', { why: 'the output folder must be an absolute path' });
  }
  let folder = wanted === undefined ? join(place.base, folderName(place.name)) : resolve(wanted);
  try {
    let isNew = true;
    if (wanted === undefined) folder = await newFolder(components, place.base, folderName(place.name));
    else isNew = await makeFolder(folder);
    const probe = components.temporaries.take(folder);
    await writeFile(probe, '')
      .then(() => rm(probe))
      .finally(() => components.temporaries.giveBack(probe));
    return { folder, isNew };
  } catch (cause) {
    const details = { path: folder, why: reasonOf(cause), option: '--output' };
    throw new CuadroError('output-unwritable', details, { cause });
  }
}

/** Makes and returns the first of `name`, `name-2`, … that isn't there: also of two jobs at once each gets its own. */
async function newFolder(components: { random: Random }, base: string, name: string): Promise<string> {
  await makeFolder(base);
  for (let number = 1; number <= NUMBERED_FOLDERS; number++) {
    const folder = join(base, number === 1 ? name : `${name}-${number}`);
    try {
      await mkdir(folder);
      await syncNames(base);
      return folder;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
  }
  const folder = join(base, `${name}-${components.random.name()}`);
  await mkdir(folder);
  await syncNames(base);
  return folder;
}

/**
 * Keeps an output folder from being made anew on the disk below, where its own is not attached: what is put there would
 * be hidden once it is attached again.
 * @throws DestinationUnwritableError.
 */
export async function assertAttached({
  folder,
  mountPoint,
}: Pick<LocalJob, 'folder' | 'mountPoint'>): Promise<void> {
  if (mountPoint === undefined || (await isFolder(folder)) || (await isMountPoint(mountPoint))) return;
  throw new DestinationUnwritableError(folder, `its disk is not mounted at ${mountPoint}`);
}
