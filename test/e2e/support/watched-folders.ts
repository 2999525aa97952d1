import assert from 'node:assert/strict';
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { decodePicture, filesBelow, probeFilm } from './media.ts';

/** Decodes every file as soon as it appears under its final name, and again in each check. */
export class WatchedFolders {
  readonly #filmFrames: number;
  readonly #watchers: FSWatcher[] = [];
  readonly #folders: string[] = [];
  readonly #seen = new Set<string>();
  readonly #looks: Promise<void>[] = [];

  /** `filmFrames`: how many each film among them must have. */
  constructor(filmFrames: number) {
    this.#filmFrames = filmFrames;
  }

  get seen(): number {
    return this.#seen.size;
  }

  add(folder: string): void {
    this.#folders.push(folder);
    const watcher = watch(folder, (_event, name) => {
      if (name !== null && !isTemporary(name)) this.#look(join(folder, name));
    });
    this.#watchers.push(watcher);
  }

  #look(path: string): void {
    const look = decode(path, this.#filmFrames).then(() => void this.#seen.add(path));
    look.catch(() => undefined);
    this.#looks.push(look);
  }

  /** @throws the first failure to decode. */
  async check(): Promise<void> {
    for (const folder of this.#folders) {
      for (const name of await filesBelow(folder)) {
        if (!isTemporary(name)) this.#look(join(folder, name));
      }
    }
    await Promise.all(this.#looks.splice(0));
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}

async function decode(path: string, filmFrames: number): Promise<void> {
  try {
    if (path.endsWith('.mp4')) assert.equal((await probeFilm(path)).frames, filmFrames);
    else await decodePicture(path);
  } catch (error) {
    throw new Error(`${path} stood under its final name and was not whole.`, { cause: error });
  }
}

/** Under such a name a file is on its way into a folder, at whatever depth. */
export const isTemporary = (name: string): boolean => /(^|\/)\.cuadro-[^/]*\.tmp$/.test(name);
