import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { BlobHash, JobId } from '@cuadro/protocol';
import { blobLayout } from '../../node/src/blobs/layout.ts';
import { PinJournal } from '../../node/src/blobs/pins.ts';
import { systemFileCalls } from '../../node/src/system/file-calls.ts';

/**
 * Puts many small files into a data folder whose blob store does not run, and leaves there what the store would leave,
 * in a tenth of the time: without an fsync of each, which says when a file may be promised and not what is stored.
 */
export class StoredFiles {
  readonly #layout: ReturnType<typeof blobLayout>;
  readonly #pins: PinJournal;

  /** A folder in which a blob store has run once. */
  constructor(folder: string) {
    this.#layout = blobLayout(folder);
    this.#pins = new PinJournal({ files: systemFileCalls }, { path: this.#layout.pins });
  }

  async start(): Promise<void> {
    await this.#pins.start(`${this.#layout.pins}.tmp`);
  }

  stop(): Promise<void> {
    return this.#pins.stop();
  }

  /** The hashes, in the order of the contents. */
  async put(contents: readonly Uint8Array[], pin: JobId): Promise<BlobHash[]> {
    const hashes = contents.map((bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(this.#layout.pathOf(hash), bytes, { flag: 'wx', mode: 0o444 });
      return hash;
    });
    await Promise.all(hashes.map((hash) => this.#pins.add(hash, pin)));
    return hashes;
  }
}
