import {
  compareText,
  countingResult,
  countFrames,
  CuadroError,
  eachFrame,
  parseFrames,
  TASKS_PER_JOB_MAX,
  recordKey,
  resultWithin,
  type BlobHash,
  type DiaryRecord,
  type Epoch,
  type FarmRecord,
  type FarmView,
  type FrameRange,
  type JobId,
  type JobRecord,
  type JobView,
  type KnownRecord,
  type MemberRecord,
  type NodeRecord,
  type NodeView,
  type PeerId,
  type PlannedTask,
  type TaskDetail,
  type TaskIndex,
  type TaskRecord,
  type TaskResult,
  type TaskState,
  type TaskView,
} from '@cuadro/protocol';
import type { CoreQueries } from './interface.ts';
import { compareJobs, type Job } from './job.ts';
import type { BrainState } from './state.ts';
import { isWithinReach } from './reach.ts';
import {
  countsOf,
  farmView,
  jobView,
  nodeViews,
  statesShownAs,
  taskDetail,
  taskStateOf,
  taskView,
} from './views.ts';

/** Read access to the brain; nothing here changes anything. */
export class BrainQueries implements CoreQueries {
  protected readonly state: BrainState;

  constructor(state: BrainState) {
    this.state = state;
  }

  get self(): PeerId {
    return this.state.self;
  }

  get epoch(): Epoch | undefined {
    return this.state.coordinator;
  }

  get isCoordinator(): boolean {
    return this.state.epoch !== undefined;
  }

  farm(): FarmView {
    return farmView(this.state);
  }

  farmRecord(): FarmRecord | undefined {
    return this.state.farm;
  }

  memberRecords(): MemberRecord[] {
    return [...this.state.members.values()];
  }

  removed(): ReadonlySet<PeerId> {
    return this.state.removed();
  }

  claimantsOf(bundle: BlobHash): PeerId[] {
    const { state } = this;
    const claiming = [...state.machines.values()].filter(({ claim }) => claim?.bundles.includes(bundle));
    return claiming.map(({ peer }) => peer).filter((peer) => peer !== state.self && !state.isOut(peer));
  }

  jobs(): JobView[] {
    return this.#jobsInOrder().map((job) => jobView(this.state, job));
  }

  job(id: JobId): JobView | undefined {
    const job = this.state.jobs.get(id);
    return job && jobView(this.state, job);
  }

  jobRecord(id: JobId): JobRecord | undefined {
    return this.state.jobs.get(id)?.record ?? this.state.tombstones.get(id);
  }

  record(key: string): KnownRecord | undefined {
    const [kind, id = '', index] = key.split('/');
    switch (kind) {
      case 'farm':
        return this.state.farm?.id === id ? this.state.farm : undefined;
      case 'member':
        return this.state.members.get(id);
      case 'node':
        return this.state.nodes.get(id);
      case 'diary':
        return this.state.diaries.get(key);
      case 'job':
        return this.jobRecord(id);
      case 'task': {
        const tasks = this.state.jobs.get(id)?.table.records ?? this.state.orphans.get(id);
        return tasks?.get(Number(index));
      }
      default:
        return undefined;
    }
  }

  *recordKeys(job?: JobId): Iterable<string> {
    const { farm, members, nodes, diaries, jobs, orphans } = this.state;
    if (job === undefined) {
      if (farm !== undefined) yield recordKey(farm);
      for (const record of members.values()) yield recordKey(record);
      for (const record of nodes.values()) yield recordKey(record);
      yield* diaries.keys();
      return;
    }
    const record = this.jobRecord(job);
    if (record !== undefined) yield recordKey(record);
    const tasks = jobs.get(job)?.table.records ?? orphans.get(job);
    for (const task of tasks?.values() ?? []) yield recordKey(task);
  }

  /** Every job, deleted ones included, in a fixed order. */
  jobIds(): JobId[] {
    return [...this.state.jobs.keys(), ...this.state.tombstones.keys()].sort(compareText);
  }

  heldJobIds(): JobId[] {
    return [...this.jobIds(), ...this.state.orphans.keys()];
  }

  nodeRecord(peer: PeerId): NodeRecord | undefined {
    return this.state.nodes.get(peer);
  }

  diaryRecords(): DiaryRecord[] {
    return [...this.state.diaries.values()];
  }

  taskRecord(job: JobId, index: TaskIndex): TaskRecord | undefined {
    return this.state.jobs.get(job)?.table.effective(index);
  }

  plannedTask(job: JobId, index: TaskIndex): PlannedTask | undefined {
    return this.state.jobs.get(job)?.table.view?.task(index);
  }

  findTask(job: JobId, text: string): TaskIndex | undefined {
    return this.state.jobs.get(job)?.table.view?.find(text);
  }

