import type { Lease } from './machine.ts';
import type { BrainState } from './state.ts';

/** Tells the machine to stop what was taken back. */
export function stop(state: BrainState, lease: Lease, reason: string): void {
  lease.stopping = { reason, toldAt: state.now };
  state.out.stops.push({ peer: lease.peer, attempt: lease.attempt, reason });
}

/**
 * A beacon lists what was taken back. It may have been under way since before, or the attempt takes a while to end. But
 * the word may be lost as well, and who has not heard it gives back each new grant of the task (SPEC R146).
 */
export function stopAgain(state: BrainState, lease: Lease): void {
  const { stopping } = lease;
  if (stopping === undefined || state.now - stopping.toldAt < state.options.beaconIntervalMs / 2) return;
  stop(state, lease, stopping.reason);
}
