import type { PeerId } from '@cuadro/protocol';
import type { Job } from './job.ts';
import { SCENE_PAUSE_MAX_MS, SCENE_PAUSE_MS } from './options.ts';
import type { BrainState } from './state.ts';

/**
 * Machines that could get a job's scene from nobody within their reach (SPEC R116). Without this the first job in order
 * would keep their places for as long as its scene is away, and no other job would go on.
 */

/** A machine gave a task back for want of the scene. */
export function sceneLacked(state: BrainState, job: Job, peer: PeerId): void {
  // What it kept ahead waited for the same scene.
  if (lacksScene(state, job, peer)) return;
  const before = job.sceneless.get(peer);
  const pauseMs = Math.min(before === undefined ? SCENE_PAUSE_MS : 2 * before.pauseMs, SCENE_PAUSE_MAX_MS);
  const until = state.now + pauseMs;
  job.sceneless.set(peer, { pauseMs, until });
  state.pauses.push(until);
}

/** Whether it is tried again only later. */
export function lacksScene(state: BrainState, job: Job, peer: PeerId): boolean {
  return (job.sceneless.get(peer)?.until ?? 0) > state.now;
}

/** Somebody came within reach who may hold scenes, or another coordinator knew: all is tried at once. */
export function forgetSceneless(state: BrainState): void {
  for (const job of state.jobs.values()) job.sceneless.clear();
}
