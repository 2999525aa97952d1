import type { Clock, Logger } from '../system/interface.ts';

/**
 * A write that has been under way for so long says that the disk is slow. One that takes a second is nothing on a
 * machine that renders on all cores, nor is one that waits for another, or for a large file to reach the disk. And the
 * disk is said to be slow well before others take its tasks from this machine, which they do after 30 s (SPEC R131).
 */
export const SLOW_DISK_MS = 10_000;
/** A write that takes no more than this is quick. */
export const QUICK_WRITE_MS = 1_000;
/** For so long every write is to be quick before the disk counts as well again, or it would come and go. */
export const CALM_MS = 15_000;
/** A timer that fires so much too late says that this node stood still, and nothing of the disk. */
const LATE_MS = 1_000;

export const SLOW_DISK = `Its disk took more than ${SLOW_DISK_MS / 1_000} s for one write: it takes no work until it writes quickly again. See whether another program keeps the disk busy, or the disk is failing.`;

export interface DiskWatchComponents {
  clock: Clock;
  logger: Logger;
  /** Writes something small: a machine that takes no work may have nothing else to write. */
  tryDisk(): Promise<void>;
}

/** Tells from the writes under way, the oldest of them above all, whether the disk is slow (SPEC R149). */
export class DiskWatch {
  readonly #components: DiskWatchComponents;
  /** When each write under way began, the oldest first. */
  readonly #underWay = new Set<{ since: number }>();
  readonly #listeners: (() => void)[] = [];
  #isSlow = false;
  #isStopped = false;
  /** One timer: until the disk is slow it waits for a write to take too long, then for the disk to be calm. */
  #cancel: (() => void) | undefined;

  constructor(components: DiskWatchComponents) {
    this.#components = components;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** Why this machine takes no work; undefined while its disk keeps it from none. */
  says(): string | undefined {
    return this.#isSlow ? SLOW_DISK : undefined;
  }

  /** Called whenever the disk has come to be slow, or is well again. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Counts a write from now on until it has ended, in whatever way. */
  async during<T>(write: () => Promise<T>): Promise<T> {
    const { clock } = this.#components;
    const one = { since: clock.now() };
    this.#underWay.add(one);
    if (!this.#isSlow && this.#cancel === undefined) this.#await(SLOW_DISK_MS);
    try {
      return await write();
    } finally {
      this.#underWay.delete(one);
      if (this.#isSlow && clock.now() - one.since > QUICK_WRITE_MS) this.#await(CALM_MS);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #await(ms: number): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isStopped) return;
    const { clock } = this.#components;
    const at = clock.now() + ms;
    this.#cancel = clock.after(ms, () => {
      this.#cancel = undefined;
      if (this.#isSlow) this.#tryAgain();
      else this.#judge(clock.now() - at);
    });
  }

  /** Looks at the oldest write, and again when that one would have taken too long. */
  #judge(lateMs: number): void {
    const now = this.#components.clock.now();
    // After a sleep, or behind a loop that was blocked, a write may have ended that nobody has heard of yet.
    if (lateMs >= LATE_MS) for (const one of this.#underWay) one.since = now;
    const tookMs = this.#oldestMs();
    if (tookMs === undefined) return;
    if (tookMs < SLOW_DISK_MS) this.#await(SLOW_DISK_MS - tookMs);
    else this.#change(true);
  }

  /** Every write was quick for a while, or is under way yet: then its end has the disk awaited anew. */
  #tryAgain(): void {
    if ((this.#oldestMs() ?? 0) > QUICK_WRITE_MS) return;
    const { clock } = this.#components;
    const since = clock.now();
    this.#components.tryDisk().then(
      () => {
        // A slow one that ended meanwhile has the disk awaited anew.
        if (clock.now() - since <= QUICK_WRITE_MS && this.#cancel === undefined) this.#change(false);
      },
      // What can't be written is told to whoever needs it written.
      () => this.#await(CALM_MS),
    );
  }

  #oldestMs(): number | undefined {
    const [oldest] = this.#underWay;
    return oldest === undefined ? undefined : this.#components.clock.now() - oldest.since;
  }

  #change(isSlow: boolean): void {
    if (this.#isStopped || this.#isSlow === isSlow) return;
    this.#isSlow = isSlow;
    const { logger } = this.#components;
    if (isSlow)
      logger.warn('The disk takes long to write. This machine takes no work until it writes quickly again.', {
        writingMs: Math.round(this.#oldestMs() ?? 0),
      });
    else logger.info('The disk writes quickly again, and this machine takes work.');
    if (!isSlow) this.#judge(0);
    for (const listener of this.#listeners) listener();
  }
}
