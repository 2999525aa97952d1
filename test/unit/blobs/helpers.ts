import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import type { BlobStoreOptions } from '../../../node/src/blobs/options.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

export function newStore(folder: string, options: Partial<BlobStoreOptions> = {}): BlobStore {
  return createFileBlobStore(
    { clock: createSystemClock(), random: createSystemRandom() },
    { folder, options: { reserveBytes: 0, ...options } },
  );
}

/** Several calls at once remove the 256 folders of each store in a fraction of the time that one after the other takes. */
export function temporaryFolder(): { path: string; remove: () => Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), 'cuadro-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A small file system of its own, or undefined where the test may not mount one. */
export function mountTmpfs(
  folder: string,
  size: string,
): { remount: (flags: string) => void; unmount: () => void } | undefined {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'cuadro-test', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return {
    remount: (flags) => void execFileSync('mount', ['-o', `remount,${flags}`, folder]),
    unmount: () => void execFileSync('umount', ['-l', folder]),
  };
}

/** Repeatable content that differs by seed. */
export function contentOf(seed: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = (seed * 2_654_435_761) | 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Every file below a folder. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
