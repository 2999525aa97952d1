/** The log of one frame: appended to a file up to a bound; the last lines are kept in memory for failures. */

import { createWriteStream, type WriteStream } from 'node:fs';

/** The last line of a log that is full; it counts as a part of it, since who keeps logs refuses longer ones. */
const FULL = '[cuadro] The log is full; the rest is dropped.\n';

export class FrameLog {
  #stream: WriteStream | undefined;
  #lines: string[] = [];
  #bytes = 0;
  readonly #init: { readonly file?: string; readonly logBytes: number; readonly keptLines: number };

  constructor(init: { readonly file?: string; readonly logBytes: number; readonly keptLines: number }) {
    this.#init = init;
    if (init.file !== undefined) {
      this.#stream = createWriteStream(init.file, { flags: 'a' });
      // A log that can't be written must not fail the frame: its lines are still kept in memory.
      this.#stream.on('error', () => {
        this.#stream = undefined;
      });
    }
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  write(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > this.#init.keptLines * 2) this.#lines = this.#lines.slice(-this.#init.keptLines);
    const before = this.#bytes;
    this.#bytes += Buffer.byteLength(line) + 1;
    const room = this.#init.logBytes - FULL.length;
    if (this.#bytes <= room) this.#stream?.write(`${line}\n`);
    else if (before <= room) this.#stream?.write(FULL);
  }

  /** Resolves when all is handed to the file. */
  close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      stream.once('error', () => resolve());
      stream.once('close', () => resolve());
      stream.end();
    });
  }
}
