import type { PeerId } from '@cuadro/protocol';
import type { BlobHash } from '../interface.ts';
import type { FetchOptions, FetchProgress, WantedBlob } from './interface.ts';

/** How far several files are together. */
export class TreeProgress {
  /** What is counted of each file that is on its way. */
  readonly #parts = new Map<BlobHash, number>();
  #from: readonly PeerId[] = [];
  readonly #tell: FetchOptions['onProgress'];
  readonly files: number;
  doneBytes = 0;
  doneFiles: number;
  /** Undefined where a size is not known. */
  sizeBytes: number | undefined = 0;

  constructor(
    wanted: readonly WantedBlob[],
    missing: readonly WantedBlob[],
    tell: FetchOptions['onProgress'],
  ) {
    this.#tell = tell;
    this.files = wanted.length;
    this.doneFiles = wanted.length - missing.length;
    for (const { sizeBytes } of wanted) {
      if (sizeBytes === undefined) this.sizeBytes = undefined;
      if (this.sizeBytes !== undefined) this.sizeBytes += sizeBytes ?? 0;
      this.doneBytes += sizeBytes ?? 0;
    }
    for (const { sizeBytes = 0 } of missing) this.doneBytes -= sizeBytes;
  }

  told(hash: BlobHash, part: FetchProgress): void {
    this.doneBytes += part.doneBytes - (this.#parts.get(hash) ?? 0);
    this.#parts.set(hash, part.doneBytes);
    if (this.#tell === undefined) return;
    for (const peer of part.from) if (!this.#from.includes(peer)) this.#from = [...this.#from, peer];
    const sizeBytes = this.files === 1 ? (this.sizeBytes ?? part.sizeBytes) : this.sizeBytes;
    this.#tell({ doneBytes: this.doneBytes, sizeBytes, from: this.#from });
  }

  /** A file is here, whole and pinned. */
  done(hash: BlobHash): void {
    this.#parts.delete(hash);
    this.doneFiles += 1;
  }
}
