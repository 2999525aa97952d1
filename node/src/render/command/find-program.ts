import { access, constants } from 'node:fs/promises';
import { basename, delimiter, extname, isAbsolute, join } from 'node:path';

/** Absolute path of an executable by its absolute path, or by its bare name on PATH; undefined where there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  if (!isAbsolute(name) && basename(name) !== name) return undefined;
  const folders = isAbsolute(name) ? [''] : (process.env['PATH'] ?? '').split(delimiter).filter(isAbsolute);
  const endings = process.platform === 'win32' && extname(name) === '' ? ['.exe', '.cmd'] : [''];
  for (const folder of folders) {
    for (const ending of endings) {
      const path = join(folder, name) + ending;
      const found = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return path;
    }
  }
  return undefined;
}
