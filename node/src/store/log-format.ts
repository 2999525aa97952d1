/**
 * LevelDB's log format (its doc/log_format.md): blocks of 32 KiB; a record's head is a sum of four bytes, a length of
 * two, and a kind. The logs of the latest writes are kept in it, and the list of files.
 */

const BLOCK_BYTES = 32_768;
const HEAD_BYTES = 7;
/** Where in the head the length stands, and the kind, from which on all counts for the sum. */
const LENGTH_AT = 4;
const KIND_AT = 6;
/** Kinds of a part behind which more of the same write stands: the first of several, and one in the middle. */
const GOES_ON: ReadonlySet<number | undefined> = new Set([2, 3]);

/**
 * Whether a file in the log format lacks something that was written: it ends within a write, or the sum of a record is
 * false. LevelDB drops what it can't read, up to the end of the block, and opens all the same. A file that ends where a
 * write does can't be told from a whole one.
 */
export function isBroken(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  let kind: number | undefined;
  while (offset < bytes.length) {
    const leftInBlock = BLOCK_BYTES - (offset % BLOCK_BYTES);
    if (leftInBlock < HEAD_BYTES) {
      offset += leftInBlock;
      continue;
    }
    if (offset + HEAD_BYTES > bytes.length) return true;
    const end = offset + HEAD_BYTES + view.getUint16(offset + LENGTH_AT, true);
    if (end > bytes.length) return true;
    if (view.getUint32(offset, true) !== sumOf(bytes.subarray(offset + KIND_AT, end))) return true;
    kind = bytes[offset + KIND_AT];
    offset = end;
  }
  return GOES_ON.has(kind);
}

/** CRC-32C (RFC 3720, appendix B.4), its polynomial with the bits in reverse. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  return sum >>> 0;
});

/** What LevelDB adds to a sum that is turned by 15 bits, so that sums of what holds sums differ (its util/crc32c.h). */
const RAISED_BY = 0xa282ead8;

/** The sum of a record in its head: of its kind and of all behind that, 32 bits. */
export function sumOf(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 255] as number);
  sum = ~sum;
  return (((sum >>> 15) | (sum << 17)) + RAISED_BY) >>> 0;
}
