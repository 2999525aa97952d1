import { createHash } from 'node:crypto';
import type { BlobHash, BlobManifest } from './interface.ts';
import { pieceBytesFor } from './options.ts';

/**
 * The piece list beside a blob: magic, size (u64, big endian), piece size (u32), piece hashes (32 bytes each),
 * SHA-256 of all that. The closing hash tells a damaged list, which is recomputed, from a damaged blob.
 */
const magic = Buffer.from('CUADROP1', 'latin1');
const headBytes = magic.length + 8 + 4;
const hashBytes = 32;

export function pieceCount(sizeBytes: number, pieceBytes = pieceBytesFor(sizeBytes)): number {
  return Math.ceil(sizeBytes / pieceBytes);
}

/** `hashes`: the piece hashes, 32 bytes each, one after another. */
export function manifestOf(hash: BlobHash, sizeBytes: number, hashes: Uint8Array): BlobManifest {
  const flat = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  const pieces = Array.from({ length: flat.length / hashBytes }, (_, index) =>
    flat.toString('hex', index * hashBytes, (index + 1) * hashBytes),
  );
  return { hash, sizeBytes, pieceBytes: pieceBytesFor(sizeBytes), pieces };
}

export function encodePieces(manifest: BlobManifest): Uint8Array {
  const head = Buffer.alloc(headBytes);
  magic.copy(head);
  head.writeBigUInt64BE(BigInt(manifest.sizeBytes), magic.length);
  head.writeUInt32BE(manifest.pieceBytes, magic.length + 8);
  const body = Buffer.concat([head, Buffer.from(manifest.pieces.join(''), 'hex')]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/** The manifest of `hash`, or undefined when the list is not whole or not of a blob of this size. */
export function decodePieces(hash: BlobHash, sizeBytes: number, bytes: Uint8Array): BlobManifest | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieceBytes = pieceBytesFor(sizeBytes);
  const length = headBytes + (pieceCount(sizeBytes, pieceBytes) + 1) * hashBytes;
  if (buffer.length !== length || !buffer.subarray(0, magic.length).equals(magic)) return undefined;
  const body = buffer.subarray(0, length - hashBytes);
  if (
    !createHash('sha256')
      .update(body)
      .digest()
      .equals(buffer.subarray(length - hashBytes))
  )
    return undefined;
  if (buffer.readBigUInt64BE(magic.length) !== BigInt(sizeBytes)) return undefined;
  if (buffer.readUInt32BE(magic.length + 8) !== pieceBytes) return undefined;
  return manifestOf(hash, sizeBytes, body.subarray(headBytes));
}

/** Memory that threads share: a piece there is verified, and read or written, without a copy of it. */
export const isShared = ({ buffer }: Uint8Array): boolean => buffer instanceof SharedArrayBuffer;

/** The bytes in such memory. */
export function shared(bytes: Uint8Array): Uint8Array {
  if (isShared(bytes)) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** Such memory for a piece: the caller's, where it gave some that is large enough. */
export function memoryFor(bytes: number, into?: Uint8Array): Uint8Array {
  if (into !== undefined && isShared(into) && into.length >= bytes) return into.subarray(0, bytes);
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

/** The piece hashes of a manifest as a pass over its blob finds them. */
export const hashesOf = ({ pieces }: BlobManifest): Uint8Array => Buffer.from(pieces.join(''), 'hex');

/** SHA-256 in the thread pool, so that a megabyte never holds up the event loop. */
export async function digest(bytes: Uint8Array): Promise<BlobHash> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Buffer.from(hash).toString('hex');
}
