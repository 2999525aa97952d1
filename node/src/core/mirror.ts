import { attemptKey, type PeerId, type Pulse, type PulseRow } from '@cuadro/protocol';
import { adoptLease, releaseLease, renewLease } from './leases.ts';
import { setReachable } from './machine.ts';
import type { BrainState } from './state.ts';

/**
 * What a follower knows of the other machines: the coordinator's rows (SPEC R42). They make all dashboards show the
 * same, and let this node know the grants if it is the next to lead.
 */
export function takeRows(state: BrainState, from: PeerId, { rows }: Pulse): void {
  // Whoever leads may not have heard yet who is out: nothing is held by its word (SPEC R191).
  for (const row of rows) if (row.peer !== state.self && !state.isOut(row.peer)) takeRow(state, from, row);
}

function takeRow(state: BrainState, from: PeerId, row: PulseRow): void {
  const machine = state.machine(row.peer);
  const reachable = row.reachable || row.peer === from;
  if (machine.reachable !== reachable) {
    setReachable(machine, reachable, state.now);
    state.out.farm = true;
  }
  machine.load = row.load;
  machine.freeDiskBytes = row.freeDiskBytes;
  // A row is no sign that it can be reached from here: what was refused stays so.
  machine.heardAt = state.now;
  state.holders.mirrored(machine);
  state.out.node(row.peer);
  if (row.held.length === 0 && machine.leases.size === 0) return;
  const listed = new Map(row.held.map((held) => [attemptKey(held.attempt), held]));
  for (const lease of [...machine.leases.values()]) {
    const held = listed.get(lease.key);
    if (held === undefined) releaseLease(state, machine, lease);
    else renewLease(state, lease, held);
  }
  for (const [key, held] of listed) if (!machine.leases.has(key)) adoptLease(state, machine, held);
}
