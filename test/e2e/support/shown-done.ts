import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { TaskView } from '@cuadro/protocol';
import { allTasks, type Asked } from '../../../scripts/farm/verify.ts';

/** What a task gave. Equal frames are equal files, so that only machine and time tell a second rendering. */
interface Shown {
  readonly job: string;
  readonly index: number;
  readonly name: string;
  readonly result: Result;
}

interface Result {
  readonly blobs: readonly string[];
  readonly machine: string | undefined;
  readonly renderMs: number | undefined;
}

/**
 * Results that some node showed as done. From then on each must count, whoever is lost: one that was lost and rendered
 * again is a broken promise, though the same file stands there in the end.
 */
export class ShownDone {
  readonly #shown = new Map<string, Shown>();
  /** Jobs of which every task was noted. */
  readonly #complete = new Set<string>();

  get count(): number {
    return this.#shown.size;
  }

  /** Notes what these nodes show as done now, of all jobs that they know. */
  async note(nodes: readonly Asked[]): Promise<void> {
    await Promise.all(nodes.map((node) => this.#noteOf(node)));
  }

  async #noteOf(node: Asked): Promise<void> {
    const jobs = await node.client.call('jobs', {});
    const open = jobs.filter(({ id }) => !this.#complete.has(id));
    await Promise.all(
      open.map(async ({ id }) => {
        const tasks = await allTasks(node, id);
        const done = tasks.filter(({ state }) => state === 'done');
        for (const task of done) this.#take(id, task);
        if (tasks.length > 0 && done.length === tasks.length) this.#complete.add(id);
      }),
    );
  }

  #take(job: string, task: TaskView): void {
    const { index, name } = task;
    const key = `${job} ${index}`;
    // The first that was shown: what another node shows for it then is to be the same in the end.
    if (!this.#shown.has(key)) this.#shown.set(key, { job, index, name, result: resultOf(task) });
  }

  /** Each is still what its task gave, as this node shows it. */
  async check(node: Asked): Promise<void> {
    const jobs = Map.groupBy(this.#shown.values(), ({ job }) => job);
    for (const [job, shown] of jobs) {
      const tasks = new Map((await allTasks(node, job)).map((task) => [task.index, task]));
      for (const one of shown) await checkOne(node, one, tasks.get(one.index));
    }
  }
}

async function checkOne(node: Asked, { job, index, name, result }: Shown, task: TaskView | undefined) {
  const now = task === undefined ? undefined : resultOf(task);
  if (task?.state === 'done' && isDeepStrictEqual(now, result)) return;
  const told = `${name} of ${job} was shown as done (${JSON.stringify(result)}), and is ${task?.state} now`;
  assert.ok(task?.state === 'done' && now !== undefined, told);
  // Two that were made without knowledge of each other met: then the older counts (SPEC R38), and both are still done.
  const { attempts } = await node.client.call('task', { params: { job, task: `#${index}` } });
  const done = attempts.filter(({ state }) => state === 'done');
  const at = (one: Result): number =>
    done.findIndex(({ machine, renderMs }) => machine === one.machine && renderMs === one.renderMs);
  assert.ok(at(now) >= 0 && at(now) < at(result), `${told} as ${JSON.stringify(now)}`);
}

const resultOf = ({ files, machine, renderMs }: TaskView): Result => ({
  blobs: files.map(({ blob }) => blob),
  machine,
  renderMs,
});
