import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { performance } from 'node:perf_hooks';
import type { Clock, Startable } from './interface.ts';

/** How often the loop is looked at: a node that has started gives its memory back within seconds. */
const lookMs = 1_000;
/** Share of its time that a quiet loop is busy: rendering, a transfer and an open dashboard all stay above it. */
const quietShareMax = 0.05;
/**
 * Share of its wish to run that the loop's thread may spend waiting for a core. Where others want all cores a collection
 * of a fifth of a second takes seconds, and the node is taken for lost: four stood still for 3 s on a pegged machine.
 */
const waitingShareMax = 0.5;
/**
 * Young generation that is worth a collection, in bytes. A start leaves 22 MB, and a quiet node takes hours to
 * come to 4 MB again.
 */
const youngBytesMin = 4_000_000;
/**
 * Pages of the heap with nothing in them that are worth a collection, in bytes: V8 keeps those that its own collections
 * empty, more than 100 MB after a start with a million tasks.
 */
const idleBytesMin = 16_000_000;
/** Least time between two collections: what is busy and quiet by turns would only get its memory again. */
const pauseMs = 60_000;
/**
 * Heap above which nothing is collected, in bytes. The loop stands still meanwhile, for 2 ms of each MB that is still in
 * use. That is known only afterwards: after a start with 100,000 tasks 40 of 160 MB are, and it takes a fifth of a second.
 * At worst it is all of it, 0.4 s, which no lease and no pulse minds: a member counts as silent after 3.5 s.
 */
const usedBytesMax = 200_000_000;

/**
 * Full collections through which V8 keeps the compiled code of a function that nobody calls: 6 by itself, which a node
 * that does little does not see in a day. What a start alone needed goes with the first, 2 MB.
 */
const bytecodeAge = { usual: 6, quiet: 1 };

/** What is asked of the machine; tests bring their own. */
export interface MemoryProbe {
  /** Share of the time since the last call that the loop was busy, 0 to 1. */
  busyShare(): number;
  /** Share of the time since the last call in which the loop's thread wanted to run and waited for a core, 0 to 1. */
  waitingShare(): number;
  youngBytes(): number;
  /** Of the heap's pages, where nothing is in use. */
  idleBytes(): number;
  usedBytes(): number;
  collect(): void;
}

/**
 * Gives back what a burst of work left behind: V8 lets its young generation grow to tens of megabytes, keeps the pages
 * that it emptied, and gives both back only in a full collection, of which it makes none while nothing happens.
 */
export function createMemoryKeeper(
  components: { clock: Pick<Clock, 'now' | 'after'> },
  init: { probe?: MemoryProbe } = {},
): Startable {
  const { clock } = components;
  const probe = init.probe ?? createMemoryProbe();
  let cancel: (() => void) | undefined;
  let notBefore = clock.now();
  const look = (): void => {
    const isQuiet = probe.busyShare() <= quietShareMax;
    const isServed = probe.waitingShare() <= waitingShareMax;
    if (isQuiet && isServed && clock.now() >= notBefore && isWorthIt(probe)) {
      probe.collect();
      notBefore = clock.now() + pauseMs;
      // What the collection itself took is not to count as being busy.
      probe.busyShare();
    }
    cancel = clock.after(lookMs, look);
  };
  return {
    async start() {
      cancel ??= clock.after(lookMs, look);
    },
    async stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}

const isWorthIt = (probe: MemoryProbe): boolean =>
  (probe.youngBytes() >= youngBytesMin || probe.idleBytes() >= idleBytesMin) &&
  probe.usedBytes() <= usedBytesMax;

/** Nanoseconds for which the main thread ran, and for which it waited for a core; undefined where no system tells. */
function scheduled(): { ranNs: number; waitedNs: number } | undefined {
  try {
    const [ranNs, waitedNs] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number);
    return ranNs === undefined || waitedNs === undefined ? undefined : { ranNs, waitedNs };
  } catch {
    return undefined;
  }
}

/** Reads this process, and collects in it. */
export function createMemoryProbe(): MemoryProbe {
  let last = performance.eventLoopUtilization();
  let lastScheduled = scheduled();
  let collect: ((options: object) => void) | undefined;
  return {
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    waitingShare: () => {
      const [before, now] = [lastScheduled, scheduled()];
      lastScheduled = now;
      if (before === undefined || now === undefined) {
        return (loadavg()[0] ?? 0) >= availableParallelism() ? 1 : 0;
      }
      const waitedNs = now.waitedNs - before.waitedNs;
      const wantedNs = waitedNs + now.ranNs - before.ranNs;
      return wantedNs > 0 ? waitedNs / wantedNs : 0;
    },
    youngBytes: () =>
      getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.physical_space_size ?? 0,
    idleBytes: () => {
      const { total_physical_size: physicalBytes, used_heap_size: usedBytes } = getHeapStatistics();
      return physicalBytes - usedBytes;
    },
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: () => {
      if (collect === undefined) {
        // A context made after the flag has the function; the node's own, made before it, never shows it.
        setFlagsFromString('--expose-gc');
        collect = runInNewContext('gc') as (options: object) => void;
        setFlagsFromString('--no-expose-gc');
      }
      setFlagsFromString(`--bytecode-old-age=${bytecodeAge.quiet}`);
      // Only this flavour shrinks the young generation too.
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      setFlagsFromString(`--bytecode-old-age=${bytecodeAge.usual}`);
    },
  };
}
