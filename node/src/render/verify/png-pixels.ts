import { FrameError } from './errors.ts';
import type { WholePng } from './png.ts';

/**
 * Pixels of the PNGs that engines write as a rule, from the data that `checkPng` has unpacked already: unpacking is
 * most of a PNG's cost, and a decoder would do it a second time.
 */
export interface PlainPixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  /** Rows from the top, channels interleaved, 8 bits each. */
  readonly data: Buffer;
}

/** Chunks that change what the samples mean; whatever carries one is left to libvips. */
const CHANGING = ['PLTE', 'tRNS', 'iCCP', 'cICP', 'acTL'];

/**
 * Undefined for what isn't 8-bit RGB or RGBA in the ordinary order. Overwrites `png.filtered`, and returns a part of
 * it. @throws FrameError `frame-undecodable`.
 */
export function plainPixels(png: WholePng): PlainPixels | undefined {
  const { width, height, bits, colourType, interlaced, chunks, filtered } = png;
  if (bits !== 8 || interlaced || (colourType !== 2 && colourType !== 6)) return undefined;
  if (CHANGING.some((type) => chunks.has(type))) return undefined;
  const channels = colourType === 6 ? 4 : 3;
  const rowBytes = width * channels;
  // What is above the first row counts as zero (PNG specification, section 9.2).
  let above: Uint8Array = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    const from = y * (rowBytes + 1);
    const row = filtered.subarray(from + 1, from + 1 + rowBytes);
    const unfilter = UNFILTERS[filtered[from] as number];
    if (unfilter === undefined) {
      throw new FrameError('frame-undecodable', `The PNG is damaged: its row ${y} has no known filter.`);
    }
    unfilter(row, above, channels);
    above = row;
  }
  // Only now do the rows close up: each moves towards the beginning, over what was read before.
  for (let y = 0; y < height; y++) {
    const from = y * (rowBytes + 1) + 1;
    filtered.copyWithin(y * rowBytes, from, from + rowBytes);
  }
  return { width, height, channels, data: filtered.subarray(0, rowBytes * height) };
}

/** Undoes a filter in place: `row` holds differences before and samples after (PNG specification, section 9). */
type Unfilter = (row: Uint8Array, above: Uint8Array, channels: number) => void;

/** By filter number. The loops run once per byte of every frame, so they have no branch that could stand outside. */
const UNFILTERS: readonly Unfilter[] = [
  () => undefined,
  (row, _above, channels) => {
    for (let i = channels; i < row.length; i++) row[i] = (row[i] as number) + (row[i - channels] as number);
  },
  (row, above) => {
    for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + (above[i] as number);
  },
  (row, above, channels) => {
    for (let i = 0; i < channels; i++) row[i] = (row[i] as number) + ((above[i] as number) >> 1);
    for (let i = channels; i < row.length; i++) {
      const left = row[i - channels] as number;
      row[i] = (row[i] as number) + ((left + (above[i] as number)) >> 1);
    }
  },
  (row, above, channels) => {
    // With nothing to the left, what Paeth predicts is the byte above.
    for (let i = 0; i < channels; i++) row[i] = (row[i] as number) + (above[i] as number);
    for (let i = channels; i < row.length; i++) {
      const left = row[i - channels] as number;
      const up = above[i] as number;
      const corner = above[i - channels] as number;
      const byLeft = Math.abs(up - corner);
      const byUp = Math.abs(left - corner);
      const byCorner = Math.abs(left + up - 2 * corner);
      const nearer = byUp <= byCorner ? up : corner;
      row[i] = (row[i] as number) + (byLeft <= byUp && byLeft <= byCorner ? left : nearer);
    }
  },
];
