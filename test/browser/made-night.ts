import {
  attemptKey,
  diaryPlace,
  type DiaryEvent,
  type DiaryRecord,
  type Failure,
  type FarmView,
  type JobView,
  type NodeView,
  type PeerId,
  type PlannedTask,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import type { NightComponents } from '../../node/src/diary/night.ts';
import { ManualClock } from '../../node/src/system/manual-clock.ts';
import { farmView, jobView, nodeView } from '../unit/api/views.ts';

/**
 * The records of a night in which everything happened that a night tells of: six machines, four jobs, from ten in the
 * evening to six in the morning. What is told of it is the node's own reckoning.
 */

const MINUTE_MS = 60_000;
export const EVENING = Date.UTC(2026, 2, 4, 22);
export const NIGHT_HOURS = 8;
export const MORNING = EVENING + NIGHT_HOURS * 60 * MINUTE_MS;
/** A week before: who started then did so long ago. */
const LONG_AGO = -10_080;
const at = (minutes: number): number => EVENING + minutes * MINUTE_MS;

const NAMES = ['alba', 'belen', 'carmen', 'dolores', 'elena', 'fernanda'] as const;
export type Name = (typeof NAMES)[number];
export const peerOf = (name: Name): PeerId => `12D3KooW${name.replaceAll('l', 'L').repeat(8).slice(0, 40)}`;

export const JOBS = {
  dance: 'dancedancedanced',
  crowd: 'crowdcrowdcrowdc',
  smoke: 'smokesmokesmokes',
  retake: 'retakeretakereta',
} as const;
type JobName = keyof typeof JOBS;

type Line = readonly [minutes: number, name: Name, event: DiaryEvent];
const rests = (
  why: 'owner' | 'farm' | 'hours' | 'disk' | 'slots' | 'fault',
  sentence: string,
): DiaryEvent => ({
  ...{ kind: 'rests', why, sentence },
});
const works: DiaryEvent = { kind: 'works' };
const lost = (name: Name): DiaryEvent => ({ kind: 'lost', machine: peerOf(name) });
const back = (name: Name): DiaryEvent => ({ kind: 'back', machine: peerOf(name) });
const started = (after: 'order' | 'cut', minutes: number): DiaryEvent => ({
  ...{ kind: 'started', after, since: at(minutes) },
});
const WRONG = `c0ffee0123456789${'0'.repeat(48)}`;

/** What the machines wrote down, each in its order. */
const LINES: readonly Line[] = [
  ...NAMES.filter((name) => name !== 'elena').map(
    (name): Line => [LONG_AGO, name, { kind: 'started', after: 'first' }],
  ),
  [5, 'elena', { kind: 'started', after: 'first' }],
  [30.2, 'alba', lost('belen')],
  [75, 'belen', { kind: 'woke', forMs: 45 * MINUTE_MS }],
  [75.1, 'alba', back('belen')],
  [85.2, 'alba', lost('carmen')],
  [89, 'carmen', started('cut', 85)],
  [89.1, 'alba', back('carmen')],
  [
    ...([120, 'dolores'] as const),
    rests('disk', 'The disk has only 4.1 GiB free; 5.0 GiB are kept in reserve for the system.'),
  ],
  [150, 'belen', { kind: 'copied', results: 3 }],
  [158, 'dolores', works],
  [170, 'alba', lost('dolores')],
  [178, 'alba', back('dolores')],
  [
    ...([180, 'elena'] as const),
    rests('hours', 'These are not its hours: it works Mon–Fri 19:00–01:00, by its own clock.'),
  ],
  [200, 'alba', { kind: 'ended' }],
  [
    ...([200.02, 'belen'] as const),
    { kind: 'leads', cause: 'lost', term: 2, leaderlessMs: 900, before: peerOf('alba') },
  ],
  [250, 'belen', { kind: 'misfit', machine: peerOf('carmen'), hash: WRONG, count: 2 }],
  [270, 'carmen', rests('slots', 'It is to run no tasks for now.')],
  [290, 'carmen', works],
  [300, 'dolores', rests('fault', 'Blender did not start within 60 s.')],
  [312, 'dolores', works],
  [330, 'belen', lost('fernanda')],
  [363, 'belen', started('cut', 360)],
  [363.1, 'belen', { kind: 'leads', cause: 'found', term: 3, leaderlessMs: 0 }],
  [364, 'carmen', started('cut', 359.6)],
  [364.5, 'dolores', started('cut', 359.8)],
  [366, 'elena', started('cut', 359.2)],
  [420, 'elena', works],
  [440, 'dolores', rests('owner', 'Its owner paused it.')],
  [458, 'dolores', works],
  [460, 'alba', started('order', 200)],
  [470, 'carmen', rests('farm', 'It was paused.')],
];

export const FLAKY_TIMES = 20;
/** One that is cut off for two minutes again and again, and once more right before the morning. */
export const FLAKY: readonly Line[] = [
  ...Array.from({ length: FLAKY_TIMES }, (_, time) => 95 + time * 4).flatMap((minutes): Line[] => [
    [minutes, 'alba', lost('elena')],
    [minutes + 2, 'alba', back('elena')],
  ]),
  [479.9, 'belen', lost('elena')],
];

function diaryRecords(lines: readonly Line[]): DiaryRecord[] {
  const pages = new Map<string, DiaryRecord>();
  const written = new Map<Name, number>();
  for (const [minutes, name, event] of lines) {
    const sequence = (written.get(name) ?? 0) + 1;
    written.set(name, sequence);
    const { page, place } = diaryPlace(sequence);
    const record = pages.get(`${name} ${page}`) ?? { kind: 'diary', peer: peerOf(name), page, entries: {} };
    record.entries[place] = { sequence, wallTime: at(minutes), event };
    pages.set(`${name} ${page}`, record);
  }
  return [...pages.values()];
}

/** Tasks that came to a result, and what else is known of them. */
class Tasks {
  readonly records = new Map<string, TaskRecord>();
  #attempts = 0;

  of(job: JobName, index: number): TaskRecord {
    const key = `${JOBS[job]} ${index}`;
    const known = this.records.get(key);
    if (known !== undefined) return known;
    const record: TaskRecord = {
      ...{ kind: 'task', job: JOBS[job], index, redo: 0, retry: 0 },
      ...{ results: {}, failures: {} },
    };
    this.records.set(key, record);
    return record;
  }

  #attempt(): TaskResult['attempt'] {
    this.#attempts += 1;
    return { epoch: { term: 1, peer: peerOf('alba') }, sequence: this.#attempts };
  }

  rendered(
    job: JobName,
    index: number,
    name: Name,
    minutes: number,
    renderMinutes: number,
    held: Name[],
  ): void {
    const attempt = this.#attempt();
    this.of(job, index).results[attemptKey(attempt)] = {
      ...{ attempt, peer: peerOf(name), state: held.length > 1 ? 'done' : 'rendered', files: [] },
      holders: Object.fromEntries(held.map((one) => [peerOf(one), { held: true, counter: 1 }])),
      ...{ renderMs: renderMinutes * MINUTE_MS, wallTime: at(minutes) },
    };
  }

  failed(job: JobName, index: number, name: Name, minutes: number, told: Reason) {
    const attempt = this.#attempt();
    const failure: Failure = { attempt, peer: peerOf(name), lines: [], wallTime: at(minutes), ...told };
    this.of(job, index).failures[attemptKey(attempt)] = failure;
    return failure;
  }
}

type Reason = Pick<Failure, 'cause' | 'code' | 'message'>;
const CRASH: Reason = { cause: 'failed', code: 'crashed', message: 'Blender crashed in frame 12.' };
const NO_CACHE: Reason = {
  ...{ cause: 'failed', code: 'render-failed' },
  message: 'The cache /mnt/projects/lanterns/caches/smoke_v007/0011.vdb is missing.',
};
const VANISHED: Reason = {
  ...{ cause: 'lost', code: 'machine-lost', message: 'The machine vanished while it ran this.' },
};

/** Frames that each machine rendered of a job: one after the other, from one minute to another. */
const WORK: readonly (readonly [JobName, Name, from: number, to: number, minutes: number])[] = [
  ['smoke', 'alba', 12, 60, 4],
  ['smoke', 'belen', 12, 30, 4],
  ['smoke', 'carmen', 12, 60, 4],
  ['dance', 'dolores', 12, 118, 6],
  ['dance', 'elena', 12, 178, 9],
  ['dance', 'alba', 62, 198, 5],
  ['dance', 'belen', 76, 358, 7],
  ['dance', 'carmen', 90, 268, 8],
  ['dance', 'dolores', 180, 298, 6],
  ['dance', 'carmen', 292, 356, 8],
  ['crowd', 'dolores', 366, 438, 11],
  ['crowd', 'belen', 366, 478, 6],
  ['crowd', 'elena', 422, 478, 9],
  ['crowd', 'alba', 462, 478, 5],
];

function tasksOf(): Tasks {
  const tasks = new Tasks();
  const next: Record<JobName, number> = { dance: 0, crowd: 0, smoke: 0, retake: 0 };
  for (const [job, name, from, to, minutes] of WORK)
    for (let end = from + minutes; end <= to; end += minutes) {
      // The eleventh frame of the smoke fails wherever it is tried.
      if (job === 'smoke' && next.smoke === 10) next.smoke += 1;
      const held: Name[] =
        job === 'crowd' && end > 470 ? [name] : [name, name === 'belen' ? 'carmen' : 'belen'];
      tasks.rendered(job, next[job]++, name, end, minutes * 0.95, held);
    }
  tasks.rendered('dance', next.dance, 'belen', 359, 1, ['belen', 'carmen']);
  tasks.failed('dance', 11, 'dolores', 100, CRASH);
  tasks.failed('smoke', 9, 'belen', 30.2, VANISHED);
  tasks.failed('smoke', 11, 'belen', 30.2, VANISHED);
  for (const [minutes, name] of [
    [62, 'alba'],
    [64, 'carmen'],
    [66, 'dolores'],
  ] as const) {
    const { attempt, code, message, wallTime, peer } = tasks.failed('smoke', 10, name, minutes, NO_CACHE);
    tasks.of('smoke', 10).failed = { attempt, code, message, wallTime, peer };
  }
  // Only alba held them, which was off.
  for (const [minutes, index] of [
    [225, 0],
    [233, 1],
    [241, 2],
  ] as const) {
    tasks.rendered('retake', index, 'alba', 190 + index, 5, ['alba']);
    tasks.rendered('retake', index, 'carmen', minutes, 5, ['carmen', 'belen']);
  }
  return tasks;
}

const filmOf = (job: JobName, total: number): PlannedTask | undefined =>
  job === 'dance' ? ({ index: total - 1, name: 'film', work: { kind: 'film' } } as PlannedTask) : undefined;

function jobOf(tasks: Tasks, job: JobName, order: number, change: Partial<JobView>): JobView {
  const records = [...tasks.records.values()].filter((one) => one.job === JOBS[job]);
  const withResult = records.filter(({ results }) => Object.keys(results).length > 0);
  const total = change.state === 'active' ? 60 : records.length;
  const counts = {
    ...{ total, rendered: 0, done: withResult.length, skipped: 0 },
    ...{ failed: records.length - withResult.length, open: total - records.length },
  };
  return jobView(JOBS[job], order, {
    ...{ name: job, submitter: peerOf('alba'), submittedAt: at(8), counts, oneCopyOnly: 0 },
    ...{ live: { running: 0 }, ...change },
  });
}

function nodeOf(name: Name): NodeView {
  const { live, ...view } = nodeView();
  return {
    ...{ ...view, peer: peerOf(name), name, here: name === 'alba', coordinator: name === 'belen' },
    live: { ...live, reachable: name !== 'fernanda' },
  };
}

export interface MadeNight {
  readonly jobs: JobView[];
  readonly nodes: NodeView[];
  readonly farm: FarmView;
  /** Of what the night is reckoned, in the morning after. */
  readonly components: NightComponents;
}

export function makeNight(more: readonly Line[] = []): MadeNight {
  const records = diaryRecords([...LINES, ...more].sort(([a], [b]) => a - b));
  const tasks = tasksOf();
  const jobs = [
    jobOf(tasks, 'dance', 41, { name: 'Dance of the lanterns', state: 'done', changedAt: at(359) }),
    jobOf(tasks, 'smoke', 42, {
      name: 'Smoke',
      state: 'failed',
      changedAt: at(66),
      submittedAt: at(9),
      reason: '1 of its frames failed.',
    }),
    jobOf(tasks, 'retake', 43, { name: 'Retake', state: 'done', submittedAt: at(184), changedAt: at(241) }),
    jobOf(tasks, 'crowd', 44, {
      ...{
        name: 'Crowd in the market square',
        state: 'active',
        submittedAt: at(300),
        submitter: peerOf('dolores'),
      },
      live: { running: 3, remainingMs: 95 * MINUTE_MS },
    }),
  ];
  const names = new Map(Object.entries(JOBS).map(([name, id]) => [id as string, name as JobName]));
  const nodes = NAMES.map(nodeOf);
  const farm: FarmView = { ...farmView, members: nodes.length, coordinator: peerOf('belen') };
  return {
    ...{ jobs, nodes, farm },
    components: {
      clock: new ManualClock({ wallTimeMs: MORNING }),
      queries: {
        ...{ jobs: () => jobs, nodes: () => nodes, farm: () => farm, memberRecords: () => [] },
        diaryRecords: () => records,
        taskRecord: (job, index) => tasks.records.get(`${job} ${index}`),
        plannedTask: (job, index) => {
          const total = jobs.find(({ id }) => id === job)?.counts.total ?? 0;
          const film = filmOf(names.get(job) ?? 'crowd', total);
          if (index === film?.index) return film;
          return { index, name: `frame ${index + 1}`, work: { kind: 'blender-frame' } } as PlannedTask;
        },
      },
    },
  };
}
