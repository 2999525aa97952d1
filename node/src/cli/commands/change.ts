import { type ChangeView, EXIT, type ExitCode, type RouteBody } from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { jobTitle } from '../text.ts';

/** Changes to jobs and to this machine. */

const verbs = { active: 'resume', paused: 'pause', canceled: 'cancel' } as const;

export async function setDesired(
  context: Context,
  jobs: readonly string[],
  desired: keyof typeof verbs,
  options: { here?: boolean; machine?: string[] } = {},
): Promise<ExitCode> {
  const verb = verbs[desired];
  const machines = options.machine ?? [];
  if (machines.length > 0 && desired !== 'canceled') {
    if (jobs.length > 0 || options.here === true)
      throw new UsageError(`Name jobs, or give --machine or --here, not both: cuadro ${verb} --machine NAME`);
    const { setMachines } = await import('./nodes.ts');
    return setMachines(context, machines, desired);
  }
  if (options.here === true) {
    if (jobs.length > 0) throw new UsageError(`Name jobs or give --here, not both: cuadro ${verb} --here`);
    const body: RouteBody<'setNode'> = { ownerDesired: desired === 'active' ? 'active' : 'paused' };
    return answer(context, [await context.client().call('setNode', { params: { node: 'here' }, body })]);
  }
  if (jobs.length === 0) throw new UsageError(`Name a job: cuadro ${verb} JOB (cuadro jobs lists them).`);
  const node = context.client();
  return each(context, jobs, (job) => node.call('setJob', { params: { job }, body: { desired } }));
}

export async function setPriority(context: Context, job: string, priority: number): Promise<ExitCode> {
  const change = await context.client().call('setJob', { params: { job }, body: { priority } });
  return answer(context, [change]);
}

export async function requeue(
  context: Context,
  job: string,
  tasks: readonly string[],
  options: { failed?: boolean; all?: boolean },
): Promise<ExitCode> {
  const ways = [tasks.length > 0, options.failed === true, options.all === true].filter(Boolean).length;
  if (ways > 1) throw new UsageError('Give tasks, --failed or --all, and only one of them.');
  const chosen = options.all === true ? 'all' : tasks.length > 0 ? [...tasks] : 'failed';
  const client = context.client();
  return answer(context, [await client.call('requeue', { params: { job }, body: { tasks: chosen } })]);
}

export async function deleteJobs(
  context: Context,
  jobs: readonly string[],
  options: { yes?: boolean },
): Promise<ExitCode> {
  const node = context.client();
  const { ask } = context.line;
  if (options.yes !== true && ask !== undefined && !context.output.json) {
    const found = await Promise.all(jobs.map((job) => node.call('job', { params: { job } })));
    const names = found.map(jobTitle).join(', ');
    if (!(await ask(`Delete ${names}? Collected files stay, frames in the store go. [y/N] `))) {
      context.output.note('Nothing was deleted.');
      return EXIT.failure;
    }
  }
  return each(context, jobs, (job) => node.call('deleteJob', { params: { job } }));
}

/** One after the other; the first that fails ends it, after the others' answers were printed. */
async function each(
  context: Context,
  jobs: readonly string[],
  change: (job: string) => Promise<ChangeView>,
): Promise<ExitCode> {
  const answers: ChangeView[] = [];
  for (const job of jobs) {
    answers.push(await change(job));
    if (!context.output.json) context.output.print(answers.at(-1)?.message ?? '');
  }
  if (context.output.json) context.output.printJson(answers);
  return EXIT.ok;
}

function answer({ output }: Context, changes: readonly ChangeView[]): ExitCode {
  if (output.json) output.printJson(changes.length === 1 ? changes[0] : changes);
  else for (const change of changes) output.print(change.message);
  return EXIT.ok;
}
