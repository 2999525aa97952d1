import { homedir } from 'node:os';
import { posix, resolve, win32 } from 'node:path';

/**
 * Where a node keeps what it owns, by the custom of the platform; `CUADRO_DATA` names another.
 * XDG Base Directory Specification; Apple's File System Programming Guide; Windows' known folders.
 */
export function defaultDataFolder(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env['CUADRO_DATA']) return resolve(env['CUADRO_DATA']);
  switch (platform) {
    case 'win32':
      return win32.join(env['LOCALAPPDATA'] || win32.join(home, 'AppData', 'Local'), 'Cuadro');
    case 'darwin':
      return posix.join(home, 'Library', 'Application Support', 'Cuadro');
    default: {
      // The specification says that a relative path is to be ignored.
      const base = env['XDG_DATA_HOME'];
      return posix.join(base?.startsWith('/') ? base : posix.join(home, '.local', 'share'), 'cuadro');
    }
  }
}
