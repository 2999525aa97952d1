import type { Rest } from '@cuadro/protocol';
import type { Changes } from '../core/interface.ts';
import type { Startable } from '../system/interface.ts';

/** What the machine says of itself beside the work that it takes. */
export interface ToldRest {
  accepting: boolean;
  idleReason?: string;
  /** What keeps it from taking work; absent while nothing does. */
  idleKind?: Exclude<Rest, 'owner' | 'farm'>;
}

/**
 * This machine's diary (SPEC R125, R126): it is started after the driver and the network, and stopped before them, so
 * that its last entry is still told to the others.
 */
export interface Diary extends Startable {
  /** Something changed in the brain; cheap. */
  changed(changes: Pick<Changes, 'nodes' | 'diary'>): void;
  /** What this machine can do was told to the brain. */
  worker(told: ToldRest): void;
}
