import { compareText, jobControls, leavingSentence, type PeerId, type Requirements } from '@cuadro/protocol';
import type { Job } from './job.ts';
import type { Machine } from './machine.ts';
import { VERSIONED_ENGINES } from './options.ts';
import { isLate } from './pulse.ts';
import { lacksScene } from './scenes.ts';
import type { BrainState } from './state.ts';

/**
 * Which machine may have which task (SPEC R51). Each question is answered by undefined (yes) or by the one
 * sentence on why not, so that what people read is what was decided.
 */

const BY_OTHERS = 'The coordinator has no connection to it, and hears it only by way of others.';

/** Why a machine takes no task of any job. */
export function whyNoWork(state: BrainState, machine: Machine): string | undefined {
  if (state.isRemoved(machine.peer)) return 'It was removed from the farm.';
  if (state.isOut(machine.peer)) return 'It is no member of the farm any more.';
  if (!machine.reachable) return machine.relayed === true ? BY_OTHERS : "It can't be reached.";
  const unheard = whyUnheard(state, machine);
  if (unheard !== undefined) return unheard;
  if (state.isLeaving(machine.peer)) return machine.claim?.idleReason ?? leavingSentence();
  const { desired, ownerDesired } = state.desiredOf(machine.peer);
  if (ownerDesired === 'paused') return 'Its owner paused it.';
  if (desired === 'paused') return 'It is paused.';
  if (ownerDesired === 'draining') return 'Its owner lets it end what it runs and take nothing new.';
  if (desired === 'draining') return 'It ends what it runs and takes nothing new.';
  if (machine.claim === undefined) return "It hasn't said yet what it can do.";
  if (machine.claim.wants === 0) return machine.claim.idleReason ?? 'It takes no work now.';
  return undefined;
}

/**
 * A connection that brings no beacons any more counts as none (SPEC R106), and nothing is granted to whom there is none
 * (R104): it would wait for a lease's time at a machine that may have gone. In a young reign none has come yet.
 */
function whyUnheard(state: BrainState, machine: Machine): string | undefined {
  if (state.reign.role !== 'leading') return undefined;
  if (machine.relayed === true) return BY_OTHERS;
  if (machine.beaconAt === undefined || !isLate(state, machine)) return undefined;
  return 'Nothing was heard of it for some seconds.';
}

/** Why a machine takes no task of this job now, whatever the task. */
export function whyNotJob(state: BrainState, machine: Machine, job: Job): string | undefined {
  if (isSetAside(state, machine.peer, job)) {
    return `It is set aside for this job: ${job.spoiled.get(machine.peer)} tasks failed on it that others rendered.`;
  }
  const { machineLimit } = jobControls(job.record);
  if (machineLimit > 0 && !job.machines.has(machine.peer) && job.machines.size >= machineLimit) {
    return `The job is limited to ${machineLimit} ${machineLimit === 1 ? 'machine' : 'machines'}, and that many are at work on it.`;
  }
  return undefined;
}

export function isSetAside(state: BrainState, peer: PeerId, job: Job): boolean {
  return (job.spoiled.get(peer) ?? 0) >= state.options.setAsideAfter;
}

/** Why a machine isn't able to run tasks of one group of the job. */
export function whyNotAble(
  state: BrainState,
  machine: Machine,
  job: Job,
  requires: Requirements,
): string | undefined {
  const can = machine.claim?.capabilities;
  if (can === undefined) return "It hasn't said yet what it can do.";
  const { engine, program, denoiser, renderEngine } = requires;
  const version = Object.hasOwn(can.engines, engine) ? can.engines[engine] : undefined;
  // Only programs that the owner allowed make a machine one for commands.
  if (version === undefined && program !== undefined) return notAllowed(program);
  if (version === undefined) return `It has no ${title(engine)}.`;
  const wrong = whyNotVersion(job, requires, version);
  if (wrong !== undefined) return wrong;
  if (engine === 'blender' && lacksScene(state, job, machine.peer)) {
    return 'No machine that has the scene could be reached from it; it tries again.';
  }
  if (renderEngine !== undefined && !can.renderEngines.includes(renderEngine)) {
    return `Its ${title(engine)} has no ${renderEngine}.`;
  }
  if (denoiser !== undefined && !can.denoisers.includes(denoiser)) {
    return `Its ${title(engine)} has no denoiser ${denoiser}.`;
  }
  if (program !== undefined && !can.programs.includes(program)) {
    return notAllowed(program);
  }
  if (requires.scripts === true && !can.scripts) return "Its owner doesn't allow scenes' own scripts.";
  if (requires.tags === undefined || requires.tags.length === 0) return undefined;
  const given = state.nodes.get(machine.peer)?.fields.tags?.value ?? [];
  const missing = requires.tags.find((tag) => !can.tags.includes(tag) && !given.includes(tag));
  return missing === undefined ? undefined : `It hasn't the tag ${missing}.`;
}

const notAllowed = (program: string): string => `Its owner hasn't allowed the program ${program}.`;

function whyNotVersion(job: Job, { engine, engineVersion }: Requirements, has: string): string | undefined {
  if (engineVersion !== undefined && engineVersion !== has) {
    return `The job asks for ${title(engine)} ${engineVersion}, and it has ${has}.`;
  }
  const bound = VERSIONED_ENGINES.has(engine) ? job.versions.get(engine)?.version : undefined;
  if (bound === undefined || bound === has) return undefined;
  return `The job was begun with ${title(engine)} ${bound}, and it has ${has}; versions are never mixed.`;
}

/** Whether a machine could take tasks of the group if it had room. */
export function isCapable(state: BrainState, machine: Machine, job: Job, requires: Requirements): boolean {
  return (
    whyNoWork(state, machine) === undefined &&
    !isSetAside(state, machine.peer, job) &&
    whyNotAble(state, machine, job, requires) === undefined
  );
}

/** Whether a machine that could run the group is none of these. */
export function isCapableElsewhere(
  state: BrainState,
  job: Job,
  requires: Requirements,
  except: ReadonlySet<PeerId>,
): boolean {
  for (const machine of state.machines.values()) {
    if (!except.has(machine.peer) && isCapable(state, machine, job, requires)) return true;
  }
  return false;
}

/** Machines in a fixed order, whatever order they were met in. */
export function machinesInOrder(state: BrainState): Machine[] {
  return [...state.machines.values()].sort((a, b) => compareText(a.peer, b.peer));
}

/** An engine's name as people write it. */
export function title(engine: string): string {
  return engine === 'blender' ? 'Blender' : engine;
}
