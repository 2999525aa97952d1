import { count } from './data/format.ts';

/** What people read where a machine leaves its farm, by itself or since somebody removes it; part of `terms`. */
const lost = 'Results are then rendered again, and a scene has to be submitted again.';

export const departureTerms = {
  leave: 'Leave the farm',
  remove: 'Remove',
  removeHeading: 'Remove from the farm',
  leaveHint: 'What only this machine holds goes to others first. It is final for its key.',
  removeHint: 'What only it holds goes to others first. It is final for its key.',
  onlyOne: 'This machine is the only one in its farm: there is nobody to leave.',
  leaveTitle: (farm: string) => `Leave “${farm}”?`,
  removeTitle: (name: string) => `Remove “${name}” from the farm?`,
  leaveText:
    'It takes no more work, and what it renders is rendered elsewhere. This is final for its key: to be in a farm again, it needs a new data folder.',
  removeText:
    'It gets no more work and reads nothing more. What it rendered stays. This is final for its key: it can not be admitted again.',
  nothingHeld: 'Everything that this machine holds is on another one, too.',
  heldHere: (what: string) => `Only this machine holds ${what}. That goes to other machines first`,
  heldAlone: (what: string) =>
    `Only this machine holds ${what}, and no other machine can be reached to take it`,
  heldThere: (what: string) => `Only it holds ${what}. That goes to other machines first`,
  heldAway: (what: string) =>
    `Only it holds ${what}. It can't be reached, so that can't be moved: start it and remove it then, or lose that.`,
  moreJobs: (n: number) => `and of ${count(n, 'more job')}`,
  ownJobs: (n: number) =>
    `${count(n, 'job')} of this machine ${n === 1 ? 'goes' : 'go'} on without it; “cuadro fetch” on another brings the files.`,
  leaveAtOnce: `Leave at once, and lose what only this machine holds. ${lost}`,
  leaveUnheard: 'Leave at once: no other machine can be reached, so nobody hears of it.',
  removeAtOnce: `Remove it at once, and lose what only it holds. ${lost}`,
  removeLost: `It won't come back: remove it at once, and lose that. ${lost}`,
  reason: 'Why (it is shown there)',
  confirmLeave: 'Leave',
  confirmLeaveAtOnce: 'Leave at once',
  confirmRemove: 'Remove',
  confirmRemoveAtOnce: 'Remove at once',
  stay: 'Stay in the farm',
  letStay: 'Let it stay',
  leaving: 'Leaving',
  action: (action: string, name: string) => `${action}: ${name}`,
  movesFrom: (name: string) => `What only ${name} holds goes to others.`,
  unreachable: (name: string) => `${name} can't be reached any more.`,
  moved: (n: number, of: number) =>
    `${n.toLocaleString('en-US')} of ${count(of, 'result or scene', 'results and scenes')} moved`,
  movedLabel: (name: string) => `What only ${name} holds: moved`,
};
