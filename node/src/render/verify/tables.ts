/**
 * Where the data of a TIFF and of an SGI file ends by its own tables. libtiff and ffmpeg fill what is missing at
 * the end with grey or black. A read past the file's end throws Buffer's RangeError, which means the same.
 */

/** Bytes per value by TIFF's field type. */
const TIFF_TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];
/** Tags of the offsets and lengths of strips, and of tiles. */
const TIFF_DATA_TAGS = [
  [273, 279],
  [324, 325],
] as const;

const TIFF_COMPRESSION_TAG = 259;
/** Adobe's number for zlib, and the older one. */
const TIFF_DEFLATE = [8, 32_946];

export interface TiffTables {
  /** The end of the first directory, of its values, and of the strips or tiles that it names. */
  readonly end: number;
  /** The strips or tiles that zlib packed: libvips shows what it can of a damaged one, without a word. */
  readonly deflated: readonly Buffer[];
}

export function readTiffTables(file: Buffer): TiffTables {
  const little = file[0] === 0x49;
  const short = (at: number) => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const long = (at: number) => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const directory = long(4);
  const entries = short(directory);
  let end = directory + 2 + 12 * entries + 4;
  const values = new Map<number, number[]>();
  for (let index = 0; index < entries; index++) {
    const entry = directory + 2 + 12 * index;
    const [tag, type, count] = [short(entry), short(entry + 2), long(entry + 4)];
    const bytes = (TIFF_TYPE_BYTES[type] ?? 0) * count;
    const at = bytes <= 4 ? entry + 8 : long(entry + 8);
    end = Math.max(end, at + bytes);
    if (at + bytes > file.length) return { end, deflated: [] };
    const wanted = TIFF_DATA_TAGS.some((tags) => tags.some((known) => known === tag));
    if (!wanted && tag !== TIFF_COMPRESSION_TAG) continue;
    // A tag stands once (TIFF 6.0, section 2); thousands of the same would have all their values read.
    if (values.has(tag)) continue;
    // These tags are SHORT or LONG; of another type no count is bounded by the file, and a list would be made for it.
    if (type !== 3 && type !== 4) continue;
    const read = type === 3 ? (i: number) => short(at + 2 * i) : (i: number) => long(at + 4 * i);
    values.set(
      tag,
      Array.from({ length: count }, (_, i) => read(i)),
    );
  }
  const deflate = TIFF_DEFLATE.includes(values.get(TIFF_COMPRESSION_TAG)?.[0] ?? 1);
  const deflated: Buffer[] = [];
  for (const [offsetsTag, lengthsTag] of TIFF_DATA_TAGS) {
    const lengths = values.get(lengthsTag) ?? [];
    for (const [index, offset] of (values.get(offsetsTag) ?? []).entries()) {
      const length = lengths[index] ?? 0;
      end = Math.max(end, offset + length);
      if (deflate) deflated.push(file.subarray(offset, offset + length));
    }
  }
  return { end, deflated };
}

const SGI_HEADER_BYTES = 512;

/** The end of the last row of an SGI ("IRIS") file, plain or run-length coded. */
export function sgiEnd(file: Buffer): number {
  const [coded, bytesPerSample] = [file[2] === 1, file[3] as number];
  const [width, height, channels] = [file.readUInt16BE(6), file.readUInt16BE(8), file.readUInt16BE(10)];
  const rows = height * channels;
  if (!coded) return SGI_HEADER_BYTES + width * rows * bytesPerSample;
  let end = SGI_HEADER_BYTES + 8 * rows;
  for (let row = 0; row < rows; row++) {
    const offset = file.readUInt32BE(SGI_HEADER_BYTES + 4 * row);
    const length = file.readUInt32BE(SGI_HEADER_BYTES + 4 * (rows + row));
    end = Math.max(end, offset + length);
  }
  return end;
}
