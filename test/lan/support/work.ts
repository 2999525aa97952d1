import type { AttemptView, FarmView, JobView, SubmittedView, TaskDetail } from '@cuadro/protocol';
import { until } from '../../e2e/support/wait.ts';
import type { LanNode } from './lan-farm.ts';

/** What machines do of a job, as a node sees it. */

type NamedJob = Pick<JobView, 'id'>;

/** Resolves once all want work: a machine that is still trying its engines would leave its task to the others. */
export async function allWantWork(node: LanNode): Promise<void> {
  await until('all machines to want work', async () =>
    (await node.nodes()).every(({ live }) => live.idleReason === 'There is nothing to render.'),
  );
}

/** The tasks of a job that a machine runs; undefined while there are none. */
export async function tasksOn(node: LanNode, job: NamedJob, machine: LanNode): Promise<number[] | undefined> {
  const { live } = (await node.nodes()).find(({ name }) => name === machine.name) ?? {};
  const tasks = live?.running.filter((running) => running.job === job.id).map(({ task }) => task) ?? [];
  return tasks.length > 0 ? tasks : undefined;
}

/** Frames that render for tens of seconds on two shared cores: none ends while its machine is being lost. */
const LONG_SAMPLES = '6000';

/**
 * Has a farm render long frames, each on a machine of its own, and tells one that runs some and does not coordinate.
 * There must be more machines than frames: so a lost frame waits for nothing but the end of its lease.
 */
export async function longFrames(
  leader: LanNode,
  nodes: readonly LanNode[],
  blend: string,
  frames: number,
): Promise<{ job: SubmittedView['job']; machine: LanNode; tasks: number[] }> {
  await allWantWork(leader);
  const { job } = await leader.submit(blend, '--frames', `1-${frames}`, '--samples', LONG_SAMPLES);
  return until('all frames to run', async () => {
    const running = await Promise.all(nodes.map((node) => tasksOn(leader, job, node)));
    if (running.filter((tasks) => tasks !== undefined).length < frames) return undefined;
    const index = nodes.findIndex((node, i) => node !== leader && running[i] !== undefined);
    return { job, machine: nodes[index] as LanNode, tasks: running[index] as number[] };
  });
}

/** The attempt of a task on another machine than the one that was lost. */
export async function takenOver(
  node: LanNode,
  job: NamedJob,
  task: number,
  lost: LanNode,
): Promise<AttemptView | undefined> {
  const { attempts } = await node.task(job.id, task);
  return attempts.find(({ machine, state }) => machine !== lost.name && state !== 'lost');
}

/** All tasks of a job with their attempts. */
export async function detailsOf(node: LanNode, { id }: NamedJob): Promise<TaskDetail[]> {
  const { counts } = await node.client.call('job', { params: { job: id } });
  return Promise.all(Array.from({ length: counts.total }, (_, index) => node.task(id, index)));
}

/** The machines whose attempts at a job count as lost, once for each attempt. */
export async function lostBy(node: LanNode, job: NamedJob): Promise<string[]> {
  const attempts = (await detailsOf(node, job)).flatMap((task) => task.attempts);
  return attempts.filter(({ state }) => state === 'lost').map(({ machine }) => machine);
}

/** For a reader of a failure: the tasks of which an attempt was lost, and what each machine held against others. */
export async function lossesOf(nodes: readonly LanNode[], job: NamedJob): Promise<string> {
  const tasks = await detailsOf(nodes[0] as LanNode, job);
  const told = tasks
    .filter(({ attempts }) => attempts.some(({ state }) => state === 'lost'))
    .map(({ name, attempts }) => `${name}: ${JSON.stringify(attempts)}`);
  const accused = nodes.map(
    async (node) => `${node.name}: ${JSON.stringify(await node.counts('cuadro_accused_total'))}`,
  );
  return [...told, ...(await Promise.all(accused))].join('\n');
}

/** How many frames of a job have a result. */
export async function framesMade(node: LanNode, { id }: NamedJob): Promise<number> {
  const { counts } = await node.client.call('job', { params: { job: id } });
  return counts.rendered + counts.done;
}

/** The machines that made results of a job so far. */
export async function makersOf(node: LanNode, { id }: NamedJob): Promise<Set<string>> {
  const { tasks } = await node.client.call('tasks', { params: { job: id } });
  return new Set(tasks.flatMap(({ machine }) => (machine === undefined ? [] : [machine])));
}

type Granted = FarmView['coordinators'][number] & { firstGrantAt: number };

/** The reign that a node began after this wall-clock time, once it has granted; it alone knows of its grants. */
export async function firstGrant(node: LanNode, after: number): Promise<Granted | undefined> {
  const { coordinators } = await node.farm();
  return coordinators.find(
    (reign): reign is Granted => reign.at >= after && reign.firstGrantAt !== undefined,
  );
}
