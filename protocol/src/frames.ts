import { CuadroError } from './errors.ts';
import { FRAME_NUMBER_LIMIT, FRAME_RANGES_MAX, TASKS_PER_JOB_MAX } from './limits.ts';

/** Frames `start`, `start + step`, … up to and including `end`; `step` ≥ 1, `start` ≤ `end`. */
export interface FrameRange {
  start: number;
  end: number;
  step: number;
}

const PART = /^(-?\d+)(?:\s*-\s*(-?\d+)(?:\s*:\s*(\d+))?)?$/;

/** How many frames a range holds. */
export function countRange(range: FrameRange): number {
  return Math.floor((range.end - range.start) / range.step) + 1;
}

/** How many frames the ranges hold in all. */
export function countFrames(ranges: readonly FrameRange[]): number {
  return ranges.reduce((sum, range) => sum + countRange(range), 0);
}

/** Every frame number, in the order of the ranges. */
export function* eachFrame(ranges: readonly FrameRange[]): Generator<number> {
  for (const range of ranges) {
    for (let frame = range.start; frame <= range.end; frame += range.step) yield frame;
  }
}

/** The frame at `position` (counted from 0) of the ranges, or undefined past their end. */
export function frameAt(ranges: readonly FrameRange[], position: number): number | undefined {
  let left = position;
  for (const range of ranges) {
    const count = countRange(range);
    if (left < count) return range.start + left * range.step;
    left -= count;
  }
  return undefined;
}

/** The position of `frame` in the ranges, or undefined where they do not hold it. */
export function positionOf(ranges: readonly FrameRange[], frame: number): number | undefined {
  let before = 0;
  for (const range of ranges) {
    const offset = frame - range.start;
    if (offset >= 0 && frame <= range.end && offset % range.step === 0) return before + offset / range.step;
    before += countRange(range);
  }
  return undefined;
}

/**
 * Reads a frame list such as `1-10`, `1-10:2`, `-5-5`, `1,3,7-9`, blanks allowed between the parts (SPEC R10).
 * The result is sorted and free of duplicates.
 * @throws CuadroError `frames-invalid` naming the part that is wrong and what is valid.
 */
export function parseFrames(text: string): FrameRange[] {
  if (text.trim() === '') throw invalid(text, 'it is empty');
  const ranges = text.split(',').map((part) => parsePart(text, part.trim()));
  if (ranges.length > FRAME_RANGES_MAX) throw invalid(text, `it has more than ${FRAME_RANGES_MAX} parts`);
  const total = countFrames(ranges);
  if (total > TASKS_PER_JOB_MAX) {
    throw invalid(text, `it asks for ${total} frames and a job holds ${TASKS_PER_JOB_MAX} at most`);
  }
  const normal = normaliseFrames(ranges);
  if (normal.length > FRAME_RANGES_MAX) {
    throw invalid(text, `its parts overlap so that only ${normal.length} others say the same`);
  }
  return normal;
}

function parsePart(text: string, part: string): FrameRange {
  const match = PART.exec(part);
  if (match === null) throw invalid(text, `"${part}" is not a frame or a range`);
  const start = Number(match[1]);
  const end = match[2] === undefined ? start : Number(match[2]);
  const step = match[3] === undefined ? 1 : Number(match[3]);
  if (Math.abs(start) > FRAME_NUMBER_LIMIT || Math.abs(end) > FRAME_NUMBER_LIMIT) {
    throw invalid(text, `"${part}" goes beyond frame ${FRAME_NUMBER_LIMIT}`);
  }
  if (end < start) throw invalid(text, `"${part}" ends before it starts`);
  if (step < 1) throw invalid(text, `the step of "${part}" must be 1 or more`);
  const last = start + Math.floor((end - start) / step) * step;
  // The step of a single frame says nothing, and may be larger than a plan can hold.
  return { start, end: last, step: last === start ? 1 : step };
}

function invalid(text: string, why: string): CuadroError {
  return new CuadroError('frames-invalid', { text: text.slice(0, 80), why });
}

/** Sorted, without duplicates and with the fewest ranges that say so. */
export function normaliseFrames(ranges: readonly FrameRange[]): FrameRange[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start || a.end - b.end || a.step - b.step);
  const overlaps = sorted.some((range, i) => i > 0 && range.start <= (sorted[i - 1] as FrameRange).end);
  if (!overlaps) return sorted;
  if (sorted.every((range) => range.step === 1)) return joinRanges(sorted);
  return framesToRanges([...new Set(eachFrame(sorted))].sort((a, b) => a - b));
}

function joinRanges(sorted: readonly FrameRange[]): FrameRange[] {
  const joined: FrameRange[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.start <= last.end + 1) last.end = Math.max(last.end, range.end);
    else joined.push({ ...range });
  }
  return joined;
}

/** The ranges that hold exactly the given ascending numbers. */
export function framesToRanges(frames: readonly number[]): FrameRange[] {
  const ranges: FrameRange[] = [];
  for (const frame of frames) {
    const last = ranges.at(-1);
    if (last === undefined) ranges.push({ start: frame, end: frame, step: 1 });
    else if (last.start === last.end) Object.assign(last, { end: frame, step: frame - last.start });
    else if (frame === last.end + last.step) last.end = frame;
    else ranges.push({ start: frame, end: frame, step: 1 });
  }
  return ranges.flatMap(splitPair);
}

/** Two frames with a gap read better as two frames than as a range with a step. */
function splitPair(range: FrameRange): FrameRange[] {
  if (range.step === 1 || countRange(range) !== 2) return [range];
  return [range.start, range.end].map((frame) => ({ start: frame, end: frame, step: 1 }));
}

/** The text that `parseFrames` reads back: `1-10`, `1-9:2`, `1,3,7-9`. */
export function formatFrames(ranges: readonly FrameRange[]): string {
  return ranges
    .map(({ start, end, step }) => {
      if (start === end) return `${start}`;
      return step === 1 ? `${start}-${end}` : `${start}-${end}:${step}`;
    })
    .join(',');
}
