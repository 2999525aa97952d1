import type { JobId, KnownRecord, PeerId, TaskIndex } from '@cuadro/protocol';
import type { Changes } from '../core/interface.ts';
import { Acknowledging } from './acknowledging.ts';
import type { Copies, CopiesComponents, CopiesOfLeaver, CopiesState, Kept } from './copies-interface.ts';
import { CopyDesk, keyOf, type Need } from './copy-desk.ts';
import { CopyJobs } from './copy-jobs.ts';
import { CopyLogs } from './copy-logs.ts';
import { copyLimits, defaultCopyOptions, type CopyOptions } from './copy-limits.ts';
import { CopyMarks } from './copy-marks.ts';
import { CopyPeers } from './copy-peers.ts';
import { CopyRepairs } from './copy-repairs.ts';
import { HeldFiles } from './held-files.ts';
import { Holding } from './holding.ts';
import { JobMending } from './job-mending.ts';
import { type CopyRule, resultToCallDone, resultToCopy } from './needs.ts';

export type { Copies, CopiesComponents, CopiesOfLeaver, CopiesState, Kept } from './copies-interface.ts';

export function createCopies(components: CopiesComponents, options: Partial<CopyOptions> = {}): Copies {
  return new MeshCopies(components, { ...defaultCopyOptions, ...options });
}

class MeshCopies implements Copies {
  readonly #components: CopiesComponents;
  readonly #options: CopyOptions;
  readonly #peers: CopyPeers;
  readonly #desk: CopyDesk;
  readonly #holding: Holding;
  readonly #mending: JobMending;
  readonly #marks = new CopyMarks();
  readonly #repairs: CopyRepairs;
  readonly #jobs: CopyJobs;
  readonly #logs: CopyLogs;
  /** Needs that could not be met a moment ago. */
  #later: Need[] = [];
  readonly #acknowledging: Acknowledging;
  readonly #stop = new AbortController();
  #scanning: Promise<void> | undefined;
  #scanAgain = false;
  #pumpPlanned = false;
  #cancelRetry: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #started = false;
  /** How many others are to hold what this machine holds, while it leaves. */
  #leaverCopies = 2;