  findTasks(id: JobId, texts: readonly string[]): TaskIndex[] | undefined {
    const job = this.state.jobs.get(id);
    if (job === undefined) return undefined;
    const found = new Set<TaskIndex>();
    // Thousands of texts, each of a million frames, would keep the node busy for minutes.
    const budget = { frames: TASKS_PER_JOB_MAX };
    for (const text of texts) {
      const indices = findNamed(job, text, budget);
      if (indices.length === 0) return undefined;
      for (const index of indices) found.add(index);
    }
    return [...found].sort((a, b) => a - b);
  }

  taskState(job: JobId, index: TaskIndex): TaskState | undefined {
    const known = this.state.jobs.get(job);
    return known && taskStateOf(known, index);
  }

  tasks(
    id: JobId,
    { offset, limit, state }: { offset: number; limit: number; state?: TaskState },
  ): { total: number; tasks: TaskView[] } {
    const job = this.state.jobs.get(id);
    if (job === undefined) return { total: 0, tasks: [] };
    const { total } = job.table.counts;
    if (state !== undefined) {
      const indices = job.table.inStates(statesShownAs(job, state), { offset, limit });
      return { total: countsOf(job)[state], tasks: this.taskViews(id, indices) };
    }
    const indices: TaskIndex[] = [];
    for (let index = offset; index < Math.min(total, offset + limit); index++) indices.push(index);
    return { total, tasks: this.taskViews(id, indices) };
  }

  taskViews(id: JobId, indices: readonly TaskIndex[]): TaskView[] {
    const job = this.state.jobs.get(id);
    return job === undefined ? [] : indices.flatMap((index) => taskView(this.state, job, index) ?? []);
  }

  task(id: JobId, index: TaskIndex): TaskDetail | undefined {
    const job = this.state.jobs.get(id);
    return job && taskDetail(this.state, job, index);
  }

  tasksWithResult(id: JobId): TaskIndex[] {
    const job = this.state.jobs.get(id);
    if (job === undefined) return [];
    return job.table.withResult();
  }

  tasksWithFailure(id: JobId): TaskIndex[] {
    return this.state.jobs.get(id)?.table.records.failed() ?? [];
  }

  resultAtHand(job: JobId, index: TaskIndex): TaskResult | undefined {
    const record = this.taskRecord(job, index);
    if (record === undefined) return undefined;
    return resultWithin(record, (peer) => isWithinReach(this.state, peer)) ?? countingResult(record);
  }

  inputRedo(job: JobId, index: TaskIndex): number {
    return this.state.jobs.get(job)?.table.inputRedo(index) ?? 0;
  }

  dependents(id: JobId, indices: readonly TaskIndex[]): TaskIndex[] {
    const job = this.state.jobs.get(id);
    if (job === undefined) return [];
    const found = new Set<TaskIndex>();
    const left = [...indices];
    for (let index = left.pop(); index !== undefined; index = left.pop()) {
      for (const dependent of job.table.dependents(index)) {
        if (found.has(dependent)) continue;
        found.add(dependent);
        left.push(dependent);
      }
    }
    for (const index of indices) found.delete(index);
    return [...found].sort((a, b) => a - b);
  }

  nodes(): NodeView[] {
    return nodeViews(this.state);
  }

  nextOrder(): number {
    return this.state.highestOrder + 1;
  }

  ignored(): Readonly<Record<string, number>> {
    return this.state.ignoredCounts;
  }

  accused(): Readonly<Record<string, number>> {
    return this.state.accusedCounts;
  }

  #jobsInOrder(): Job[] {
    return [...this.state.jobs.values()].sort(compareJobs);
  }
}

/** Tasks that one text names: `film`, `frame 7`, `#12`, or frames such as `3-9` of the first group that has them. */
function findNamed(job: Job, text: string, budget: { frames: number }): TaskIndex[] {
  const { view } = job.table;
  const single = view?.find(text);
  if (view === undefined) return [];
  if (single !== undefined) return [single];
  const ranges = framesOf(text.replace(/^\s*frames?\s+/i, ''));
  budget.frames -= countFrames(ranges);
  if (budget.frames < 0) {
    const why = `the tasks that it names are more than ${TASKS_PER_JOB_MAX} in all`;
    throw new CuadroError('request-invalid', { why });
  }
  for (const group of view.plan.groups.keys()) {
    const found = [...eachFrame(ranges)].flatMap((number) => view.indexOf(group, number) ?? []);
    if (found.length > 0) return found;
  }
  return [];
}

function framesOf(text: string): FrameRange[] {
  try {
    return parseFrames(text);
  } catch (error) {
    if (error instanceof CuadroError) return [];
    throw error;
  }
}
