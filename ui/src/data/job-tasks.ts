import type { TaskView } from '@cuadro/protocol';
import { RequestError, request } from './client.ts';
import { TASK_PAGE_SIZE, TASKS_HELD_MAX } from './limits.ts';
import { keep } from './same.ts';

/** The tasks of one job that this page holds: read in pages, then replaced one by one by events. */
export class JobTasks {
  readonly job: string;
  /** In the plan's order; a new array after each change, with unchanged tasks kept as they are. */
  list: readonly TaskView[] = [];
  total = 0;
  state: 'reading' | 'ready' | 'failed' = 'reading';
  error: string | undefined;
  readonly #told: () => void;
  readonly #byIndex = new Map<number, TaskView>();
  #reading = 0;
  /** Tasks that events brought while a page was read: they are newer than the page. */
  #fresh: Set<number> | undefined;

  constructor(job: string, told: () => void) {
    this.job = job;
    this.#told = told;
  }

  get(index: number): TaskView | undefined {
    return this.#byIndex.get(index);
  }

  /** Reads all pages, up to the bound. Failures are kept in `state` and `error`. */
  async read(): Promise<void> {
    const reading = ++this.#reading;
    this.#fresh = new Set();
    try {
      for (let offset = 0; offset < TASKS_HELD_MAX; offset += TASK_PAGE_SIZE) {
        const page = await request('tasks', {
          params: { job: this.job },
          query: { offset, limit: TASK_PAGE_SIZE },
        });
        if (reading !== this.#reading) return;
        this.total = page.total;
        for (const task of page.tasks) {
          if (!this.#fresh.has(task.index))
            this.#byIndex.set(task.index, keep(this.#byIndex.get(task.index), task));
        }
        this.#list();
        this.state = 'ready';
        this.error = undefined;
        this.#told();
        if (offset + TASK_PAGE_SIZE >= page.total) break;
      }
    } catch (error) {
      if (reading !== this.#reading) return;
      this.state = this.#byIndex.size > 0 ? 'ready' : 'failed';
      this.error = error instanceof RequestError ? error.message : String(error);
      this.#told();
    } finally {
      if (reading === this.#reading) this.#fresh = undefined;
    }
  }

  put(tasks: readonly TaskView[]): void {
    for (const task of tasks) {
      if (task.index >= TASKS_HELD_MAX) continue;
      this.#fresh?.add(task.index);
      this.#byIndex.set(task.index, keep(this.#byIndex.get(task.index), task));
    }
    this.#list();
  }

  #list(): void {
    this.list = [...this.#byIndex.values()].sort((a, b) => a.index - b.index);
  }
}
