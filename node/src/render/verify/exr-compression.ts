import { inflateSync } from 'node:zlib';

/**
 * Undoes OpenEXR's plain compressions (numbers 0 to 3: none, RLE, ZIPS, ZIP): run lengths or zlib, then a
 * difference predictor, then bytes of even and odd index stored apart (ImfRle.cpp and ImfZip.cpp of OpenEXR).
 * Undefined when the block doesn't give exactly `plainBytes`.
 */
export function undoCompression(compression: number, packed: Buffer, plainBytes: number): Buffer | undefined {
  // A block that would have grown is stored as it is.
  if (packed.length === plainBytes) return packed;
  if (compression === 0) return undefined;
  const coded = compression === 1 ? undoRuns(packed, plainBytes) : inflate(packed, plainBytes);
  if (coded === undefined || coded.length !== plainBytes) return undefined;
  return undoPredictor(coded);
}

function inflate(packed: Buffer, plainBytes: number): Buffer | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: Math.max(1, plainBytes) });
  } catch {
    return undefined;
  }
}

/** A count byte below zero precedes that many literal bytes; any other precedes a byte that stands count + 1 times. */
function undoRuns(packed: Buffer, plainBytes: number): Buffer | undefined {
  // Two bytes stand for 128 at most: a header that lies claims no memory.
  if (plainBytes > packed.length * 64) return undefined;
  const plain = Buffer.allocUnsafe(plainBytes);
  let [from, to] = [0, 0];
  while (from < packed.length) {
    const count = packed.readInt8(from++);
    const length = count < 0 ? -count : count + 1;
    if (to + length > plainBytes || from + (count < 0 ? length : 1) > packed.length) return undefined;
    if (count < 0) {
      packed.copy(plain, to, from, from + length);
      from += length;
    } else plain.fill(packed[from++] as number, to, to + length);
    to += length;
  }
  return to === plainBytes ? plain : undefined;
}

function undoPredictor(coded: Buffer): Buffer {
  const plain = Buffer.allocUnsafe(coded.length);
  const half = (coded.length + 1) >> 1;
  let value = coded[0] as number;
  plain[0] = value;
  for (let index = 1; index < coded.length; index++) {
    value = (value + (coded[index] as number) - 128) & 0xff;
    plain[index < half ? 2 * index : 2 * (index - half) + 1] = value;
  }
  return plain;
}
