import type { AttemptId, JobId, KnownRecord, Message, PeerId, TaskIndex } from '@cuadro/protocol';
import type { Changes, CoreEffect } from './interface.ts';
import type { Lease } from './machine.ts';

/** What one step gives: records to persist, messages, changes. */
export class StepOutput {
  readonly effects: CoreEffect[] = [];
  readonly persist = new Map<string, KnownRecord>();
  readonly removed = new Set<string>();
  /** Keys of the persisted records that this node itself changed: they go out to the others. */
  readonly own = new Set<string>();
  term: number | undefined;
  farm = false;
  members = false;
  diary = false;
  /** Grants by machine, so that one message carries them. */
  readonly grants = new Map<PeerId, Lease[]>();
  readonly stops: { peer: PeerId; attempt: AttemptId; reason: string }[] = [];
  readonly #jobs = new Set<JobId>();
  readonly #removedJobs = new Set<JobId>();
  readonly #tasks = new Map<JobId, Set<TaskIndex>>();
  readonly #nodes = new Set<PeerId>();

  job(id: JobId): void {
    this.#jobs.add(id);
  }

  jobRemoved(id: JobId): void {
    this.#removedJobs.add(id);
  }

  task(job: JobId, index: TaskIndex): void {
    const indices = this.#tasks.get(job);
    if (indices === undefined) this.#tasks.set(job, new Set([index]));
    else indices.add(index);
  }

  node(peer: PeerId): void {
    this.#nodes.add(peer);
  }

  send(to: PeerId, message: Message): void {
    this.effects.push({ kind: 'send', to, message });
  }

  gossip(topic: 'claims' | 'pulse', message: Message): void {
    this.effects.push({ kind: 'gossip', topic, message });
  }

  /** Machines that changed in this step. */
  get nodes(): ReadonlySet<PeerId> {
    return this.#nodes;
  }

  /** Whether nothing was put into it: most steps hear what they knew already. */
  get isEmpty(): boolean {
    return (
      this.effects.length === 0 &&
      this.term === undefined &&
      this.persist.size + this.removed.size + this.own.size + this.grants.size + this.stops.length === 0 &&
      !this.members &&
      !this.#isChanged()
    );
  }

  #isChanged(): boolean {
    const { size } = this.#nodes;
    return this.farm || this.diary || this.#jobs.size + this.#removedJobs.size + this.#tasks.size + size > 0;
  }

  changes(): Changes | undefined {
    if (!this.#isChanged()) return undefined;
    const removed = [...this.#removedJobs];
    const jobs = [...this.#jobs].filter((id) => !this.#removedJobs.has(id));
    const tasks = [...this.#tasks]
      .filter(([job]) => !this.#removedJobs.has(job))
      .map(([job, indices]) => ({ job, indices: [...indices] }));
    const nodes = [...this.#nodes];
    return {
      ...{ jobs, removed, tasks, nodes, farm: this.farm },
      ...(this.members && { members: true }),
      ...(this.diary && { diary: true }),
    };
  }
}
