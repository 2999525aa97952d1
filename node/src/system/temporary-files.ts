import { join } from 'node:path';
import { type FileCalls, systemFileCalls } from './file-calls.ts';
import type { Random } from './interface.ts';

/**
 * Names for files that are on their way into folders of other people: `.cuadro-<owner>-<random>.tmp`. A killed
 * node leaves them behind, so the folder is swept before it is next written to. The owner keeps nodes that share
 * a folder (a network drive, two nodes of one machine) from sweeping what another is still writing.
 */
export interface TemporaryFiles {
  /** A new name in `folder`, which a sweep spares until it is given back. */
  take(folder: string): string;
  /** The file has its final name, or is gone. */
  giveBack(path: string): void;
  /** Removes what this owner left in `folder` and isn't writing now. A folder that can't be read is left alone. */
  sweep(folder: string): Promise<void>;
}

/** @param init.owner letters and digits that no other node has: the end of its peer id. */
export function createTemporaryFiles(
  components: { random: Random; files?: FileCalls },
  init: { owner: string },
): TemporaryFiles {
  if (!/^[A-Za-z0-9]+$/.test(init.owner)) throw new TypeError('An owner is named by letters and digits.');
  return new OwnedTemporaryFiles(components, `.cuadro-${init.owner}-`);
}

const ENDING = '.tmp';

class OwnedTemporaryFiles implements TemporaryFiles {
  readonly #random: Random;
  readonly #files: FileCalls;
  readonly #prefix: string;
  readonly #taken = new Set<string>();

  constructor({ random, files = systemFileCalls }: { random: Random; files?: FileCalls }, prefix: string) {
    this.#random = random;
    this.#files = files;
    this.#prefix = prefix;
  }

  take(folder: string): string {
    const path = join(folder, `${this.#prefix}${this.#random.name()}${ENDING}`);
    this.#taken.add(path);
    return path;
  }

  giveBack(path: string): void {
    this.#taken.delete(path);
  }

  async sweep(folder: string): Promise<void> {
    for (const name of await this.#files.readdir(folder).catch(() => [])) {
      if (!name.startsWith(this.#prefix) || !name.endsWith(ENDING)) continue;
      const path = join(folder, name);
      if (!this.#taken.has(path)) await this.#files.rm(path, { force: true }).catch(() => undefined);
    }
  }
}
