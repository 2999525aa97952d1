import { CuadroError, EXIT, type ExitCode, type JobView, type LiveEvent, shownState } from '@cuadro/protocol';
import type { NodeClient } from '../client.ts';
import type { Context } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { count, duration, hasEnded, jobTitle, progressBar, progressOf } from '../text.ts';

/** Where there is no terminal, a line at most this often: a log of a night stays readable. */
const plainLineMs = 10_000;

/** How often a job of which nothing runs is asked anew what it waits for, while machines change. */
const renewMs = 1_000;
/** How long the last files may take to reach the output folder, and the last copies their machine, without news. */
const collectWaitMs = 15_000;
/** Tasks asked for at once when the files of a job are counted. */
const pageTasks = 5_000;

/**
 * Follows one job, or all that have not ended, until they end and their files are in the output folder of this
 * machine. Exit 5 where one of them did not end well.
 */
export async function watch(context: Context, name: string | undefined): Promise<ExitCode> {
  const client = context.client();
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, context.line.signal]);
  const view = new WatchView(context.output);
  let files: ReadonlyMap<string, number> | undefined;
  let machines = 1;
  let patience: NodeJS.Timeout | undefined;
  try {
    for await (const { event } of client.events(signal)) {
      if (event.kind === 'reset' || (event.kind === 'node' && view.isStale())) await view.read(client, name);
      else view.apply(event);
      if (context.output.json && event.kind !== 'reset' && view.concerns(event)) {
        context.output.printJsonLine(event);
      }
      view.show();
      if (!view.ended) continue;
      if (files === undefined) {
        files = await filesToCome(client, view.all);
        machines = (await client.call('farm', {})).live.nodes;
      }
      if (view.waitingFor(files) === 0 && (machines < 2 || view.copied)) break;
      if (patience !== undefined && !view.concerns(event)) continue;
      clearTimeout(patience);
      patience = setTimeout(() => ended.abort(), collectWaitMs);
    }
  } finally {
    clearTimeout(patience);
    ended.abort();
    context.output.clear();
  }
  if (!view.ended) throw new CuadroError('aborted');
  return view.finish(files ?? new Map());
}

/** How many files each job submitted on this machine brings into its output folder. */
async function filesToCome(client: NodeClient, jobs: readonly JobView[]): Promise<Map<string, number>> {
  const { peer } = await client.call('here', {});
  const files = new Map<string, number>();
  for (const job of jobs) {
    if (job.submitter !== peer || job.state === 'deleted') continue;
    let sum = 0;
    for (let offset = 0; offset < job.counts.total; offset += pageTasks) {
      const query = { offset, limit: pageTasks };
      const { tasks } = await client.call('tasks', { params: { job: job.id }, query });
      sum += tasks.reduce((files, task) => files + task.files.length, 0);
    }
    files.set(job.id, sum);
  }
  return files;
}

class WatchView {
  readonly #output: Output;
  readonly #jobs = new Map<string, JobView>();
  /** Parts done of running tasks, by job and index; a job of one frame moves too. */
  readonly #begun = new Map<string, number>();
  #lastLineAt = Number.NEGATIVE_INFINITY;
  #lastText = '';
  #readAt = Number.NEGATIVE_INFINITY;
  #first = true;
  /** Jobs of which it was said that their machine may be switched off. */
  readonly #safe = new Set<string>();

  constructor(output: Output) {
    this.#output = output;
  }

