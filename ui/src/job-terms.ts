import { count } from './data/format.ts';
import type { JobChange, JobSort } from './data/job-list.ts';

/** What people read of jobs beside their pages' own words; part of `terms`. */
export const troubleTerms = {
  title: 'What went wrong',
  log: (task: string) => `Log of ${task}`,
  job: (order: number, name: string) => `#${order} ${name}`,
};

/** Of what is done to several jobs at once: before, and of those that it was done to. */
const change = (verb: string, done: string, text: string) => ({
  verb,
  title: (n: number) => `${verb} ${count(n, 'job')}?`,
  text,
  done: (n: number) => `${count(n, 'job is', 'jobs are')} ${done}.`,
  partly: (n: number, of: number) => `${n} of ${count(of, 'job')} ${n === 1 ? 'is' : 'are'} ${done}. Not so:`,
});

export const jobListTerms = {
  sort: 'Sort by',
  sorts: {
    order: 'As they run',
    name: 'Name',
    state: 'State',
    progress: 'Progress',
    priority: 'Priority',
    submitted: 'Submitted',
  } satisfies Record<JobSort, string>,
  reverse: 'Reverse the order',
  select: (name: string) => `Select ${name}`,
  selectAll: 'Select all shown',
  selected: (n: number) => `${n} selected`,
  selectedLabel: 'Selected jobs',
  unchanged: (n: number) =>
    `${count(n, 'other of the selected stays', 'others of the selected stay')} as ${n === 1 ? 'it is' : 'they are'}.`,
  working: (n: number, of: number) => `${n} of ${of}`,
  notDone: 'Some were refused',
  changes: {
    pause: change('Pause', 'paused', 'What runs is finished, nothing new begins.'),
    resume: change('Resume', 'resumed', 'They go on where they stand.'),
    priority: change('Set the priority of', 'given the priority', 'From 0 to 100; the highest runs first.'),
    cancel: change(
      'Cancel',
      'canceled',
      'Rendering stops within a second. Finished frames stay; the jobs can be resumed later.',
    ),
    delete: change(
      'Delete',
      'deleted',
      'The jobs and their results leave the farm for good. Files already collected into their output folders stay.',
    ),
  } satisfies Record<JobChange, unknown>,
};

export const timesTerms = {
  title: 'Time of a frame',
  machines: 'By machine',
  none: 'Times appear here with the first finished frame.',
  median: 'Median',
  fastest: 'Fastest',
  slowest: 'Slowest',
  total: 'In all',
  totalOf: (time: string, n: number) => `${time} of rendering for ${count(n, 'frame')}`,
  left: 'Still to do',
  leftOf: (n: number, time: string) => `${count(n, 'frame')}, about ${time} of rendering`,
  nothingLeft: 'nothing',
  film: 'Film',
  frames: 'Frames',
  machine: 'Machine',
  share: (name: string) => `Share of ${name}`,
  shareHead: 'Share',
  counted: 'Of the frames as they stand: failed attempts, and results that were discarded, are left out.',
  firstOnly: (n: number, of: number) =>
    `Of the first ${count(n, 'task')} of ${of.toLocaleString('en-US')}: a page holds no more.`,
};

export const againTerms = {
  button: 'Submit again',
  title: (name: string) => `Submit “${name}” again`,
  elsewhere: (machine: string) =>
    `It was submitted on ${machine}: give the path that its scene has on this machine.`,
  notKept: 'Where its scene lay was not kept: give its path.',
  anew: 'The scene is read anew, as its file is now.',
  version: 'Blender version',
  anyVersion: 'one that fits',
  overwrite: 'Replace files of the same name in the output folder',
  kept: 'Otherwise those that stand there are kept.',
  carried: 'As before',
  type: 'Type',
  after: 'Runs after',
  machines: 'Machines at most',
};
