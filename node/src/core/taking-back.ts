import { compareText, type PeerId } from '@cuadro/protocol';
import type { Job } from './job.ts';
import { releaseLease, takeBack } from './leases.ts';
import { isRunning, type Machine } from './machine.ts';
import type { BrainState } from './state.ts';

/** Many leases are taken back at once: of a machine, of a job, or of a reign that has ended. */

/** Leases that this node took back when it only mirrored them (SPEC R114). */
export function forgetTakenBack(state: BrainState, machine: Machine): void {
  for (const lease of [...machine.leases.values()]) {
    if (lease.stopping !== undefined) releaseLease(state, machine, lease);
  }
}

/** Takes back what a machine holds: all of it, or only what it hasn't begun. */
export function takeBackFrom(state: BrainState, peer: PeerId, which: 'all' | 'ahead', reason: string): void {
  const machine = state.machines.get(peer);
  if (machine === undefined) return;
  const leases = [...machine.leases.values()].filter(
    (lease) => which === 'all' || !isRunning(machine, lease),
  );
  for (const lease of leases) takeBack(state, lease, reason);
}

/** Takes back what of a job is granted, in a fixed order: all of it, or only what hasn't begun. */
export function takeBackJob(state: BrainState, job: Job, which: 'all' | 'ahead', reason: string): void {
  const leases = [...job.leases.values()].sort((a, b) => a.index - b.index || compareText(a.key, b.key));
  const wanted = leases.filter((lease) => {
    const machine = state.machines.get(lease.peer);
    return which === 'all' || machine === undefined || !isRunning(machine, lease);
  });
  for (const lease of wanted) takeBack(state, lease, reason);
}
