import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, type CommandFile } from './interface.ts';
import type { CommandLimits } from './limits.ts';

/** Every regular file below a folder, sorted by name; links, sockets and devices are nobody's results. */
export async function listOutputs(
  directory: string,
  limits: Pick<CommandLimits, 'files' | 'folderDepth'>,
): Promise<CommandFile[]> {
  const files: CommandFile[] = [];
  const walk = async (prefix: string, depth: number): Promise<void> => {
    for (const entry of await readdir(join(directory, prefix), { withFileTypes: true })) {
      const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) {
        if (depth >= limits.folderDepth) throw tooMany(`its folders are nested more than ${depth} deep`);
        await walk(name, depth + 1);
      } else if (entry.isFile()) {
        if (files.length >= limits.files) throw tooMany(`it left more than ${limits.files} files`);
        const path = join(directory, name);
        files.push({ path, name, sizeBytes: (await lstat(path)).size });
      }
    }
  };
  await walk('', 1);
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function tooMany(why: string): CommandError {
  return new CommandError(
    'command-too-many-files',
    `The program's results can't be taken: ${why}. Let it pack them into one file.`,
  );
}
