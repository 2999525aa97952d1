import type { PeerId } from '@cuadro/protocol';
import type { Machine } from './machine.ts';

/**
 * Which machines hold leases, and which have room for more: each step asks for the earliest end of a lease and for whom
 * something could be granted, and a farm may have a thousand machines, of which few matter at a time.
 */
export class LeaseHolders {
  readonly #self: PeerId;
  /** Others that hold leases, in the order in which they were heard last, or were granted the first of these since. */
  readonly #holders = new Set<Machine>();
  readonly #refused = new Set<Machine>();
  readonly #withRoom = new Set<Machine>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  /** Machines that claim more than they hold, in no order of meaning. */
  get withRoom(): ReadonlySet<Machine> {
    return this.#withRoom;
  }

  /** Its claim or what it holds changed. */
  changed(machine: Machine): void {
    if (machine.leases.size < (machine.claim?.wants ?? 0)) this.#withRoom.add(machine);
    else this.#withRoom.delete(machine);
    if (machine.peer === this.#self) return;
    if (machine.leases.size === 0) this.#holders.delete(machine);
    else this.#holders.add(machine);
  }

  /** A sign of life came now: its leases end later than those of all others. */
  heard(machine: Machine): void {
    this.#refused.delete(machine);
    this.mirrored(machine);
  }

  /** The coordinator's row tells so. */
  mirrored(machine: Machine): void {
    if (this.#holders.delete(machine)) this.#holders.add(machine);
  }

  /** A redial was refused, so that its leases may end before their time. */
  refused(machine: Machine): void {
    this.#refused.add(machine);
  }

  /** Machines of which one has the lease that ends first, unless all that hold any are heard meanwhile. */
  *first(): Generator<Machine> {
    for (const machine of this.#holders) {
      yield machine;
      break;
    }
    for (const machine of this.#refused) if (this.#holders.has(machine)) yield machine;
  }
}
