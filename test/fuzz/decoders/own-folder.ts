import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Who reads a file is tried, and not the disk: a file system in memory writes a million of them in a minute. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder of a reader's own, gone with it. */
export function inFolder(): { folder: string; close: () => Promise<void> } {
  const folder = mkdtempSync(join(MEMORY, 'cuadro-fuzz-'));
  return { folder, close: async () => rmSync(folder, { recursive: true, force: true }) };
}
