import { createHash, type Hash } from 'node:crypto';

/**
 * The canonical form that `pixelHash` covers: one line of ASCII that names the form, its dimensions and channel
 * layout, a line feed, then the samples. In full:
 *
 * - `cuadro-pixels-1 <width> <height> <channels> <uchar|ushort|float>`: rows from the top, channels interleaved,
 *   little-endian (PNG, JPEG, TIFF, WebP, as libvips decodes them, colour profiles not applied);
 * - `cuadro-pixels-1 <width> <height> 4 rgba64le`: the same, by ffmpeg (BMP, TGA, SGI, DPX, JPEG 2000);
 * - `cuadro-pixels-1 <width> <height> 4 rgbe`: Radiance HDR, run lengths undone;
 * - `cuadro-pixels-1 <width> <height> cineon`: the packed words as they stand;
 * - `cuadro-pixels-1 exr` and for each part a line of window, channels and `samples` (compression undone) or the
 *   compression's number (the blocks as they stand), then the data of each block in the order of the offset table.
 */
export function startPixelHash(layout: string): Hash {
  return createHash('sha256').update(`cuadro-pixels-1 ${layout}\n`);
}
