import { count } from './data/format.ts';

/** What people read of done and collected jobs, which keep room until they are deleted; part of `terms`. */
export const retentionTerms = {
  title: 'Done and collected jobs',
  none: 'No job that was submitted here is done.',
  stays: (n: number) => `${count(n, 'job')} from here ${n === 1 ? 'is' : 'are'} done; none can be freed yet.`,
  frees: (n: number, size: string) =>
    `${count(n, 'job')} from here ${n === 1 ? 'is' : 'are'} done and collected; deleting ${n === 1 ? 'it' : 'them'} frees ${size} on this machine.`,
  keeps: (size: string, why: string | undefined) => (why === undefined ? size : `${size} · ${why}`),
  more: (n: number) => `and ${count(n, 'more job')}`,
  free: (size: string) => `Free ${size}`,
  notYet: 'Not yet:',
  reading: 'Reading the collected files…',
  freeTitle: (n: number) => `Delete ${count(n, 'job')} from the farm?`,
  freeText: (size: string) =>
    `That frees ${size} on this machine, and as much on each other one that holds a copy. Each collected file is read in its output folder first, and stays there; a job of which one is gone or was changed is kept.`,
  confirm: (n: number) => `Delete ${count(n, 'job')}`,
  freed: (n: number, size: string) => `${count(n, 'job')} deleted, ${size} freed on this machine.`,
  kept: (name: string, why: string) => `“${name}” stays: ${why}`,
  keepDays: 'Days until a collected job is deleted',
  keepDaysHint: 'of jobs from here; their collected files stay; 0: never by itself',
  failed: 'What would be freed is not known now.',
};
