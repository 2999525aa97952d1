import type { Random } from '../system/interface.ts';
import type { MeshLimits } from './limits.ts';

/**
 * How long to wait before the next attempt to reach a member, after so many failed ones: doubling, and between half
 * and whole, so that a farm that starts together does not knock together. The higher of two peer ids takes twice as
 * long, since the lower is to dial.
 */
export function pauseMs(
  failures: number,
  isLower: boolean,
  random: Random,
  limits: Pick<MeshLimits, 'pauseMs' | 'pauseMaxMs'>,
): number {
  const doubled = limits.pauseMs * 2 ** Math.min(Math.max(failures - 1, 0), 16);
  const wholeMs = Math.min(doubled, limits.pauseMaxMs) * (isLower ? 1 : 2);
  return wholeMs * (0.5 + random.float() / 2);
}
