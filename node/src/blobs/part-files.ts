import type { FileCalls, OpenFile } from '../system/file-calls.ts';

interface Part {
  readonly path: string;
  readonly file: Promise<OpenFile>;
  /** Tasks that have it now, or wait until it is open. */
  users: number;
}

/**
 * The files of what arrives, open while they are used and a while longer. A bundle of thousands of large files has all of
 * them under way at once, and systems let a process open a few hundred files: of those that nobody uses, the one that
 * was used longest ago is closed where another is to be opened, and opened again for its next piece.
 *
 * To close one early takes nothing from what is promised: no piece is promised to outlast a power cut, and whoever makes
 * the whole durable reads and syncs the file anew.
 */
export class PartFiles {
  readonly #files: Pick<FileCalls, 'open'>;
  readonly #openMax: number;
  /** The one that was used longest ago first. */
  readonly #parts = new Map<string, Part>();
  readonly #waiting: (() => void)[] = [];
  /** Those that are open, being opened, or being closed. */
  #places = 0;

  constructor(components: { readonly files: Pick<FileCalls, 'open'> }, init: { readonly openMax: number }) {
    this.#files = components.files;
    this.#openMax = init.openMax;
  }

  /** Gives the task the file, which stays open until it ends. `flags` count where the file is not open. */
  async use<T>(path: string, task: (file: OpenFile) => Promise<T>, flags = 'r+'): Promise<T> {
    const part = this.#parts.get(path) ?? this.#part(path, flags);
    this.#parts.delete(path);
    this.#parts.set(path, part);
    part.users += 1;
    try {
      return await task(await part.file);
    } finally {
      part.users -= 1;
      if (part.users === 0) this.#waiting.shift()?.();
    }
  }

  /** To be called when nobody uses it any more. */
  async close(path: string): Promise<void> {
    const part = this.#parts.get(path);
    if (part === undefined) return;
    this.#forget(part);
    const file = await part.file;
    try {
      await file.close();
    } finally {
      this.#leave();
    }
  }

  #part(path: string, flags: string): Part {
    const part = { path, file: this.#open(path, flags), users: 0 };
    part.file.catch(() => this.#forget(part));
    return part;
  }

  async #open(path: string, flags: string): Promise<OpenFile> {
    await this.#enter();
    try {
      return await this.#files.open(path, flags, 0o644);
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** Waits for a place, or takes over that of a file that nobody uses. */
  async #enter(): Promise<void> {
    while (this.#places >= this.#openMax) {
      const idle = this.#idle();
      if (idle === undefined) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      this.#forget(idle);
      const file = await idle.file;
      // What the disk refuses here shows when the whole is proved.
      return file.close().catch(() => undefined);
    }
    this.#places += 1;
  }

  #idle(): Part | undefined {
    for (const part of this.#parts.values()) if (part.users === 0) return part;
    return undefined;
  }

  #leave(): void {
    this.#places -= 1;
    this.#waiting.shift()?.();
  }

  #forget(part: Part): void {
    if (this.#parts.get(part.path) === part) this.#parts.delete(part.path);
  }
}
