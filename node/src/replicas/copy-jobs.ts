import type { JobId, JobRecord } from '@cuadro/protocol';
import type { Need } from './copy-desk.ts';
import type { CopyPeers } from './copy-peers.ts';
import type { CopyRepairs } from './copy-repairs.ts';
import { type CopyRule, jobNeedsCopy } from './needs.ts';

type JobNeed = Extract<Need, { kind: 'job' }>;

export interface CopyJobsComponents {
  readonly mesh: { readonly self: string };
  readonly queries: { jobRecord(job: JobId): JobRecord | undefined };
}

export interface CopyJobsInit {
  readonly rule: () => CopyRule;
  readonly isUnderWay: (need: Need) => boolean;
  readonly peers: Pick<CopyPeers, 'isLeaving' | 'isLive'>;
  readonly repairs: Pick<CopyRepairs, 'isOfJob' | 'isJobReady' | 'takeJob'>;
}

/** The jobs whose content needs copies that this machine is to ask for. */
export class CopyJobs {
  readonly #components: CopyJobsComponents;
  readonly #init: CopyJobsInit;
  readonly #jobs = new Set<JobId>();

  constructor(components: CopyJobsComponents, init: CopyJobsInit) {
    this.#components = components;
    this.#init = init;
  }

  get count(): number {
    return this.#jobs.size;
  }

  lookAt(record: JobRecord): void {
    if (jobNeedsCopy(record, this.#components.mesh.self, this.#init.rule())) this.#jobs.add(record.id);
    else this.#jobs.delete(record.id);
  }

  forget(job: JobId): void {
    this.#jobs.delete(job);
  }

  /** What is new goes at once; what was on other machines before waits for its turn. */
  offer(ask: (need: JobNeed) => boolean): void {
    for (const job of this.#jobs) this.#askFor(job, ask);
  }

  #askFor(job: JobId, ask: (need: JobNeed) => boolean): void {
    const { peers, repairs, isUnderWay } = this.#init;
    const record = this.#components.queries.jobRecord(job);
    const need = { kind: 'job', job } as const;
    if (record === undefined || isUnderWay(need)) return;
    const isRepair = !peers.isLeaving && repairs.isOfJob(record, peers.isLive);
    if (isRepair && !repairs.isJobReady(record)) return;
    ask(need);
    // Where nobody could be asked, nothing goes out, and nothing is paid for.
    if (isRepair && isUnderWay(need)) repairs.takeJob(job);
  }
}
