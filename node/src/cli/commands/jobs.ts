import {
  EXIT,
  FAILED_LOOKED_AT,
  heldOnlyText,
  jobTrouble,
  shownState,
  type ExitCode,
  type JobTrouble,
  type JobView,
  type TaskDetail,
  type TaskView,
} from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { plain } from '../output.ts';
import { noteRemoval } from '../removal.ts';
import {
  count,
  duration,
  forecast,
  hasEnded,
  jobTitle,
  progressBar,
  progressOf,
  stateText,
  table,
} from '../text.ts';

/** Letters of an id shown in lists; the command line takes any beginning that only one job has. */
const idShown = 8;
/** Tasks asked for in one request, as many as the node gives. */
const tasksAtOnce = 5_000;
/** Failed tasks shown with their lines; the rest are counted. */
const failedShown = 5;

export async function jobs(context: Context): Promise<ExitCode> {
  const { client, output } = context;
  const all = await client().call('jobs', {});
  if (output.json) {
    output.printJson(all);
  } else if (all.length === 0) {
    output.note('There are no jobs. Submit one with: cuadro submit FILE.blend');
  } else {
    const rows = all.map((job) => {
      const { finished, total } = progressOf(job);
      const left = job.live.remainingMs;
      return [
        `#${job.order}`,
        job.id.slice(0, idShown),
        stateText(output, shownState(job)),
        `${finished}/${total}${job.counts.failed > 0 ? ` (${job.counts.failed} failed)` : ''}`,
        String(job.live.running),
        left === undefined ? '' : duration(left),
        String(job.priority),
        plain(job.name),
      ];
    });
    output.print(table(output, ['#', 'ID', 'STATE', 'TASKS', 'RUNNING', 'LEFT', 'PRIORITY', 'NAME'], rows));
  }
  await noteRemoval(context);
  return EXIT.ok;
}

export async function show(
  context: Context,
  job: string,
  task: string | undefined,
  options: { tasks?: boolean } = {},
): Promise<ExitCode> {
  if (options.tasks === true) {
    if (task !== undefined) throw new UsageError('Name a task, or list them all: cuadro show JOB --tasks');
    return showTasks(context, job);
  }
  return task === undefined ? showJob(context, job) : showTask(context, job, task);
}

async function showJob({ client, output }: Context, name: string): Promise<ExitCode> {
  const node = client();
  const job = await node.call('job', { params: { job: name } });
  const failed = await node.call('tasks', {
    params: { job: job.id },
    query: { state: 'failed', limit: FAILED_LOOKED_AT },
  });
  const details = await Promise.all(
    failed.tasks.map((task) => node.call('task', { params: { job: job.id, task: task.name } })),
  ).catch(() => [] as TaskDetail[]);
  const trouble = jobTrouble(job, details);
  const shown = details.slice(0, failedShown);
  if (output.json) {
    output.printJson({ ...job, ...(trouble !== undefined && { trouble }), failedTasks: shown });
    return EXIT.ok;
  }
  output.print(output.style('bold', jobTitle(job)));
  output.print(
    `  ${'state'.padEnd(10)} ${stateText(output, shownState(job))}${job.reason ? `: ${plain(job.reason)}` : ''}`,
  );
  const lines = [...troubleLines(job, trouble), ...jobLines(job)];
  for (const [label, text] of lines) output.print(`  ${label.padEnd(10)} ${text}`);
  for (const task of shown) printFailure(output, task);
  if (failed.total > shown.length) output.print(`  … and ${failed.total - shown.length} more failed.`);
  if (failed.total > 0)
    output.print(`\nTheir logs: cuadro logs ${job.order}   Again: cuadro requeue ${job.order}`);
  return EXIT.ok;
}

/** What stopped it, and what to do; a reason that stands beside the state is not said twice. */
function troubleLines(job: JobView, trouble: JobTrouble | undefined): [label: string, text: string][] {
  if (trouble === undefined) return [];
  const { sentence, next } = trouble;
  return [...(sentence === job.reason ? [] : [['why', plain(sentence)] as [string, string]]), ['next', next]];
}

