import type { Leading } from './reign.ts';
import type { BrainState } from './state.ts';

/**
 * Self-doubt (DESIGN.md section 4): after its own time stood still a node moves all deadlines by the gap, and hears
 * a member before it stands, grants or accuses. Whoever is connected to nobody has nobody to wait for.
 */
export function takeGap(state: BrainState, ms: number): void {
  if (!(ms > 0)) return;
  for (const machine of state.machines.values()) {
    machine.heardAt += ms;
    machine.leasedAt += ms;
    if (machine.awaySince !== undefined) machine.awaySince += ms;
    if (machine.beaconAt !== undefined) machine.beaconAt += ms;
    if (machine.refusedUntil !== undefined) machine.refusedUntil += ms;
  }
  state.worker.postpone(ms);
  const { reign } = state;
  if (reign.role === 'leading') {
    // Answers that came meanwhile are still to be read.
    if (reign.collecting !== undefined) reign.collecting.until += ms;
    reign.since += ms;
    reign.holdersCheckAt += ms;
    if (ms >= state.options.pulseIntervalMs * state.options.pulsesMissedMax) forgetFollowers(state, reign);
  } else if (reign.role === 'looking') {
    reign.since += ms;
    if (reign.metAt !== undefined) reign.metAt += ms;
  } else {
    reign.heardAt += ms;
    if (reign.cutAt !== undefined) reign.cutAt += ms;
    if (reign.refusedAt !== undefined) reign.refusedAt += ms;
    if (reign.askedAt !== undefined) reign.askedAt += ms;
  }
  const others = state.reachableOthers();
  state.inDoubt = others.length > 0;
  // All of a farm may have stood still at once: were each only to listen, nobody would ever say anything (SPEC R180).
  const { claim } = state.machine(state.self);
  if (claim !== undefined) for (const peer of others) state.out.send(peer, claim);
}

/**
 * Meanwhile a successor may have stood, and this node's followers may be with it: were they still counted here, a
 * coordinator that slept would win when the two meet, and unseat the one that has the farm (SPEC R115). What its
 * sockets hold was said before, so only beacons from the next ones on prove a follower.
 */
function forgetFollowers(state: BrainState, reign: Leading): void {
  reign.followersFrom = state.now + state.options.beaconIntervalMs;
}
