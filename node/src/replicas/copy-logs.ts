import type { Failure, JobId, TaskIndex, TaskRecord } from '@cuadro/protocol';
import type { BlobStore } from '../blobs/interface.ts';
import type { Need } from './copy-desk.ts';
import { CopyMarks } from './copy-marks.ts';
import type { CopyRepairs } from './copy-repairs.ts';
import { type CopyRule, failureToCopy } from './needs.ts';

type LogNeed = Extract<Need, { kind: 'log' }>;

export interface LogsComponents {
  readonly mesh: { readonly self: string };
  readonly queries: { taskRecord(job: JobId, index: TaskIndex): TaskRecord | undefined };
  readonly blobs: Pick<BlobStore, 'has'>;
}

export interface LogsInit {
  readonly rule: () => CopyRule;
  /** A machine that leaves is waited for by a person: nothing that it gives away waits for its turn. */
  readonly isLeaving: () => boolean;
  readonly isUnderWay: (need: Need) => boolean;
  readonly repairs: Pick<CopyRepairs, 'isReady' | 'spend'>;
}

/** The tasks of which a failed attempt's log needs a copy that this machine is to ask for (SPEC R133). */
export class CopyLogs {
  readonly #components: LogsComponents;
  readonly #init: LogsInit;
  readonly #new = new CopyMarks();
  /** Those with a log that was on another machine before. */
  readonly #repairs = new CopyMarks();

  constructor(components: LogsComponents, init: LogsInit) {
    this.#components = components;
    this.#init = init;
  }

  get count(): number {
    return this.#new.count + this.#repairs.count;
  }

  lookAt(job: JobId, index: TaskIndex, task: TaskRecord | undefined, rule: CopyRule): void {
    const failure = failureToCopy(task, this.#components.mesh.self, rule);
    const isRepair = failure !== undefined && this.#isRepair(failure);
    const [marks, others] = isRepair ? [this.#repairs, this.#new] : [this.#new, this.#repairs];
    others.delete(job, index);
    if (failure === undefined) marks.delete(job, index);
    else if (!this.#init.isUnderWay({ kind: 'log', job, index })) marks.add(job, index);
  }

  forget(job: JobId): void {
    this.#new.forget(job);
    this.#repairs.forget(job);
  }

  /** What is new goes at once; of the rest one at a time, since its size is known only once it was looked at. */
  offer(ask: (need: LogNeed) => boolean): void {
    this.#new.offer((job, index) => ask({ kind: 'log', job, index }));
    let isTurnOver = false;
    this.#repairs.offer((job, index) => {
      if (isTurnOver || !this.#init.repairs.isReady) return false;
      const need: LogNeed = { kind: 'log', job, index };
      const asked = ask(need);
      isTurnOver = this.#init.isUnderWay(need);
      if (isTurnOver) void this.#pay(need);
      return asked;
    });
  }

  #isRepair({ holders = {} }: Failure): boolean {
    return !this.#init.isLeaving() && Object.keys(holders).length > 1;
  }

  async #pay({ job, index }: LogNeed): Promise<void> {
    const { blobs, mesh, queries } = this.#components;
    const failure = failureToCopy(queries.taskRecord(job, index), mesh.self, this.#init.rule());
    const info = failure?.log === undefined ? undefined : await blobs.has(failure.log).catch(() => undefined);
    this.#init.repairs.spend(info?.sizeBytes ?? 0);
  }
}
