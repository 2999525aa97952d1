import type { OpenFile } from '../system/file-calls.ts';
import { systemCode } from '../system/files.ts';
import { BlobCorruptError, BlobNotFoundError } from './errors.ts';
import type { BlobGround } from './ground.ts';
import type { FileDigest, Hasher } from './hasher.ts';
import type { BlobHash, BlobInfo, BlobManifest, BlobReader, ByteRange } from './interface.ts';
import type { BlobLayout } from './layout.ts';
import { blobLimits, pieceBytesFor } from './options.ts';
import { decodePieces, encodePieces, isShared, manifestOf, memoryFor, pieceCount } from './pieces.ts';

export interface ReaderComponents extends Omit<BlobGround, 'spawn'> {
  readonly layout: BlobLayout;
  readonly hasher: Hasher;
  readonly pieceHasher: Pick<Hasher, 'readPiece'>;
  /** Takes a damaged blob out of use. */
  readonly quarantine: (hash: BlobHash) => Promise<void>;
  /** Stores a piece list that had to be recomputed; best effort. */
  readonly keepPieces: (manifest: BlobManifest) => Promise<void>;
}

/** Reads blobs piece by piece; every piece is verified before it is handed on. */
export class VerifiedReader {
  readonly #components: ReaderComponents;
  /** Of blobs that were read lately. */
  readonly #manifests = new Map<BlobHash, BlobManifest>();

  constructor(components: ReaderComponents) {
    this.#components = components;
  }

  async open(
    hash: BlobHash,
    sizeBytes: number,
    range: ByteRange & { readonly into?: Uint8Array | undefined },
    signal: AbortSignal,
  ): Promise<BlobReader> {
    const lengthBytes = range.end - range.start;
    const info = { hash, sizeBytes, lengthBytes };
    if (sizeBytes <= pieceBytesFor(sizeBytes)) {
      // One piece: read and verified here, so that damage shows before the first byte is promised to anyone.
      const bytes = await this.#wholeSmall(hash, sizeBytes, signal);
      return { ...info, chunks: once(bytes.subarray(range.start, range.end)) };
    }
    const known = lengthBytes <= pieceBytesFor(sizeBytes) ? this.#manifests.get(hash) : undefined;
    const manifest = known ?? (await this.manifest(hash, sizeBytes, signal));
    return { ...info, chunks: this.#pieces(manifest, range, signal) };
  }

  async manifest(hash: BlobHash, sizeBytes: number, signal: AbortSignal): Promise<BlobManifest> {
    const pieceBytes = pieceBytesFor(sizeBytes);
    if (sizeBytes <= pieceBytes)
      return { hash, sizeBytes, pieceBytes, pieces: sizeBytes === 0 ? [] : [hash] };
    const manifest = await this.#readManifest(hash, sizeBytes, signal);
    this.#keep(manifest);
    return manifest;
  }

  /** What a blob's manifest is never changes; a piece alone is read by what is kept. */
  #keep(manifest: BlobManifest): void {
    if (manifest.pieces.length > blobLimits.manifestPiecesKept) return;
    this.#manifests.delete(manifest.hash);
    this.#manifests.set(manifest.hash, manifest);
    let pieces = 0;
    for (const { pieces: of } of this.#manifests.values()) pieces += of.length;
    for (const [oldest, { pieces: of }] of this.#manifests) {
      if (pieces <= blobLimits.manifestPiecesKept) return;
      pieces -= of.length;
      this.#manifests.delete(oldest);
    }
  }

  async #readManifest(hash: BlobHash, sizeBytes: number, signal: AbortSignal): Promise<BlobManifest> {
    const { hasher, layout } = this.#components;
    const known = await this.#storedManifest(hash, sizeBytes);
    return known ?? this.#remade({ hash, sizeBytes }, hasher.digest(layout.pathOf(hash), { signal }));
  }

