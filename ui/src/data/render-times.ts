import type { TaskView } from '@cuadro/protocol';

/** How long tasks took, in milliseconds. */
export interface Spread {
  count: number;
  minMs: number;
  medianMs: number;
  maxMs: number;
  totalMs: number;
}

export interface JobTimes {
  /** Of the frames that have a result; undefined before the first. */
  frames: (Spread & { fastest: TaskView; slowest: TaskView }) | undefined;
  /** By the machine's name, as tasks tell it; whoever rendered most comes first. */
  machines: (Spread & { machine: string })[];
  /** Frames that are still to be rendered, and how long machines work on them at the median, by which the end is forecast. */
  open: number;
  leftMs: number | undefined;
  filmMs: number | undefined;
}

type Timed = TaskView & { renderMs: number };
const isTimed = (task: TaskView): task is Timed => task.renderMs !== undefined;

/** How long the results of a job took that count: of failed attempts and discarded results no record tells it. */
export function jobTimes(tasks: readonly TaskView[]): JobTimes {
  const frames = tasks.filter(({ group }) => group !== 'film');
  const timed = frames.filter(isTimed).sort((a, b) => a.renderMs - b.renderMs);
  const all = spreadOf(timed);
  const [fastest] = timed;
  const slowest = timed.at(-1);
  const machines = [...Map.groupBy(timed, ({ machine }) => machine ?? '')]
    .flatMap(([machine, own]) => {
      const spread = spreadOf(own);
      return spread === undefined ? [] : [{ machine, ...spread }];
    })
    .sort((a, b) => b.count - a.count || a.machine.localeCompare(b.machine));
  const open = frames.filter(({ state }) => state === 'open');
  const parts = open.reduce((sum, { live }) => sum + 1 - (live.running ? (live.fraction ?? 0) : 0), 0);
  const film = tasks.find(({ group, renderMs }) => group === 'film' && renderMs !== undefined);
  return {
    frames:
      all === undefined || fastest === undefined || slowest === undefined
        ? undefined
        : { ...all, fastest, slowest },
    machines,
    open: open.length,
    leftMs: all === undefined || open.length === 0 ? undefined : parts * all.medianMs,
    filmMs: film?.renderMs,
  };
}

/** Of tasks in the order of their times; undefined of none. */
function spreadOf(timed: readonly Timed[]): Spread | undefined {
  const [first] = timed;
  const last = timed.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const upper = timed[Math.floor(timed.length / 2)] ?? last;
  const lower = timed[Math.ceil(timed.length / 2) - 1] ?? first;
  return {
    count: timed.length,
    minMs: first.renderMs,
    medianMs: (lower.renderMs + upper.renderMs) / 2,
    maxMs: last.renderMs,
    totalMs: timed.reduce((sum, { renderMs }) => sum + renderMs, 0),
  };
}
