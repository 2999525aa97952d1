/** What the machine says about memory. */

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** Bytes of resident memory at which a process is ended: a share of what this machine, or container, has. */
export function memoryBound(share: number): number {
  const constrained = process.constrainedMemory();
  const total = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(total * share);
}

/** How many processes the kernel has killed for want of memory since boot; 0 where it doesn't say. */
export function oomKillCount(): number {
  try {
    const found = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'));
    return Number(found?.[1] ?? 0);
  } catch {
    return 0;
  }
}
