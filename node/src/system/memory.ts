import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { performance } from 'node:perf_hooks';
import type { Clock, Startable } from './interface.ts';

/** How often the loop is looked at: a node that has started gives its memory back within seconds. */
const lookMs = 1_000;
/** Share of its time that a quiet loop is busy: rendering, a transfer and an open dashboard all stay above it. */
const quietShareMax = 0.05;
/**
 * Young generation that is worth a collection, in bytes. A start leaves 22 MB, and a quiet node takes hours to
 * come to 4 MB again.
 */
const youngBytesMin = 4_000_000;
/** Least time between two collections: what is busy and quiet by turns would only get its memory again. */
const pauseMs = 60_000;
/**
 * Heap above which nothing is collected, in bytes. The loop stands still meanwhile, about 2 ms for each MB: a
 * fifth of a second here, which no lease and no pulse minds. Of a greater heap the gain is a small part.
 */
const usedBytesMax = 96_000_000;

/** What is asked of the machine; tests bring their own. */
export interface MemoryProbe {
  /** Share of the time since the last call that the loop was busy, 0 to 1. */
  busyShare(): number;
  youngBytes(): number;
  usedBytes(): number;
  collect(): void;
}

/**
 * Gives back what a burst of work left behind: V8 lets its young generation grow to tens of megabytes and shrinks it
 * only in a full collection, of which it makes none while nothing happens.
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
    if (isQuiet && clock.now() >= notBefore && isWorthIt(probe)) {
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
  probe.youngBytes() >= youngBytesMin && probe.usedBytes() <= usedBytesMax;

/** Reads this process, and collects in it. */
export function createMemoryProbe(): MemoryProbe {
  let last = performance.eventLoopUtilization();
  let collect: ((options: object) => void) | undefined;
  return {
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    youngBytes: () =>
      getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.physical_space_size ?? 0,
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: () => {
      if (collect === undefined) {
        // A context made after the flag has the function; the node's own, made before it, never shows it.
        setFlagsFromString('--expose-gc');
        collect = runInNewContext('gc') as (options: object) => void;
        setFlagsFromString('--no-expose-gc');
      }
      // Only this flavour shrinks the young generation too.
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    },
  };
}
