import { existsSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';

/** Files that have to appear in any of some folders, and how long they are waited for. */
export interface Awaited {
  readonly folders: readonly string[];
  readonly isOne: (name: string) => boolean;
  /** The first is 1. */
  readonly which: number;
  readonly withinMs: number;
}

/**
 * Resolves when a file that was not there before appears, or when none has in time. Some stand for a few milliseconds
 * only, so that asking again and again would miss them: the system tells of each, and whoever waits goes on in the very
 * turn in which it does.
 */
export function appearance({ folders, isOne, which, withinMs }: Awaited): Promise<void> {
  return new Promise((resolve) => {
    const seen = new Set<string>();
    let left = which;
    const watchers = folders.map((folder) =>
      watch(folder, (_event, name) => {
        if (name === null || !isOne(name) || seen.has(join(folder, name))) return;
        seen.add(join(folder, name));
        // Told of too late: it has its final name already.
        if (existsSync(join(folder, name))) left--;
        if (left === 0) end();
      }),
    );
    // An earlier kill may have left some, of which the system tells when they are swept.
    for (const folder of folders) for (const name of readdirSync(folder)) seen.add(join(folder, name));
    const timer = setTimeout(() => end(), withinMs);
    const end = (): void => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
      resolve();
    };
  });
}
