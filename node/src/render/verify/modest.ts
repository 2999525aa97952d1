import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Rounds until no thread was left out: one may be born of another that hadn't been told yet. */
const ROUNDS_MAX = 10;

/**
 * Gives all threads of this process at least this niceness. Linux counts it by thread: new ones take it from the one
 * that makes them, and those that were there before their process was told keep their own.
 */
export function beModest(niceness: number): void {
  try {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const eager = threads().filter((thread) => getPriority(thread) < niceness);
      if (eager.length === 0) return;
      for (const thread of eager) setPriority(thread, niceness);
    }
  } catch {
    // This system forbids it, or a thread has just ended: then some of them go on with the node's own priority.
  }
}

function threads(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
}
