import { count, formatBytes } from './data/format.ts';

const rate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

/** What people read on the page of the swarm beside the node's own sentences; part of `terms`. */
export const swarmTerms = {
  title: 'Swarm',
  subtitle: 'How scenes and frames travel from machine to machine',
  live: 'Live: what the machines within reach tell of themselves.',
  rate,
  scenes: 'Scenes',
  noScenes: 'No scene is needed at the moment.',
  noJob: 'of a job that has ended',
  whole: (machines: number, names: readonly string[]) => {
    if (machines === 0) return 'No machine is known to have all of it.';
    const left = machines - names.length;
    const named = left > 0 ? [...names, `${left} more`] : names;
    const last = named.at(-1) ?? '';
    const list = named.length > 1 ? `${named.slice(0, -1).join(', ')} and ${last}` : last;
    return machines === 1 ? `Whole on ${list}.` : `Whole on ${count(machines, 'machine')}: ${list}.`;
  },
  coming: (n: number) => `Not whole on ${count(n, 'machine')}`,
  barText: (name: string) => `How much of it ${name} has`,
  done: (done: number, size: number) =>
    size === 0 ? 'about to come' : `${formatBytes(done)} of ${formatBytes(size)}`,
  missing: (bytes: number, files: number) =>
    bytes === 0 && files === 0
      ? 'nothing missing'
      : `missing: ${formatBytes(bytes)} in ${count(files, 'file')}`,
  from: (name: string, bytesPerSecond: number) => `${rate(bytesPerSecond)} from ${name}`,
  more: (n: number) => `and ${n} more`,
  quiet: 'nothing comes at the moment',
  flows: 'Between machines',
  flowsHint: 'Scenes, frames, previews and logs together, over the last seconds.',
  noFlows: 'Nothing travels at the moment.',
  flow: (from: string, to: string) => `${from} to ${to}`,
  leftOut: (n: number) => `${count(n, 'slower one is', 'slower ones are')} left out.`,
  copies: 'Second copies',
  copiesDone: 'Everything is on at least two machines.',
  copiesAlone: 'There is no second machine to give copies to.',
  single: (results: number, scene: boolean) =>
    [...(scene ? ['the scene or the plan'] : []), ...(results > 0 ? [count(results, 'result')] : [])].join(
      ' and ',
    ),
  singleOn: (names: readonly string[]) => `only on ${names.join(', ')}`,
  gives: (name: string, left: { results: number; jobs: number; logs: number }) =>
    `${name} has still to give away ${[
      ...(left.results > 0 ? [count(left.results, 'result')] : []),
      ...(left.jobs > 0 ? [count(left.jobs, 'scene')] : []),
      ...(left.logs > 0 ? [count(left.logs, 'log')] : []),
    ].join(', ')}`,
  asked: (n: number) => `${count(n, 'copy is', 'copies are')} being made now.`,
  askedNone: 'It waits for a machine that takes them.',
  machines: 'Machines',
  machine: 'Machine',
  receives: 'Receives',
  sends: 'Sends',
  none: '–',
  untold: 'tells nothing',
  here: 'this machine',
};
