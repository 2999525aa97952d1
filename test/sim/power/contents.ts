import { createHash } from 'node:crypto';
import type { BlobManifest } from '../../../node/src/blobs/interface.ts';
import { pieceBytesFor } from '../../../node/src/blobs/options.ts';

/** What is put into the store, made once for all runs. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly hash: string;
  readonly manifest: BlobManifest;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function contentOf(seed: number, sizeBytes: number): Content {
  const bytes = new Uint8Array(sizeBytes);
  let state = (seed * 2_654_435_761) | 1;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    bytes[at] = state >>> 24;
  }
  const pieceBytes = pieceBytesFor(sizeBytes);
  const pieces: string[] = [];
  for (let at = 0; at < sizeBytes; at += pieceBytes) pieces.push(sha256(bytes.subarray(at, at + pieceBytes)));
  const hash = sha256(bytes);
  return { bytes, hash, manifest: { hash, sizeBytes, pieceBytes, pieces } };
}

const SMALL_BYTES = [
  0, 1, 17, 300, 511, 512, 513, 900, 1_000, 2_000, 3_000, 4_095, 4_096, 4_097, 6_000, 9_000,
];
/** Above what is read at once; above one piece. */
const LARGE_BYTES = [262_145, 300_000, 1_048_577, 1_200_000];

export const SMALL: readonly Content[] = SMALL_BYTES.map((size, index) => contentOf(index + 1, size));
export const LARGE: readonly Content[] = LARGE_BYTES.map((size, index) => contentOf(index + 101, size));

export const byHash = new Map([...SMALL, ...LARGE].map((content) => [content.hash, content]));