function jobLines(job: JobView): [label: string, text: string][] {
  const { finished, total } = progressOf(job);
  const { failed, skipped } = job.counts;
  const { running, remainingMs, waits, collected, keptForeign, problem } = job.live;
  const lines: [string, string][] = [['progress', progressBar(finished, total)]];
  if (failed + skipped > 0) lines.push(['', `${failed} failed, ${skipped} skipped`]);
  // What is live, no record says: it is what this node hears of the others now.
  if (running > 0) lines.push(['now', `${count(running, 'task')} running`]);
  if (waits !== undefined) lines.push(['now', plain(waits)]);
  if (remainingMs !== undefined && !hasEnded(job)) lines.push(['forecast', forecast(remainingMs)]);
  const film =
    job.film === undefined
      ? ''
      : `, film ${plain(job.film.name)}${job.filmStale ? ' (older than some frames)' : ''}`;
  if (job.outputFolder !== '') lines.push(['output', `${plain(job.outputFolder)}${film}`]);
  if (collected !== undefined) {
    const kept = keptForeign ? `, ${count(keptForeign, 'file')} of others kept` : '';
    lines.push(['collected', `${count(collected, 'file')}${kept}`]);
  }
  if (problem !== undefined) lines.push(['problem', plain(problem)]);
  lines.push(...copyLines(job), ['priority', String(job.priority)], ['type', job.type], ['id', job.id]);
  if (job.after.length > 0) lines.push(['after', job.after.join(', ')]);
  if (job.notes !== '') lines.push(['notes', plain(job.notes)]);
  return lines;
}

/** Where the copies are, and what would be lost with one machine. */
function copyLines(job: JobView): [label: string, text: string][] {
  const one = job.oneCopyOnly > 0 ? `; ${count(job.oneCopyOnly, 'result')} in one copy only` : '';
  const accepted = job.acknowledged ? '' : '; a second machine is still taking its copy';
  return [
    ['copies', `${wholeOn(job.holders)}${accepted}${one}`],
    ...job.onlyOn.map((only): [string, string] => [
      '',
      `only on ${plain(only.machine)}: ${heldOnlyText(only)}`,
    ]),
    ['safety', plain(job.safety.sentence)],
  ];
}

const wholeOn = (holders: number): string =>
  holders === 0
    ? 'no machine has scene and plan whole; each looks for what it lacks at all others'
    : `scene and plan on ${count(holders, 'machine')}`;

async function showTasks({ client, output }: Context, job: string): Promise<ExitCode> {
  const node = client();
  const all: TaskView[] = [];
  for (;;) {
    const query = { offset: all.length, limit: tasksAtOnce };
    const { tasks, total } = await node.call('tasks', { params: { job }, query });
    all.push(...tasks);
    if (tasks.length === 0 || all.length >= total) break;
  }
  if (output.json) {
    output.printJson(all);
    return EXIT.ok;
  }
  const rows = all.map((task) => [
    plain(task.name),
    taskState(output, task),
    task.renderMs === undefined ? '' : duration(task.renderMs),
    plain(task.live.machine ?? task.machine ?? ''),
    task.failures === 0 ? '' : String(task.failures),
  ]);
  output.print(table(output, ['TASK', 'STATE', 'TIME', 'MACHINE', 'FAILED ATTEMPTS'], rows));
  return EXIT.ok;
}

