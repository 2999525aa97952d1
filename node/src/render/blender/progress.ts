/** Reads progress from what Blender prints while it renders. Pure. */

import type { FrameProgress } from '../interface.ts';

/** What one line says; undefined fields were not in the line. */
export interface ProgressLine {
  readonly sample?: number;
  readonly samples?: number;
  /** Where a large picture is rendered in parts, how many of them are done. */
  readonly tiles?: { readonly done: number; readonly all: number };
  readonly remainingMs?: number;
  readonly text: string;
}

// Cycles: 'Fra:7 Mem:20.1M (Peak 20.4M) | Time:00:00.31 | Remaining:00:00.20 | Mem:… | Scene, View | Sample 3/8'
// EEVEE:  'Fra:7 Mem:… | Time:00:04.10 | Rendering 26 / 64 samples'
const FRAME_LINE = /^Fra:-?\d+ Mem:/;
const SAMPLE = /\bSample (\d+)\/(\d+)/;
const EEVEE_SAMPLE = /\bRendering (\d+) \/ (\d+) samples/;
// Cycles, from 2048 pixels on: '… | Rendered 1/4 Tiles, Sample 3/8'
const TILES = /\bRendered (\d+)\/(\d+) Tiles/;
const REMAINING = /\bRemaining:([\d:.]+)/;

/** Undefined when the line is not about progress. */
export function parseProgressLine(line: string): ProgressLine | undefined {
  if (!FRAME_LINE.test(line)) return undefined;
  const sample = SAMPLE.exec(line) ?? EEVEE_SAMPLE.exec(line);
  const tiles = TILES.exec(line);
  const remaining = REMAINING.exec(line);
  const remainingMs = remaining?.[1] === undefined ? undefined : parseDuration(remaining[1]);
  return {
    ...(sample === null ? {} : { sample: Number(sample[1]), samples: Number(sample[2]) }),
    ...(tiles === null ? {} : { tiles: { done: Number(tiles[1]), all: Number(tiles[2]) } }),
    ...(remainingMs === undefined ? {} : { remainingMs }),
    text: line.slice(line.lastIndexOf('|') + 1).trim(),
  };
}

/** '01:02.50' or '1:01:02.50' in milliseconds; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const parts = text.split(':').map(Number);
  if (parts.length < 2 || parts.length > 3 || parts.some((part) => !Number.isFinite(part))) return undefined;
  return Math.round(parts.reduce((total, part) => total * 60 + part, 0) * 1000);
}

/**
 * Makes a frame's progress from its lines: the fraction never falls, though each view layer and each tile starts anew,
 * and is not whole before the last of them is.
 */
export class ProgressMeter {
  #fraction = 0;
  #memoryBytes = 0;
  #parts = 1;
  #partsDone = 0;
  #tilesDone = 0;
  #ofPart = 0;

  /** View layers, in all views and scenes, that are rendered one after the other. */
  parts(count: number): void {
    this.#parts = count;
  }

  /** Undefined when the line changes nothing that anyone would see. */
  read(line: string): FrameProgress | undefined {
    const parsed = parseProgressLine(line);
    if (parsed === undefined) return undefined;
    const { tiles, ...shown } = parsed;
    const { sample, samples } = shown;
    if (sample !== undefined && samples !== undefined && samples > 0)
      this.#advance(sample / samples, tiles ?? { done: 0, all: 1 });
    return { ...shown, fraction: this.#fraction, ...this.#memory() };
  }

  #advance(ofTile: number, { done, all }: { readonly done: number; readonly all: number }): void {
    const ofPart = Math.min(1, (done + Math.min(1, ofTile)) / Math.max(1, all));
    // Samples fall with each tile; only where tiles are counted anew a layer is.
    if (all > 1 ? done < this.#tilesDone : ofPart < this.#ofPart) this.#partsDone += 1;
    this.#tilesDone = done;
    this.#ofPart = ofPart;
    const fraction = Math.min(1, (this.#partsDone + ofPart) / this.#parts);
    this.#fraction = Math.max(this.#fraction, fraction);
  }

  /** A step that Blender prints nothing about. */
  stage(text: string): FrameProgress {
    return { fraction: this.#fraction, text, ...this.#memory() };
  }

  memory(bytes: number): void {
    this.#memoryBytes = bytes;
  }

  #memory(): { memoryBytes?: number } {
    return this.#memoryBytes > 0 ? { memoryBytes: this.#memoryBytes } : {};
  }
}
