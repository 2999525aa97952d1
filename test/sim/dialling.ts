import type { PeerId } from '@cuadro/protocol';
import { defaultMeshLimits } from '../../node/src/mesh/limits.ts';
import type { SimWire } from './wire.ts';

interface Attempt {
  failures: number;
  isArmed: boolean;
}

/** Reaches members again and again, with the pauses of the real mesh, and tells how it went. */
export class Dialling {
  readonly #wire: SimWire;
  readonly #attempts = new Map<PeerId, Map<PeerId, Attempt>>();

  constructor(wire: SimWire) {
    this.#wire = wire;
  }

  /** Plans the next attempt of `from` to reach `to`, unless one is planned or not wanted. */
  arm(from: PeerId, to: PeerId, delayMs: number): void {
    const attempt = this.#attempt(from, to);
    if (attempt.isArmed || !this.#wants(from, to)) return;
    attempt.isArmed = true;
    // The higher of two ids leaves the dialling to the lower for a while.
    const yieldMs = from < to ? 0 : 20;
    this.#wire.timeline.after(delayMs + yieldMs + this.#wire.dice.between(0, 5), () => {
      attempt.isArmed = false;
      if (this.#wants(from, to)) this.#try(from, to, attempt);
    });
  }

  #attempt(from: PeerId, to: PeerId): Attempt {
    let attempts = this.#attempts.get(from);
    if (attempts === undefined) this.#attempts.set(from, (attempts = new Map<PeerId, Attempt>()));
    let attempt = attempts.get(to);
    if (attempt === undefined) attempts.set(to, (attempt = { failures: 0, isArmed: false }));
    return attempt;
  }

  #wants(from: PeerId, to: PeerId): boolean {
    const { mesh } = this.#wire.of(from);
    if (mesh?.running !== true || !mesh.isMember(to) || !mesh.knowsAddressOf(to)) return false;
    return this.#wire.pair(from, to).session?.isOpen(from) !== true;
  }

  #isSilent(from: PeerId, to: PeerId): boolean {
    const { powered, host } = this.#wire.of(to);
    return this.#wire.way(from, to).isCut || this.#wire.way(to, from).isCut || !powered || host.isStalled;
  }

  #try(from: PeerId, to: PeerId, attempt: Attempt): void {
    const { timeline, dice } = this.#wire;
    const station = this.#wire.of(from);
    const after = (delayMs: number, run: () => void): void => {
      attempt.isArmed = true;
      timeline.after(delayMs, () => {
        attempt.isArmed = false;
        station.host.deliver(() => {
          if (this.#wants(from, to)) run();
        });
      });
    };
    if (this.#isSilent(from, to)) {
      after(defaultMeshLimits.connectMs, () => {
        station.mesh?.become(to, 'silent');
        this.#again(from, to, attempt);
      });
      return;
    }
    const roundTripMs = this.#wire.way(from, to).latency(dice) + this.#wire.way(to, from).latency(dice);
    after(roundTripMs, () => {
      const other = this.#wire.of(to).mesh;
      if (this.#isSilent(from, to)) return this.#again(from, to, attempt);
      if (other?.running !== true) {
        station.mesh?.become(to, 'refused');
        return this.#again(from, to, attempt);
      }
      if (station.mesh?.accepts(other) !== true || !other.accepts(station.mesh)) {
        station.mesh?.turnedAwayBy(to);
        return this.#again(from, to, attempt);
      }
      attempt.failures = 0;
      this.#wire.connect(from, to);
    });
  }

  #again(from: PeerId, to: PeerId, attempt: Attempt): void {
    attempt.failures += 1;
    const { pauseMs, pauseMaxMs } = defaultMeshLimits;
    const wholeMs = Math.min(pauseMs * 2 ** Math.min(attempt.failures - 1, 10), pauseMaxMs);
    this.arm(from, to, wholeMs * (from < to ? 1 : 2) * (0.5 + this.#wire.dice.float() / 2));
  }
}
