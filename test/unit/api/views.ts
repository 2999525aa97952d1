import type { FarmView, JobView, NightView, NodeView, SwarmView, TaskView } from '@cuadro/protocol';
import { SELF } from './door.ts';

const OTHER = '12D3KooWAtticAtticAtticAtticAtticAtticAtticAtticAtti';

/** Views as a node answers them, for tests that need no node. */

export function jobView(id: string, order: number, change: Partial<JobView> = {}): JobView {
  return {
    id,
    order,
    name: `job ${order}`,
    type: 'blender-animation',
    state: 'active',
    priority: 50,
    notes: '',
    machineLimit: 0,
    counts: { total: 3, open: 1, rendered: 1, done: 0, failed: 1, skipped: 0 },
    oneCopyOnly: 1,
    acknowledged: true,
    holders: 1,
    safety: {
      machines: 1,
      job: true,
      resultsOnOne: 1,
      resultsOnNone: 0,
      sentence: 'Safe to switch off studio: its scene and every result so far are on one other machine.',
    },
    onlyOn: [],
    submitter: SELF,
    outputFolder: `/tmp/output/${order}`,
    after: [],
    submittedAt: 1_700_000_000_000,
    settings: { frames: '1-3' },
    thumbnails: [],
    filmStale: false,
    live: { running: 1 },
    ...change,
  };
}

export function taskView(index: number, change: Partial<TaskView> = {}): TaskView {
  return {
    index,
    name: `frame ${index + 1}`,
    group: 'frame',
    number: index + 1,
    state: 'open',
    files: [],
    copies: 0,
    failures: 0,
    stale: false,
    live: { running: false },
    ...change,
  };
}

export function nodeView(): NodeView {
  return {
    peer: SELF,
    name: 'studio',
    here: true,
    coordinator: true,
    desired: 'active',
    ownerDesired: 'active',
    leaving: false,
    slots: 1,
    tags: ['gpu'],
    live: {
      reachable: true,
      running: [],
      load: 0.5,
      freeDiskBytes: 1e9,
      capabilities: {
        engines: { node: '1', blender: '3.4.1', ffmpeg: '6.1.1' },
        renderEngines: ['CYCLES'],
        denoisers: [],
        devices: ['CPU'],
        programs: [],
        scripts: false,
        tags: [],
        cores: 16,
        memoryBytes: 64 * 2 ** 30,
      },
      idleReason: 'There is no job.',
    },
  };
}

export const farmView: FarmView = {
  id: 'ffffffffffffffff',
  name: 'farm',
  members: 1,
  coordinator: SELF,
  epochTerm: 1,
  coordinators: [
    {
      peer: SELF.replaceAll('Test', 'Attc'),
      name: 'attic',
      term: 1,
      at: 1_700_000_000_000,
      cause: 'found',
      leaderlessMs: 900,
    },
    { peer: SELF, name: 'studio', term: 2, at: 1_700_000_060_000, cause: 'lost', leaderlessMs: 1_500 },
  ],
  jobs: { active: 2 },
  live: { running: 1, nodes: 1 },
};

/** A night as a node answers it. */
export function nightView(hours: number): NightView {
  const to = 1_700_000_000_000;
  const from = to - hours * 3_600_000;
  const lost = { kind: 'lost', at: from + 1_000, lasts: true, tone: 'bad' } as const;
  return {
    from,
    to,
    summary: '1 job done; 240 results rendered. 1 thing needs you.',
    needs: [{ id: 'lost', machine: SELF, sentence: "Look after attic: it can't be reached." }],
    jobs: [
      { job: 'aaaabbbbccccdddd', order: 1, name: 'film', state: 'done', sentence: 'Is done.', tone: 'good' },
    ],
    machines: [
      {
        peer: SELF,
        name: 'studio',
        results: 240,
        failures: 0,
        sentence: '240 results in 7 h of work.',
        spans: [{ state: 'rendering', from, to }],
      },
    ],
    events: [{ id: 'lost', sentence: 'attic was lost.', machines: [SELF], ...lost }],
    leftOut: 0,
  };
}

/** A swarm as a node answers it: a scene on its way to one machine, and one that waits for another. */
export function swarmView(): SwarmView {
  const attic = { peer: OTHER, name: 'attic' };
  return {
    machines: [
      {
        ...{ peer: SELF, name: 'studio', here: true, told: true },
        ...{ receivesPerSecond: 0, sendsPerSecond: 12_000_000 },
        copies: { results: 3, jobs: 0, logs: 0, asked: 1 },
        notes: [],
      },
      {
        ...{ ...attic, here: false, told: true },
        ...{ receivesPerSecond: 12_000_000, sendsPerSecond: 0 },
        copies: { results: 0, jobs: 0, logs: 0, asked: 0 },
        notes: ['Its store takes nothing more.'],
      },
    ],
    flows: [{ from: SELF, fromName: 'studio', to: OTHER, toName: 'attic', bytesPerSecond: 12_000_000 }],
    flowsLeftOut: 0,
    bundles: [
      {
        bundle: 'b'.repeat(64),
        jobs: [{ job: 'aaaabbbbccccdddd', order: 1, name: 'film' }],
        whole: { machines: 1, names: ['studio'] },
        coming: [
          {
            ...{ ...attic, sizeBytes: 100_000_000, doneBytes: 40_000_000, files: 12, doneFiles: 3 },
            bytesPerSecond: 12_000_000,
            from: [{ peer: SELF, name: 'studio', bytesPerSecond: 12_000_000 }],
            why: 'There is no room for what is missing.',
          },
        ],
      },
    ],
    single: [{ job: 'aaaabbbbccccdddd', order: 1, name: 'film', results: 3, scene: false, on: ['studio'] }],
  };
}
