import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobHash, Grant, OutputFile, RouteBody } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import type { AttemptOutcome } from '../../../node/src/core/interface.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

/** A job of this name that makes files, once for each frame. */
export const framesJob = (frames: string, name = 'job'): Partial<RouteBody<'submit'>> => ({
  type: 'command',
  name,
  settings: { program: '/bin/true', frames },
});

export const nameOf = ({ task }: Grant): string => `f_${task + 1}.png`;

/** A blob store on the disk whose contents are short texts, so that a test can damage one. */
export class DiskBlobs {
  readonly base: string;
  readonly blobs: BlobStore;
  readonly #contents = new Map<string, BlobHash>();

  private constructor(base: string, blobs: BlobStore) {
    this.base = base;
    this.blobs = blobs;
  }

  static async make(): Promise<DiskBlobs> {
    const base = await mkdtemp(join(tmpdir(), 'cuadro-jobs-'));
    const blobs = createFileBlobStore(
      { clock: createSystemClock(), random: createSystemRandom() },
      { folder: join(base, 'data'), options: { reserveBytes: 0 } },
    );
    await blobs.start();
    return new DiskBlobs(base, blobs);
  }

  async remove(): Promise<void> {
    await this.blobs.stop();
    await rm(this.base, { recursive: true });
  }

  /** Stores the text as an attempt stores its file: pinned for the job. */
  async put(text: string, pin = 'test'): Promise<BlobHash> {
    const { hash } = await this.blobs.putBytes(Buffer.from(text), { pin });
    this.#contents.set(text, hash);
    return hash;
  }

  hashOf(text: string): BlobHash {
    return this.#contents.get(text) as string;
  }

  /** A result with one file of a text that was put. */
  result(name: string, text: string): AttemptOutcome {
    const file: OutputFile = { name, blob: this.hashOf(text), sizeBytes: text.length, role: 'file' };
    return { kind: 'result', files: [file], renderMs: 1, wallTime: 1 };
  }

  async damage(text: string): Promise<void> {
    const path = blobLayout(join(this.base, 'data')).pathOf(this.hashOf(text));
    await chmod(path, 0o644);
    await writeFile(path, 'X'.repeat(text.length));
  }
}
