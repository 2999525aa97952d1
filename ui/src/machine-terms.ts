import type { FarmView, NodeView } from '@cuadro/protocol';

type Reign = FarmView['coordinators'][number];

/** What people read about the machines of the farm and who coordinates it; part of `terms`. */
const renderEngines: Record<string, string> = {
  CYCLES: 'Cycles',
  BLENDER_EEVEE: 'EEVEE',
  BLENDER_EEVEE_NEXT: 'EEVEE',
  BLENDER_WORKBENCH: 'Workbench',
};

export const machineTerms = {
  /** As Blender's own menus write it; add-ons' engines keep their names. */
  renderEngine: (name: string) => renderEngines[name] ?? name,
  coordinator: 'coordinator',
  here: 'this machine',
  unreachable: 'Not reachable',
  unreachableText: 'What it ran is rendered elsewhere. It comes back by itself.',
  pausedWhenBack: 'It stays paused until it is resumed.',
  rendering: (n: number) => `${n.toLocaleString('en-US')} ${n === 1 ? 'task' : 'tasks'}`,
  idle: 'Idle',
  paused: 'Paused',
  draining: 'Finishing, then paused',
  pausedByOwner: 'Paused by its owner',
  drainingByOwner: 'Finishing for its owner',
  leaving: 'Leaving the farm',
  onlyOwner: 'Only its owner can let it go on: on the machine itself.',
  pause: 'Pause',
  drain: 'Finish and pause',
  resume: 'Resume',
  action: (action: string, name: string) => `${action}: ${name}`,
  pauseHint: 'At once: what it renders stops, and is rendered later or elsewhere.',
  drainHint: 'It ends what it renders, and takes nothing new.',
  can: 'What it can do',
  noBlender: 'no Blender',
  noFfmpeg: 'no ffmpeg',
  blender: (version: string) => `Blender ${version}`,
  ffmpeg: (version: string) => `ffmpeg ${version}`,
  cores: (n: number) => (n === 1 ? '1 core' : `${n} cores`),
  memory: (bytes: string) => `${bytes} memory`,
  free: (bytes: string) => `${bytes} disk free`,
  load: (load: number) => `load ${load.toFixed(1)}`,
  slots: (n: number) => `${n} tasks at a time`,
  unknownYet: 'It has not said yet what it can do.',
  tags: 'Tags',
  noTags: 'No tags',
  editTags: 'Tags',
  tagsHint: 'Words that jobs can ask for, with commas: gpu, fast',
};

export const activityTerms = {
  title: 'The last 12 hours',
  now: 'now',
  total: ({ results, failures, misfits }: { results: number; failures: number; misfits: number }) =>
    [
      `${results.toLocaleString('en-US')} ${results === 1 ? 'result' : 'results'}`,
      ...(failures > 0 ? [activityTerms.failed(failures)] : []),
      ...(misfits > 0 ? [activityTerms.misfits(misfits)] : []),
    ].join(', '),
  /** Sent to others, who dropped them. */
  misfits: (n: number) => `${n.toLocaleString('en-US')} wrong ${n === 1 ? 'piece' : 'pieces'} sent`,
  failed: (n: number) => `${n.toLocaleString('en-US')} failed`,
  label: (name: string, total: string, busy: string) =>
    `${name}, the last 12 hours: ${total}; it rendered ${busy} of the time`,
};

export const coordinatorTerms = {
  title: 'Coordinator',
  leads: (name: string, since: string) => `${name} has led since ${since}.`,
  /** Where this machine's node started later than that one's reign, it knows of no beginning. */
  leadsAlready: (name: string) => `${name} leads.`,
  nobody: 'Nobody leads at the moment. What runs goes on, and another machine takes over by itself.',
  what: 'It gives out the work. Any machine can; when it is lost, another takes over by itself.',
  history: 'History',
  historyHint: 'As this machine saw it since its node started.',
  more: (n: number) => `${n} earlier`,
  /** Why this one led, in plain words; `before` is the one that led until then. */
  cause: ({ cause }: Reign, before: string | undefined): string => {
    switch (cause) {
      case 'first':
        return 'Nobody led, so it stood.';
      case 'found':
        return 'It led already when this machine found it.';
      case 'lost':
        return `It took over: ${before ?? 'the one before'} was lost.`;
      case 'yielded':
        return `Two led at once, and met: ${before ?? 'the other'} gave way.`;
    }
  },
  leaderless: (time: string) => `Nobody led for ${time}.`,
  firstGrant: (time: string) => `First work given out after ${time}.`,
};

/** A machine's state in a few words. */
export function nodeStateText({ live, leaving, ownerDesired, desired }: NodeView): string {
  const t = machineTerms;
  if (!live.reachable) return t.unreachable;
  if (leaving) return t.leaving;
  if (ownerDesired === 'paused') return t.pausedByOwner;
  if (desired === 'paused') return t.paused;
  if (ownerDesired === 'draining') return t.drainingByOwner;
  if (desired === 'draining') return t.draining;
  return live.running.length > 0 ? t.rendering(live.running.length) : t.idle;
}
