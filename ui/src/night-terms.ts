import type { NightState, NightTone } from '@cuadro/protocol';

/** What people read on the page of the night beside the node's own sentences; part of `terms`. */
export const nightTerms = {
  title: 'Overnight',
  span: 'How far back',
  hours: (n: number) => `${n} hours`,
  range: (from: string, to: string) => `${from} to ${to}`,
  needs: 'Needs you',
  nothingNeeds: 'Nothing needs you.',
  jobs: 'Jobs',
  noJobs: 'No job was at work in this time.',
  machines: 'Machines',
  events: 'What happened',
  noEvents: 'Nothing happened in this time.',
  leftOut: (n: number) => `${n.toLocaleString('en-US')} earlier events are left out.`,
  show: 'Show',
  shown: { all: 'Everything', jobs: 'Jobs', machines: 'Machines' },
  legend: 'Legend',
  until: (time: string) => `until ${time}`,
  lasts: 'still so',
  timeline: (name: string, text: string) => `${name}: ${text}`,
  states: {
    rendering: 'rendering',
    idle: 'idle',
    resting: 'at rest',
    paused: 'paused',
    full: 'disk full',
    asleep: 'asleep',
    off: 'off',
    lost: 'out of reach',
  } satisfies Record<NightState, string>,
  tones: { good: 'good', note: '', odd: 'notable', bad: 'bad' } satisfies Record<NightTone, string>,
};
