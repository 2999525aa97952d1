/** Of records and messages nearly all are smaller; larger ones have a block of their own. */
const SMALL_BYTES_MAX = 2_048;
/** So few bytes lie within their object, without a block. */
const TINY_BYTES_MAX = 64;
/** One small copy that is kept for long keeps no more than this. */
const BLOCK_BYTES = 16_384;

let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/**
 * A copy of a stretch of bytes, which nobody writes into afterwards. Small ones share blocks of memory: to make a block
 * for each takes four times as long, and the collector of memory has to count them all. So none of them may be handed to
 * another thread with its memory.
 */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (length > SMALL_BYTES_MAX || length <= TINY_BYTES_MAX)
    return Uint8Array.prototype.slice.call(bytes, start, end);
  if (used + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  const copy = block.subarray(used, used + length);
  used += length;
  copy.set(bytes.subarray(start, end));
  return copy;
}