async function showTask({ client, output }: Context, job: string, task: string): Promise<ExitCode> {
  const detail = await client().call('task', { params: { job, task } });
  if (output.json) {
    output.printJson(detail);
    return EXIT.ok;
  }
  const { running, machine } = detail.live;
  const on = running && machine !== undefined ? ` on ${plain(machine)}` : '';
  output.print(`${output.style('bold', detail.name)}  ${taskState(output, detail)}${on}`);
  output.print(`  ${plain(detail.why)}`);
  for (const file of detail.files) output.print(`  ${plain(file.name)}`);
  if (detail.heldBy.length > 0) output.print(`  held by ${detail.heldBy.map(plain).join(', ')}`);
  for (const attempt of detail.attempts) {
    const took = attempt.renderMs === undefined ? '' : ` in ${duration(attempt.renderMs)}`;
    const message = attempt.message === undefined ? '' : `: ${plain(attempt.message)}`;
    output.print(
      `  attempt ${attempt.attempt.split('.', 2).join('.')} on ${plain(attempt.machine)}: ${attempt.state}${took}${message}`,
    );
    for (const line of attempt.lines) output.print(`    ${output.style('dim', plain(line))}`);
  }
  return EXIT.ok;
}

function taskState(output: Context['output'], task: TaskView): string {
  const { running, fraction } = task.live;
  if (!running) return stateText(output, task.state);
  const share = fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`;
  return `${output.style('cyan', 'running')}${share}`;
}

function printFailure(output: Context['output'], task: TaskDetail): void {
  const last = task.attempts.findLast((attempt) => attempt.state === 'failed' || attempt.state === 'lost');
  output.print(`\n  ${output.style('red', `${task.name} failed`)}: ${plain(last?.message ?? task.why)}`);
  for (const line of last?.lines ?? []) output.print(`    ${output.style('dim', plain(line))}`);
}

export async function logs(
  { client, output }: Context,
  job: string,
  task: string | undefined,
  options: { attempt?: string },
): Promise<ExitCode> {
  const node = client();
  const query = options.attempt === undefined ? {} : { attempt: options.attempt };
  const tasks = task === undefined ? await tellingTasks(node, job) : [task];
  if (tasks.length === 0) output.note('No task of this job has run yet, so there is no log.');
  const found: { task: string; log: string }[] = [];
  for (const name of tasks) {
    const log = await node.text('log', { params: { job, task: name }, query });
    found.push({ task: name, log });
    if (output.json) continue;
    // Blender's own log ends where the node saw that it had failed: why, only the attempt says.
    const why = whyFailed(await node.call('task', { params: { job, task: name } }), options.attempt);
    if (tasks.length > 1 || why !== undefined)
      output.note(output.style('bold', `── ${name}${why === undefined ? '' : `: ${why}`}`, 'stderr'));
    output.print(log.trimEnd());
  }
  if (output.json) output.printJson(found);
  return EXIT.ok;
}

/** Where and why the attempt failed, the latest one where none is named; nothing of one that did not fail. */
function whyFailed({ attempts }: TaskDetail, wanted: string | undefined): string | undefined {
  const told = attempts.findLast(({ attempt }) => wanted === undefined || attempt === wanted);
  if (told?.message === undefined || (told.state !== 'failed' && told.state !== 'lost')) return undefined;
  return `${told.state} on ${plain(told.machine)}: ${plain(told.message)}`;
}

/** The failed tasks; where none has failed the running ones, else the last that was rendered. */
async function tellingTasks(node: ReturnType<Context['client']>, job: string): Promise<string[]> {
  const params = { job };
  const failed = await node.call('tasks', { params, query: { state: 'failed', limit: failedShown } });
  if (failed.total > 0) return failed.tasks.map((task) => task.name);
  const open = await node.call('tasks', { params, query: { state: 'open' } });
  const running = open.tasks.filter((task) => task.live.running);
  if (running.length > 0) return running.map((task) => task.name);
  for (const state of ['rendered', 'done'] as const) {
    const { total } = await node.call('tasks', { params, query: { state, limit: 1 } });
    if (total === 0) continue;
    const last = await node.call('tasks', { params, query: { state, limit: 1, offset: total - 1 } });
    return last.tasks.map((task) => task.name);
  }
  return [];
}
