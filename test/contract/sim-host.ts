import { Dice } from '../sim/dice.ts';
import { Host } from '../sim/host.ts';

/** A simulated machine whose time passes as soon as everything else is done: for the contracts of its disk. */
export function hostAtOnce(): { host: Host; dice: Dice } {
  const host = new Host({
    now: 0,
    after: (_delayMs, run) => {
      const planned = setImmediate(run);
      return () => clearImmediate(planned);
    },
  });
  host.begin();
  return { host, dice: new Dice(1n) };
}