  /** Which jobs are watched is settled once; later calls renew what is known of them. */
  async read(client: NodeClient, name: string | undefined): Promise<void> {
    this.#readAt = performance.now();
    const all = name === undefined ? await client.call('jobs', {}) : [await this.#one(client, name)];
    const watched = this.#first ? all.filter((job) => name !== undefined || !hasEnded(job)) : all;
    if (!this.#first) this.#markDeleted(all);
    this.#begun.clear();
    for (const job of watched) if (this.#first || this.#jobs.has(job.id)) this.#jobs.set(job.id, job);
    if (this.#first && this.#output.json) {
      for (const job of watched) this.#output.printJsonLine({ kind: 'job', job } satisfies LiveEvent);
    }
    this.#first = false;
  }

  /** After the first time by its id: an order number or a beginning may have come to mean another. */
  #one(client: NodeClient, name: string): Promise<JobView> {
    const job = this.#first ? name : ([...this.#jobs.keys()][0] ?? name);
    return client.call('job', { params: { job } });
  }

  #markDeleted(all: readonly JobView[]): void {
    const there = new Set(all.map((job) => job.id));
    for (const [id, job] of this.#jobs) if (!there.has(id)) this.#jobs.set(id, { ...job, state: 'deleted' });
  }

  /** What a job waits for may have changed with the machines, which no event of the job tells. */
  isStale(): boolean {
    const waits = [...this.#jobs.values()].some(({ live }) => live.waits !== undefined);
    return waits && performance.now() - this.#readAt > renewMs;
  }

  concerns(event: LiveEvent): boolean {
    if (event.kind === 'job') return this.#jobs.has(event.job.id);
    return (event.kind === 'tasks' || event.kind === 'job-removed') && this.#jobs.has(event.job);
  }

  apply(event: LiveEvent): void {
    if (event.kind === 'job' && this.#jobs.has(event.job.id)) this.#jobs.set(event.job.id, event.job);
    if (event.kind === 'tasks' && this.#jobs.has(event.job)) {
      for (const { index, live } of event.tasks) {
        const key = `${event.job}/${index}`;
        if (live.running) this.#begun.set(key, live.fraction ?? 0);
        else this.#begun.delete(key);
      }
    }
    if (event.kind === 'job-removed') {
      const job = this.#jobs.get(event.job);
      if (job !== undefined) this.#jobs.set(event.job, { ...job, state: 'deleted' });
    }
  }

  get all(): JobView[] {
    return [...this.#jobs.values()];
  }

  /** Files that are finished and not yet in the output folders. */
  waitingFor(files: ReadonlyMap<string, number>): number {
    let waiting = 0;
    for (const [id, expected] of files) {
      const { collected = 0, keptForeign = 0 } = this.#jobs.get(id)?.live ?? {};
      waiting += Math.max(0, expected - collected - keptForeign);
    }
    return waiting;
  }

  /** Whether nothing of them is on one machine only. */
  get copied(): boolean {
    return this.all.every(({ onlyOn, state }) => onlyOn.length === 0 || state === 'deleted');
  }

  get ended(): boolean {
    return [...this.#jobs.values()].every(hasEnded);
  }

  show(): void {
    if (this.#output.json || this.#jobs.size === 0) return;
    this.#saySafe();
    if (this.#output.live) {
      this.#output.draw(this.#barText());
      return;
    }
    const text = this.#lineText();
    if (text === this.#lastText || (performance.now() - this.#lastLineAt < plainLineMs && !this.ended))
      return;
    this.#lastText = text;
    this.#lastLineAt = performance.now();
    this.#output.print(text);
  }

  /** Once for each job, as soon as it goes on without the machine that submitted it. */
  #saySafe(): void {
    for (const { id, safety, order } of this.#jobs.values()) {
      if (safety.machines === 0 || this.#safe.has(id)) continue;
      this.#safe.add(id);
      const of = this.#jobs.size > 1 ? `#${order}: ` : '';
      if (!this.ended) this.#output.note(`${of}${plain(safety.sentence)}`);
    }
  }

  #sum(): {
    finished: number;
    total: number;
    title: string;
    states: string;
    remainingMs: number | undefined;
  } {
    const jobs = [...this.#jobs.values()];
    const one = jobs.length === 1 ? jobs[0] : undefined;
    let finished = 0;
    let total = 0;
    for (const job of jobs) {
      finished += progressOf(job).finished;
      total += job.counts.total;
    }
    const left = jobs.filter((job) => !hasEnded(job));
    return {
      finished,
      total,
      title: one === undefined ? `${left.length} of ${count(jobs.length, 'job')}` : jobTitle(one),
      states: one === undefined ? '' : stateOf(one),
      remainingMs: one?.live.remainingMs,
    };
  }

  #barText(): string {
    const { title, finished, total, states, remainingMs } = this.#sum();
    const begun = [...this.#begun.values()].reduce((sum, fraction) => sum + fraction, 0);
    return `${title}  ${progressBar(finished, total, remainingMs, begun)}  ${states === 'active' ? '' : states}`.trimEnd();
  }

  #lineText(): string {
    const { title, finished, total, states, remainingMs } = this.#sum();
    const left = remainingMs === undefined ? '' : `, ${duration(remainingMs)} left`;
    return `${title}: ${finished}/${total}${states === '' ? '' : `, ${states}`}${left}`;
  }

  finish(files: ReadonlyMap<string, number>): ExitCode {
    const jobs = [...this.#jobs.values()];
    if (!this.#output.json) {
      if (jobs.length === 0) this.#output.note('No job is under way.');
      for (const job of jobs) {
        // Without a terminal the last line of a single job has said the same.
        if (this.#output.live || jobs.length > 1) this.#output.print(endText(this.#output, job));
        if (job.state === 'done') {
          printFolder(this.#output, job);
          this.#output.note(plain(job.safety.sentence));
        } else this.#output.note(`Look closer: cuadro show ${job.order}`);
      }
      const waiting = this.waitingFor(files);
      if (waiting > 0)
        this.#output.note(`${count(waiting, 'file')} not yet in the folder; the node goes on writing.`);
      for (const { live } of jobs) if (live.problem !== undefined) this.#output.note(plain(live.problem));
    }
    return jobs.every((job) => job.state === 'done') ? EXIT.ok : EXIT.jobFailed;
  }
}

/** `active`, `queued: No machine can run it now. …`, `failed: 3 of 5 tasks failed.` */
function stateOf(job: JobView): string {
  const { reason, live } = job;
  const state = shownState(job);
  const why = reason ?? live.waits;
  return why === undefined ? state : `${state}: ${plain(why)}`;
}

function endText(output: Output, job: JobView): string {
  const { finished, total } = progressOf(job);
  const state = output.style(job.state === 'done' ? 'green' : 'red', job.state);
  const reason = job.reason === undefined ? '' : `: ${plain(job.reason)}`;
  return `${jobTitle(job)}  ${finished}/${total}  ${state}${reason}`;
}

/** Jobs of some types make no files, and then no folder. */
function printFolder(output: Output, job: JobView): void {
  if (job.outputFolder !== '' && (job.live.collected === undefined || job.live.collected > 0)) {
    output.print(`Files: ${plain(job.outputFolder)}`);
  }
}
