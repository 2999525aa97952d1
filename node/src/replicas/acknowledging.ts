import type { JobId, JobRecord } from '@cuadro/protocol';
import type { CoreQueries } from '../core/interface.ts';
import type { Clock } from '../system/interface.ts';
import type { Kept } from './copies-interface.ts';
import type { CopyOptions } from './copy-limits.ts';
import type { CopyPeers } from './copy-peers.ts';
import { JobWaiters } from './job-waiters.ts';
import { jobHolders } from './needs.ts';

export interface AcknowledgingComponents {
  readonly mesh: { readonly self: string };
  readonly queries: Pick<CoreQueries, 'jobRecord'>;
  readonly clock: Clock;
}

export interface AcknowledgingInit {
  readonly peers: Pick<CopyPeers, 'alone' | 'isLive' | 'whyAlone'>;
  readonly options: Pick<CopyOptions, 'acknowledgeMs'>;
  /** Merges a record of this machine's own. */
  readonly merge: (record: JobRecord) => Promise<void>;
}

/** Calls jobs accepted, and has whoever submitted one wait until others hold it (SPEC R60). */
export class Acknowledging {
  readonly #components: AcknowledgingComponents;
  readonly #init: AcknowledgingInit;
  readonly #waiters = new JobWaiters();
  #isStopped = false;

  constructor(components: AcknowledgingComponents, init: AcknowledgingInit) {
    this.#components = components;
    this.#init = init;
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiters.wakeAll();
  }

  /** How many hold it: waits a bounded time for a second one. */
  async acknowledge(job: JobId): Promise<Kept> {
    const { peers, options } = this.#init;
    let late = false;
    const cancel = this.#components.clock.after(options.acknowledgeMs, () => {
      late = true;
      this.#waiters.wake(job);
    });
    try {
      for (;;) {
        const machines = this.#machinesOf(job);
        if (machines >= 2) return { machines, others: 'enough' };
        if (peers.alone) {
          // One copy is all that can be: it counts as accepted, and is labelled so.
          await this.#acknowledgeAlone(job);
          return { machines: 1, others: peers.whyAlone };
        }
        if (late || this.#isStopped) return { machines: 1, others: 'late' };
        await this.#waiters.next(job);
      }
    } finally {
      cancel();
    }
  }

  /** Its holders may be others now. */
  lookAt(record: JobRecord): void {
    this.#callAcknowledged(record);
    this.#waiters.wake(record.id);
  }

  forget(job: JobId): void {
    this.#waiters.wake(job);
  }

  #machinesOf(job: JobId): number {
    const record = this.#components.queries.jobRecord(job);
    return record === undefined ? 1 : jobHolders(record, this.#init.peers.isLive).length;
  }

  async #acknowledgeAlone(job: JobId): Promise<void> {
    const record = this.#components.queries.jobRecord(job);
    if (record === undefined || record.acknowledged || record.deleted !== undefined) return;
    await this.#init.merge({ ...record, acknowledged: true });
  }

  #callAcknowledged(record: JobRecord): void {
    if (record.acknowledged || record.spec.author !== this.#components.mesh.self) return;
    if (jobHolders(record, () => true).length >= 2) void this.#init.merge({ ...record, acknowledged: true });
    else if (this.#init.peers.alone && !this.#waiters.isAwaited(record.id))
      void this.#acknowledgeAlone(record.id);
  }
}
