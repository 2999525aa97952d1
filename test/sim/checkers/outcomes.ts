import type { JobRecord, TaskRecord } from '@cuadro/protocol';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { Violation, type Checker } from './checker.ts';
import { jobOn, taskOn } from '../on-disk.ts';
import { Dependents } from './plans.ts';
import { counting, filesOf, isHeld, redoAsked, retryAsked } from './rules.ts';

type Ended = 'done' | 'rendered' | 'failed' | 'skipped' | 'open';

/** Failed attempts, or machines that vanished, after which a task is given up (SPEC R54). */
const FAILED_MAX = 3;
const LOST_MAX = 5;

/**
 * Every task ends, and for a reason (DESIGN.md section 1, promise 2): worked out from the records on the disks. A task
 * is given up only after as many attempts as the rules want, and skipped only for one that it waits for, or its job.
 */
export class Outcomes implements Checker {
  readonly #farm: SimFarm;
  readonly #plans = new Map<string, Dependents>();

  /** Farms that machines were in, and whether there were jobs in each. */
  readonly #farms = new Map<string, Set<string>>();

  constructor(farm: SimFarm) {
    this.#farm = farm;
  }

  deed(deed: Deed): void {
    if (deed.kind === 'submitted') this.#plans.set(deed.job, new Dependents(deed.plan));
  }

  look(): void {
    for (const { queries } of this.#farm.up()) {
      const farm = queries?.farmRecord()?.id;
      if (queries === undefined || farm === undefined) continue;
      const jobs = this.#farms.get(farm) ?? new Set();
      this.#farms.set(farm, jobs);
      for (const id of queries.jobIds()) jobs.add(id);
    }
  }

  #countFarms(): void {
    if (this.#farms.size < 2) return;
    const withJobs = [...this.#farms.values()].filter((jobs) => jobs.size > 0);
    this.#farm.tally.outcome(withJobs.length > 1 ? 'farms with jobs merged' : 'farms merged');
  }

  end(): void {
    this.#countFarms();
    const [machine] = this.#farm.up();
    if (machine === undefined) return;
    // All replicas are the same by now, so one disk tells what is on all.
    for (const [id, plan] of this.#plans) {
      const job = jobOn(machine, id);
      if (job === undefined) continue;
      if (job.deleted !== undefined) this.#farm.tally.outcome('job deleted');
      else this.#judgeJob(machine, job, plan);
    }
  }

  #judgeJob(machine: Machine, job: JobRecord, plan: Dependents): void {
    const states: Ended[] = [];
    for (let index = 0; index < plan.count; index++) {
      const task = taskOn(machine, job.id, index);
      const state = this.#stateOf(task, job, index);
      const isBlocked = plan
        .sources(index)
        .some((source) => ['failed', 'skipped'].includes(states[source] ?? ''));
      states.push(state === 'open' && isBlocked ? 'skipped' : state);
      if (task !== undefined) this.#count(task);
    }
    this.#tell(states);
    const shown = machine.queries?.job(job.id)?.state;
    const open = states.indexOf('open');
    const what = `${job.id} is shown as ${shown} at ${machine.name}`;
    if (shown === 'done' && states.some((state) => state !== 'done' && state !== 'rendered'))
      throw new Violation('every task ends', `${what}, and its tasks are ${states.join()}.`);
    if (shown === 'failed' && !states.includes('failed'))
      throw new Violation('every task ends', `${what}, and none of its tasks failed.`);
    const isWanted = job.control.desired?.value === 'canceled';
    if (shown === 'canceled' && !isWanted)
      throw new Violation('every task ends', `${what}, which nobody wanted.`);
    const endsItself = shown === 'failed' || shown === 'canceled' || shown === 'skipped';
    if (open >= 0 && !endsItself)
      throw new Violation('every task ends', `${what}, and its task ${open} is open.`);
    const { tally } = this.#farm;
    if (shown === 'done') tally.outcome('job done');
    if (shown === 'failed') tally.outcome('job failed');
    if (shown === 'canceled') tally.outcome('job canceled');
    if (shown === 'skipped') tally.outcome('job skipped');
  }

  #stateOf(task: TaskRecord | undefined, job: JobRecord, index: number): Ended {
    if (task === undefined) return 'open';
    const result = counting(task, job);
    if (result !== undefined) return result.state;
    const isVoid = task.redo < redoAsked(job, index) || task.retry < retryAsked(job, index);
    if (task.failed === undefined || isVoid) return 'open';
    const failures = Object.values(task.failures);
    const failed = failures.filter(({ cause }) => cause === 'failed').length;
    const lost = failures.filter(({ cause }) => cause === 'lost').length;
    // An attempt that one half of a farm saw fail the other may have seen vanish: then one word of it stands (SPEC R22).
    if (failed + lost < FAILED_MAX || (failed === 0 && lost < LOST_MAX))
      throw new Violation(
        'every task ends',
        `${job.id}/${index} is given up after ${failed} failed and ${lost} lost attempts.`,
      );
    if (task.failed.message === '')
      throw new Violation('every task ends', `${job.id}/${index} is given up without a reason.`);
    return 'failed';
  }

  #count(task: TaskRecord): void {
    const { tally } = this.#farm;
    for (const { cause } of Object.values(task.failures))
      tally.outcome(cause === 'lost' ? 'lost attempt' : 'failed attempt');
    const results = Object.values(task.results);
    if (results.length > 1) tally.outcome('rendered twice');
    const dones = results.filter((result) => result.state === 'done' && isHeld(result));
    if (new Set(dones.map((result) => filesOf(result).join())).size > 1)
      tally.outcome('two dones of different bytes');
  }

  #tell(states: readonly Ended[]): void {
    const { tally } = this.#farm;
    const count = (wanted: Ended): number => states.filter((state) => state === wanted).length;
    tally.outcome('done', count('done'));
    tally.outcome('rendered in one copy', count('rendered'));
    tally.outcome('task given up', count('failed'));
    tally.outcome('task skipped', count('skipped'));
  }
}
