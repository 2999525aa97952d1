import type { PeerId } from '@cuadro/protocol';
import type { Logger } from '../system/interface.ts';
import type { RefusedCount } from './interface.ts';
import { REASONS_MAX } from './limits.ts';

/** Counts what peers sent that was of no use, by reason, and names the last sender of each (SPEC R3). */
export class Refusals {
  readonly #counts = new Map<string, { count: number; peer: PeerId | undefined }>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  count(reason: string, peer: PeerId): void {
    const entry = this.#counts.get(reason);
    // Each sender of a reason is logged when it takes over, not with each message: a flood must not fill the log.
    if (entry?.peer !== peer) this.#logger.warn('A member sent what can not be used.', { reason, peer });
    if (entry !== undefined) {
      entry.count += 1;
      entry.peer = peer;
    } else if (this.#counts.size < REASONS_MAX) {
      this.#counts.set(reason, { count: 1, peer });
    }
  }

  counts(): Readonly<Record<string, RefusedCount>> {
    return Object.fromEntries([...this.#counts].map(([reason, entry]) => [reason, { ...entry }]));
  }
}
