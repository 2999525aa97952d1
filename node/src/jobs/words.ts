import { formatHours, type NodeView, type RouteBody } from '@cuadro/protocol';

/** What a change did, in words: the answer to whoever asked for it. */

const JOB_WORDS = {
  active: 'The job goes on.',
  paused: 'The job is paused; running tasks end.',
  canceled: 'The job is canceled.',
};

export function jobChanged({
  desired,
  priority,
  name,
  notes,
  machineLimit,
  failureShare,
}: RouteBody<'setJob'>): string {
  const parts = [
    desired !== undefined && JOB_WORDS[desired],
    priority !== undefined && `The job's priority is ${priority}.`,
    name !== undefined && `The job is called ${name}.`,
    notes !== undefined && "The job's notes are kept.",
    machineLimit !== undefined &&
      (machineLimit === 0
        ? 'Any number of machines may work on the job.'
        : `At most ${machineLimit} ${machineLimit === 1 ? 'machine works' : 'machines work'} on the job at once.`),
    failureShare !== undefined &&
      `The job is given up when ${Math.round(failureShare * 100)} % of its tasks have failed.`,
  ];
  return parts.filter((part) => part !== false).join(' ') || 'Nothing is changed.';
}

/** `after` is the machine as the change left it: what the farm and what its owner want of it both hold (SPEC R37). */
export function nodeChanged(
  after: Pick<NodeView, 'name' | 'desired' | 'ownerDesired'>,
  { desired, ownerDesired, tags, hours, slots, leaving }: RouteBody<'setNode'>,
): string {
  const { name } = after;
  const parts = [
    (desired ?? ownerDesired) !== undefined && desiredNow(after, ownerDesired === undefined),
    tags !== undefined &&
      (tags.length === 0
        ? `${name} has no tags of ours any more.`
        : `${name} has the tags ${tags.join(', ')}.`),
    hours !== undefined &&
      (hours.spans.length === 0
        ? `${name} works at any time.`
        : `${name} works ${formatHours(hours)}, by its own clock.`),
    leaving !== undefined &&
      (leaving.wanted
        ? `${name} leaves the farm as soon as what only it holds is elsewhere.`
        : `${name} stays in the farm.`),
    slots !== undefined && `${name} runs at most ${slots} ${slots === 1 ? 'task' : 'tasks'} at a time.`,
  ];
  return parts.filter((part) => part !== false).join(' ') || 'Nothing is changed.';
}

/** `byFarm`: it was not the owner who asked, and who may not end what the owner wants. */
function desiredNow(
  { name, desired, ownerDesired }: Pick<NodeView, 'name' | 'desired' | 'ownerDesired'>,
  byFarm: boolean,
): string {
  const isOwners = desired === 'active' && ownerDesired !== 'active';
  const also = isOwners && byFarm ? '; only its owner can let it go on' : '';
  switch (desired === 'paused' || ownerDesired === 'paused' ? 'paused' : isOwners ? ownerDesired : desired) {
    case 'active':
      return `${name} takes work.`;
    case 'draining':
      return `${name} ends what it renders, and takes nothing new${also}.`;
    case 'paused':
      return `${name} is paused: what it rendered is rendered elsewhere${also}.`;
  }
}
