import type { CoreEffect } from '../core/interface.ts';
import type { Message, PeerId } from '@cuadro/protocol';

/** A beacon that waits for a write which began so long ago is stood in for, in milliseconds: a healthy disk takes less. */
const SLOW_WRITE_MS = 1_000;
/** A disk that has written nothing for so long may never do so: whoever waits for it is to go on without, in milliseconds. */
const STUCK_WRITE_MS = 30_000;

type Beacon = Extract<Message, { kind: 'beacon' }>;

interface SentBeacon {
  kind: 'send';
  to: PeerId;
  message: Beacon;
}

/**
 * A beacon waits, as everything else that is said, for the writes before it: else it could leave out a task whose
 * result has not been sent. While that takes seconds, what was said last still holds, since each task that it lists is
 * either under way or its end is being written: so it is said again (SPEC R131).
 */
export class LastBeacon {
  #said: SentBeacon | undefined;

  /** This was sent. */
  note(effect: CoreEffect): void {
    if (isBeacon(effect)) this.#said = effect;
  }

  /**
   * What to say now, if anything, where this effect waits for a write that began `writingMs` ago. None for another
   * reign than the beacon before: there it could be the answer to a collection, and would leave out what came since.
   */
  inPlaceOf(effect: CoreEffect, writingMs: number): CoreEffect | undefined {
    const said = this.#said;
    if (!isBeacon(effect) || said === undefined) return undefined;
    if (writingMs < SLOW_WRITE_MS || writingMs > STUCK_WRITE_MS) return undefined;
    return effect.to === said.to && isSameReign(effect.message, said.message) ? said : undefined;
  }
}

const isBeacon = (effect: CoreEffect): effect is SentBeacon =>
  effect.kind === 'send' && effect.message.kind === 'beacon';

const isSameReign = ({ follows: a }: Beacon, { follows: b }: Beacon): boolean =>
  a !== undefined && a.peer === b?.peer && a.term === b.term;
