import type { Claim, PeerId } from '@cuadro/protocol';
import type { CoreEffect, CoreInput } from './interface.ts';
import { takeBackFrom } from './taking-back.ts';
import type { BrainState } from './state.ts';

/** Standing claims (SPEC R50): what machines can run and want, this one's own and those of others. */

export function takeOthersClaim(state: BrainState, from: PeerId, claim: Claim, gossiped: boolean): void {
  const machine = state.machine(from);
  const isOld = !gossiped && machine.claimIsOld === true;
  if (claim.peer !== from) state.ignore('foreign-sender');
  else if (!isOld && machine.claim !== undefined && machine.claim.sequence >= claim.sequence) {
    state.ignore('stale-claim');
  } else {
    delete machine.claimIsOld;
    takeClaim(state, claim);
  }
}

/** What this machine's worker can do now: its claim stands until the next one, here and at the others. */
export function sayOwnClaim(state: BrainState, input: Extract<CoreInput, { kind: 'worker' }>): void {
  const { slots, accepting, capabilities, bundles, idleReason } = input;
  state.claimSequence++;
  const claim: Claim = {
    kind: 'claim',
    peer: state.self,
    sequence: state.claimSequence,
    wants: accepting ? slots * (1 + state.options.aheadPerSlot) : 0,
    slots,
    capabilities,
    bundles,
    ...(idleReason !== undefined && { idleReason }),
  };
  takeClaim(state, claim);
  if (state.others().length > 0) state.out.gossip('claims', claim);
  // Up the stream as well, for speed.
  if (state.reign.role === 'following') state.out.send(state.reign.epoch.peer, claim);
}

/** Whether this tells another that a machine wants no tasks. */
export const claimsNothing = (effect: CoreEffect): boolean =>
  (effect.kind === 'send' || effect.kind === 'gossip') &&
  effect.message.kind === 'claim' &&
  effect.message.wants === 0;

function takeClaim(state: BrainState, claim: Claim): void {
  const machine = state.machine(claim.peer);
  const tookWork = machine.claim === undefined || machine.claim.wants > 0;
  machine.claim = claim;
  state.holders.changed(machine);
  machine.dryAt = undefined;
  if (tookWork && claim.wants === 0) {
    takeBackFrom(state, claim.peer, 'ahead', claim.idleReason ?? 'This machine takes no work now.');
  }
  // Others may be allowed what only this machine could, or no longer need to wait for it.
  state.offersChanged();
  state.out.node(claim.peer);
  state.out.farm = true;
}
