import type { PeerId } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { Lease } from './machine.ts';
import { BEACON_STALE_MS, SUBSTITUTE_PAUSE_MAX_MS, SUBSTITUTE_PAUSE_MS } from './options.ts';
import type { BrainState } from './state.ts';

/** Which machines can be reached, as results need it to be known (SPEC R59). */

export function isWithinReach(state: BrainState, peer: PeerId): boolean {
  if (peer === state.self || state.connected.has(peer)) return true;
  const machine = state.machines.get(peer);
  if (machine === undefined || machine.reachable) return machine !== undefined;
  // Heard by way of others it is there for as long as it goes on being heard.
  return machine.relayed === true && state.now - machine.heardAt < BEACON_STALE_MS;
}

/** Since when a machine is out of reach; one never met in this reign, since the reign began. */
export function awaySince(state: BrainState, peer: PeerId): number | undefined {
  if (isWithinReach(state, peer)) return undefined;
  const began = state.reign.role === 'leading' ? state.reign.since : state.now;
  return state.machines.get(peer)?.awaySince ?? began;
}

/** A machine came within reach or went out of it. */
export function reachChanged(state: BrainState, isBack: boolean): void {
  const { reign } = state;
  if (reign.role !== 'leading') return;
  // What one that is back holds counts at once; a short absence is no reason to look at every result.
  if (isBack) reign.awayCheckAt = state.now;
  else reign.holdersCheckAt = Math.min(reign.holdersCheckAt, state.now + state.options.holderAwayMs);
}

/** A substitute that failed or was lost says nothing against the result that there is: another is tried later. */
export function substituteFailed(state: BrainState, job: Job, { index }: Pick<Lease, 'index'>): void {
  const away = job.away.get(index);
  if (away === undefined) return;
  const pause = Math.min(SUBSTITUTE_PAUSE_MS * 2 ** away.failed, SUBSTITUTE_PAUSE_MAX_MS);
  away.failed++;
  away.notBefore = state.now + pause;
  job.away.substitutes.delete(index);
}