  readonly leaving: CopiesOfLeaver = {
    unasked: () => this.#peers.unasked,
    ask: (peer, records) => this.#askOne(peer, records),
    stays: (peer) => {
      this.#peers.stays(peer);
      this.membersChanged();
    },
    staying: () => this.#peers.staying.length,
    isWhole: () => this.#scanning === undefined,
    wanted: () => this.#leaverCopies,
    want: (copies) => {
      if (copies === this.#leaverCopies) return;
      this.#leaverCopies = copies;
      this.membersChanged();
    },
  };

  constructor(components: CopiesComponents, options: CopyOptions) {
    this.#components = components;
    this.#options = options;
    this.#peers = new CopyPeers(components, {
      options,
      onOutcomes: (peer, outcomes) => this.#desk.answered(peer, outcomes),
      onLost: (peer, owed) => this.#desk.lost(peer, owed),
      onChange: () => this.#reachedOrLost(),
    });
    this.#desk = new CopyDesk(components, {
      peers: this.#peers,
      rule: () => this.#rule,
      onHeld: (need) => this.#held(need),
      onFailed: (need, again) => this.#failed(need, again),
      onPlace: () => this.#pump(),
    });
    this.#repairs = new CopyRepairs(components, { onReady: () => this.#pump() });
    const [peers, repairs] = [this.#peers, this.#repairs];
    const isUnderWay = (need: Need): boolean => this.#desk.isUnderWay(need);
    const isLeaving = (): boolean => peers.isLeaving;
    this.#jobs = new CopyJobs(components, { repairs, peers, rule: () => this.#jobRule, isUnderWay });
    this.#logs = new CopyLogs(components, { repairs, isLeaving, rule: () => this.#rule, isUnderWay });
    // What both fetch may be one file.
    const files = new HeldFiles(components);
    this.#holding = new Holding({ ...components, files, isLeaving }, options);
    this.#mending = new JobMending({ ...components, files }, { peers, repairs });
    this.#acknowledging = new Acknowledging(components, {
      peers,
      options,
      merge: (record) => this.#desk.merge(record),
    });
  }

  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    this.#holding.start();
    await this.#peers.start();
    if (this.#stop.signal.aborted) return;
    this.#lookAgain();
    this.#scan();
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new Error('The node stops.'));
    this.#cancelRetry?.();
    this.#cancelLook?.();
    const peersStopped = this.#peers.stop();
    this.#repairs.stop();
    this.#acknowledging.stop();
    await peersStopped;
    await this.#mending.stop();
    await this.#scanning;
    await this.#desk.settled();
  }

  changed({ jobs, removed, tasks }: Pick<Changes, 'jobs' | 'removed' | 'tasks'>): void {
    if (this.#stop.signal.aborted) return;
    for (const job of removed) this.#forget(job);
    for (const job of jobs) this.#lookAtJob(job);
    for (const { job, indices } of tasks) for (const index of indices) this.#lookAtTask(job, index);
    this.#pump();
  }

  state(): CopiesState {
    const { asked } = this.#desk;
    const later = (wanted: Need['kind']) => this.#later.filter(({ kind }) => kind === wanted).length;
    const marked = this.#marks.count + this.#repairs.marks.count;
    return {
      results: marked + asked.results + later('result'),
      jobs: this.#jobs.count + (this.#peers.isLeaving ? this.#mending.untried : 0),
      logs: this.#logs.count + asked.logs + later('log'),
      asked: asked.all,
    };
  }

  get #jobRule(): CopyRule {
    const { isLive, isLeaving, remainingCount } = this.#peers;
    return {
      isLive,
      copies: isLeaving ? this.#leaverCopies : Math.min(this.#options.jobCopies, remainingCount),
    };
  }

  get #rule(): CopyRule {
    return { isLive: this.#peers.isLive, copies: this.#peers.isLeaving ? this.#leaverCopies : 2 };
  }

  async #askOne(peer: PeerId, records: readonly KnownRecord[]): Promise<boolean> {
    const held = Promise.withResolvers<boolean>();
    this.#desk.ask({ kind: 'records', records, to: peer, held: held.resolve });
    const cancel = this.#components.clock.after(this.#options.confirmMs, () => held.resolve(false));
    try {
      return await held.promise;
    } finally {
      cancel();
    }
  }

  alone(): boolean {
    return this.#peers.alone;
  }

  acknowledge(job: JobId): Promise<Kept> {
    this.#lookAtJob(job);
    this.#pump();
    return this.#acknowledging.acknowledge(job);
  }

  lacking(job: JobId): string | undefined {
    return this.#mending.lacking(job);
  }

  async confirm(records: readonly KnownRecord[], isWanted: () => boolean = () => true): Promise<Kept> {
    const held = Promise.withResolvers<boolean>();
    let isOver = false;
    const need: Need = { kind: 'records', records, isOver: () => isOver || !isWanted(), held: held.resolve };
    if (this.alone()) return { machines: 1, others: this.#peers.whyAlone };
    this.#later.push(need);
    const cancel = this.#components.clock.after(this.#options.confirmMs, () => held.resolve(false));
    this.#takeUp();
    try {
      if (await held.promise) return { machines: 2, others: 'enough' };
      return { machines: 1, others: this.alone() ? this.#peers.whyAlone : 'late' };
    } finally {
      cancel();
      isOver = true;
      this.#later = this.#later.filter((other) => other !== need);
    }
  }

  membersChanged(): void {
    if (!this.#peers.isLeaving) this.#peers.forgetStaying();
    this.#scan();
    this.#reachedOrLost();
  }

  /** What waits may be asked for now; whose copies still count changes later, with time. */
  #reachedOrLost(): void {
    if (this.#stop.signal.aborted || !this.#started) return;
    for (const job of this.#components.queries.jobIds()) this.#lookAtJob(job);
    this.#pump();
    this.#mending.reachChanged();
  }

  /** From time to time: a holder that was away for too long doesn't count any more. */
  #lookAgain(gone = ''): void {
    this.#cancelLook = this.#components.clock.after(copyLimits.lookAgainMs, () => {
      const now = this.#peers.gone().join();
      if (now !== gone) this.#scan();
      this.#lookAgain(now);
    });
  }

  #scan(): void {
    if (this.#stop.signal.aborted || !this.#started) return;
    this.#scanAgain = true;
    this.#scanning ??= this.#scanAll()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#components.logger.error('The search for single copies failed.', { error: String(error) });
      })
      .finally(() => {
        this.#scanning = undefined;
        if (this.#scanAgain) this.#scan();
      });
  }

  async #scanAll(): Promise<void> {
    const { queries, clock } = this.#components;
    while (this.#scanAgain) {
      this.#scanAgain = false;
      let looked = 0;
      for (const id of queries.jobIds()) {
        this.#lookAtJob(id);
        const tasks = queries.jobRecord(id)?.spec.tasks ?? 0;
        for (let index = 0; index < tasks; index++) {
          this.#lookAtTask(id, index);
          if (++looked % copyLimits.tasksPerSlice !== 0) continue;
          this.#pump();
          await clock.sleep(0, { signal: this.#stop.signal });
        }
      }
      this.#pump();
    }
  }

  #lookAtJob(id: JobId): void {
    const record = this.#components.queries.jobRecord(id);
    if (record === undefined || record.deleted !== undefined) return this.#forget(id);
    this.#jobs.lookAt(record);
    this.#mending.lookAt(record);
    this.#acknowledging.lookAt(record);
  }

  #forget(job: JobId): void {
    this.#marks.forget(job);
    this.#repairs.marks.forget(job);
    this.#jobs.forget(job);
    this.#logs.forget(job);
    this.#mending.forget(job);
    this.#acknowledging.forget(job);
  }

  #lookAtTask(job: JobId, index: TaskIndex): void {
    const { queries, mesh } = this.#components;
    const task = queries.taskRecord(job, index);
    const rule = this.#rule;
    const needed = resultToCopy(task, mesh.self, rule);
    // A machine that leaves is waited for by a person.
    const isRepair = needed?.state === 'done' && !this.#peers.isLeaving;
    const [marks, others] = isRepair
      ? [this.#repairs.marks, this.#marks]
      : [this.#marks, this.#repairs.marks];
    others.delete(job, index);
    if (needed === undefined) marks.delete(job, index);
    else if (!this.#desk.isAsked(job, index)) marks.add(job, index);
    const result = resultToCallDone(task, mesh.self);
    if (task !== undefined && result !== undefined) this.#desk.callDone(task, result);
    this.#logs.lookAt(job, index, task, rule);
  }

  #held(need: Need): void {
    if (need.kind === 'job') this.#lookAtJob(need.job);
    // While it was under way the other holder may have gone.
    else if (need.kind !== 'records') this.#lookAtTask(need.job, need.index);
    this.#pump();
  }

  #failed(need: Need, again: 'now' | 'later' | 'never'): void {
    if (again === 'never') {
      if (need.kind === 'job') this.#jobs.forget(need.job);
      if (need.kind === 'records') need.held(false);
    } else if (again === 'now' && (need.kind === 'result' || need.kind === 'log')) {
      this.#lookAtTask(need.job, need.index);
    } else if (need.kind === 'records' && need.to !== undefined) {
      need.held(false);
    } else if (again === 'later' || need.kind === 'records') {
      this.#later.push(need);
      this.#retry();
    }
    this.#pump();
  }

  /** What failed is tried again after a pause, not at once. */
  #retry(): void {
    if (this.#stop.signal.aborted) return;
    this.#cancelRetry ??= this.#components.clock.after(copyLimits.retryMs, () => {
      this.#cancelRetry = undefined;
      this.#takeUp();
    });
  }

  #takeUp(): void {
    const later = this.#later;
    this.#later = [];
    for (const need of later) {
      if (need.kind === 'result' || need.kind === 'log') this.#lookAtTask(need.job, need.index);
      else if (need.kind === 'records' && need.isOver?.() === true) need.held(false);
      else if (need.kind === 'records' && !this.#desk.ask(need)) this.#later.push(need);
    }
    if (this.#later.length > 0) this.#retry();
    this.#pump();
  }

  #pump(): void {
    if (this.#pumpPlanned || this.#stop.signal.aborted || !this.#started) return;
    this.#pumpPlanned = true;
    queueMicrotask(() => {
      this.#pumpPlanned = false;
      if (!this.#stop.signal.aborted) this.#askAll();
    });
  }

  #askAll(): void {
    if (this.alone()) return;
    const waiting = new Set(this.#later.map(keyOf));
    let refused = false;
    const ask = (need: Need): boolean => {
      if (waiting.has(keyOf(need)) || this.#desk.isUnderWay(need)) return true;
      const asked = this.#desk.ask(need);
      refused ||= !asked;
      return asked;
    };
    this.#jobs.offer(ask);
    this.#marks.offer((job, index) => ask({ kind: 'result', job, index }));
    this.#logs.offer(ask);
    this.#repairs.marks.offer((job, index) => this.#repair({ kind: 'result', job, index }, ask));
    // Whoever has answered, or comes back, is asked then; only the end of a pause tells nobody.
    if (refused && this.#peers.pauses) this.#retry();
  }

  #repair(need: Extract<Need, { kind: 'result' }>, ask: (need: Need) => boolean): boolean {
    const { queries, mesh } = this.#components;
    if (!this.#repairs.isReady) return false;
    const result = resultToCopy(queries.taskRecord(need.job, need.index), mesh.self, this.#rule);
    const asked = ask(need);
    if (result !== undefined && this.#desk.isUnderWay(need)) this.#repairs.takeResult(result);
    return asked;
  }
}
