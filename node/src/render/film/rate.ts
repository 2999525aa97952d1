import { FilmError } from './interface.ts';
import { RATE_MAX, RATE_TERM_MAX } from './limits.ts';

export interface WholeRate {
  readonly numerator: number;
  readonly denominator: number;
}

/**
 * A rate in whole numbers. Blender keeps `fps / fps_base` with a base of single precision (1.0010000467 for NTSC),
 * so that six digits are what it means: 24 / 1.0010000467 is 24000/1001.
 */
export function wholeRate({ numerator, denominator }: WholeRate): WholeRate {
  const rate = numerator / denominator;
  if (!(numerator > 0 && denominator > 0 && rate <= RATE_MAX && rate >= 1 / RATE_MAX)) {
    throw new FilmError(
      'film-bad-request',
      `A film can't have ${numerator}/${denominator} frames per second.`,
    );
  }
  const places = Number.isInteger(numerator) && Number.isInteger(denominator) ? 1 : 1_000_000;
  let [top, bottom] = [Math.round(numerator * places), Math.round(denominator * places)];
  const common = greatestDivisor(top, bottom);
  [top, bottom] = [top / common, bottom / common];
  if (bottom > 0 && top <= RATE_TERM_MAX && bottom <= RATE_TERM_MAX)
    return { numerator: top, denominator: bottom };
  // An odd rate: the nearest thousandth of a frame is far below what a film can show.
  const scaled = Math.max(1, Math.round(rate * 1000));
  const divisor = greatestDivisor(scaled, 1000);
  return { numerator: scaled / divisor, denominator: 1000 / divisor };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? Math.max(1, a) : greatestDivisor(b, a % b);
}