  /** Undefined where the list is damaged or gone. */
  async #storedManifest(hash: BlobHash, sizeBytes: number): Promise<BlobManifest | undefined> {
    const { files, layout } = this.#components;
    const stored = await files.readFile(layout.piecesPathOf(hash)).catch(() => undefined);
    return stored === undefined ? undefined : decodePieces(hash, sizeBytes, stored);
  }

  /** By a pass over the whole, which proves it too. */
  async #remade(info: BlobInfo, pass: Promise<FileDigest>): Promise<BlobManifest> {
    const { pieces } = await this.#proved(info, pass);
    const manifest = manifestOf(info.hash, info.sizeBytes, pieces);
    await this.#components.keepPieces(manifest);
    return manifest;
  }

  /** Hashes a blob of more than one piece again, off the loop; throws and quarantines where it is another one. */
  async verify(hash: BlobHash, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const { hasher, layout } = this.#components;
    const pass = hasher.digest(layout.pathOf(hash), { wholeOnly: true, signal });
    await this.#proved({ hash, sizeBytes }, pass);
  }

  async #proved({ hash, sizeBytes }: BlobInfo, pass: Promise<FileDigest>): Promise<FileDigest> {
    try {
      const found = await pass;
      if (found.hash === hash && found.sizeBytes === sizeBytes) return found;
    } catch (error) {
      throw await this.explain(hash, error);
    }
    await this.#components.quarantine(hash);
    throw new BlobCorruptError(hash);
  }

  /**
   * The same of a large blob by the list of its pieces, with a rest after each stretch, in which no file is open: what
   * is evicted meanwhile frees its room at once. Where the list is damaged or gone, it is made again by the same reading.
   */
  async verifyInStretches(
    { hash, sizeBytes }: BlobInfo,
    rest: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { hasher, layout } = this.#components;
    const manifest = await this.#storedManifest(hash, sizeBytes);
    if (manifest === undefined) {
      const source = layout.pathOf(hash);
      const how = { stretchBytes: blobLimits.checkStretchBytes, rest, signal };
      await this.#remade({ hash, sizeBytes }, hasher.digestInStretches({ source, sizeBytes }, how));
      return;
    }
    let into: Uint8Array | undefined;
    for (let start = 0; start < sizeBytes; start += blobLimits.checkStretchBytes) {
      if (start > 0) await rest(signal);
      const end = Math.min(sizeBytes, start + blobLimits.checkStretchBytes);
      for await (const bytes of this.#pieces(manifest, { start, end, into }, signal)) into ??= bytes;
    }
  }

  /** What an error of reading a blob's file means; quarantines what the disk can't read. */
  async explain(hash: BlobHash, error: unknown): Promise<unknown> {
    const code = systemCode(error) ?? (error as { code?: unknown }).code;
    if (code === 'ENOENT') return new BlobNotFoundError(hash);
    if (code !== 'EIO' && code !== 'ENOTFILE' && code !== 'ECHANGED') return error;
    await this.#components.quarantine(hash);
    return new BlobCorruptError(hash);
  }

  async #wholeSmall(hash: BlobHash, sizeBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const { files, layout, digest } = this.#components;
    let bytes: Uint8Array;
    try {
      bytes = await files.readFile(layout.pathOf(hash), { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw await this.explain(hash, error);
    }
    if (bytes.length === sizeBytes && (await digest(bytes)) === hash) return bytes;
    await this.#components.quarantine(hash);
    throw new BlobCorruptError(hash);
  }

  async *#pieces(
    manifest: BlobManifest,
    { start, end, into }: ByteRange & { readonly into?: Uint8Array | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { hash, sizeBytes, pieceBytes, pieces } = manifest;
    if (end === start) return;
    const { files, layout, pieceHasher, quarantine } = this.#components;
    const first = Math.floor(start / pieceBytes);
    const last = pieceCount(end, pieceBytes);
    let handle: OpenFile | undefined;
    // Used again for each piece: memory between threads is collected late, and a gigabyte that was read lay there whole.
    let memory = into;
    try {
      // One piece is read by the name of the file, in one call of the thread.
      if (last - first > 1) handle = await files.open(layout.pathOf(hash));
      const file = handle?.fd ?? layout.pathOf(hash);
      for (let index = first; index < last; index += 1) {
        signal.throwIfAborted();
        const offset = index * pieceBytes;
        const bytes = memoryFor(Math.min(pieceBytes, sizeBytes - offset), memory);
        memory = bytes;
        if (!(await pieceHasher.readPiece({ file, offset, bytes, expected: pieces[index] as string }))) {
          await quarantine(hash);
          throw new BlobCorruptError(hash);
        }
        yield bytes.subarray(Math.max(0, start - offset), Math.min(bytes.length, end - offset));
      }
    } catch (error) {
      if (signal.aborted || error instanceof BlobCorruptError) throw error;
      throw await this.explain(hash, error);
    } finally {
      await handle?.close();
    }
  }
}

/** All that a reader gives, in memory of its own. */
export async function wholeOf({ lengthBytes, chunks }: BlobReader): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  let filled = 0;
  for await (const chunk of chunks) {
    // Of a small blob all is read at once, into memory that is nobody's else.
    if (chunk.length === lengthBytes && !isShared(chunk)) return chunk;
    bytes ??= Buffer.allocUnsafeSlow(lengthBytes);
    bytes.set(chunk, filled);
    filled += chunk.length;
  }
  return bytes ?? new Uint8Array();
}

/** Keeps the list of a new blob beside it in memory form. */
export function encodedPiecesOf(
  hash: BlobHash,
  sizeBytes: number,
  pieces: Uint8Array,
): Uint8Array | undefined {
  if (sizeBytes <= pieceBytesFor(sizeBytes)) return undefined;
  return encodePieces(manifestOf(hash, sizeBytes, pieces));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
