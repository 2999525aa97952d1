import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView } from '@cuadro/protocol';
import { type LocalFarm, type LocalNode, until } from '../../../scripts/farm/local-farm.ts';
import { appearance } from './appearance.ts';
import { filesBelow } from './media.ts';
import { pause } from './wait.ts';
import { isTemporary } from './watched-folders.ts';

/** The seeded moments at which nodes of a farm are killed, and what each kill turns out to have interrupted. */

export const STAGES = ['submit', 'fetch', 'render', 'replicate', 'collect'] as const;
export type Stage = (typeof STAGES)[number];

/** From the moment at which a stage has begun to the kill: as long as the stage takes here, and a little over. */
const WITHIN_MS: Record<Stage, number> = {
  submit: 3_000,
  fetch: 400,
  render: 1_500,
  replicate: 150,
  // Of one file on its way into an output folder, half of which stand there for less than 7 ms under their first name.
  collect: 4,
};
/** A collection is struck at one of the next few files. */
const NEXT_FILES = 4;
/** A moment that doesn't come (all is done, or the victim has nothing to do) is not waited for: the kill comes then. */
const BEGIN_WITHIN_MS = 4_000;
/** A job's first results take longer than that where its scene has to be fetched and Blender to be started. */
const COLLECT_WITHIN_MS = 15_000;

export interface StrikeJob {
  readonly job: Pick<JobView, 'id' | 'name' | 'outputFolder'>;
  readonly submitter: number;
}

export interface Moment {
  readonly stage: Stage;
  readonly victim: LocalNode;
  /** Where the victim puts what it collects. */
  readonly outputFolders: readonly string[];
  /** A fraction of the stage's longest time. */
  readonly fraction: number;
  /** The same of the next few files. */
  readonly whichFraction: number;
  readonly arrivingBefore: readonly string[];
}

/** Whether a stage begins with a file that stands too shortly to ask the victim anything before the kill. */
export const beginsWithFile = (stage: Stage): boolean => stage === 'collect';

/** Waits until the stage has begun at the victim, and then for its seeded time. */
export async function momentOf(moment: Moment): Promise<void> {
  const { stage, fraction } = moment;
  await beginningOf(moment);
  // Nothing at all where it comes to nothing, as a timer takes a millisecond at least.
  const waitMs = Math.floor(fraction * WITHIN_MS[stage]);
  if (waitMs > 0) await pause(waitMs);
}

async function beginningOf(moment: Moment): Promise<void> {
  const { stage, victim, outputFolders, whichFraction, arrivingBefore } = moment;
  const here = () => victim.client.call('here', {});
  const begun = async (condition: () => Promise<boolean>): Promise<void> => {
    await until(`${stage} to begin`, condition, BEGIN_WITHIN_MS).catch(() => undefined);
  };
  switch (stage) {
    case 'submit':
      return;
    case 'fetch':
      return begun(async () => (await arriving(victim)).some((name) => !arrivingBefore.includes(name)));
    case 'render':
      return begun(async () => (await here()).sessions.some(({ state }) => state === 'rendering'));
    case 'replicate':
      return begun(async () => ((await here()).copiesToGive?.results ?? 0) > 0);
    case 'collect': {
      const which = 1 + Math.floor(whichFraction * NEXT_FILES);
      return appearance({ folders: outputFolders, isOne: isTemporary, which, withinMs: COLLECT_WITHIN_MS });
    }
  }
}

/** Names of what is on its way in; what an earlier kill broke off may be among it, to be gone on with. */
export const arriving = (node: LocalNode): Promise<string[]> =>
  readdir(join(node.dataFolder, 'incoming')).catch(() => []);

/**
 * What the victim is at just before the kill, by its own account: asked so late that most of it is still so then.
 * Undefined where it gives none.
 */
export async function workOf(victim: LocalNode): Promise<Stage[] | undefined> {
  const here = await victim.client.call('here', {}).catch(() => undefined);
  if (here === undefined) return undefined;
  const found: Stage[] = [];
  if (here.sessions.some(({ state }) => state === 'rendering')) found.push('render');
  const { results = 0, jobs = 0 } = here.copiesToGive ?? {};
  if (results + jobs > 0) found.push('replicate');
  return found;
}

/** Names of what is on its way into the output folders; also here an earlier kill may have left some. */
export const collecting = async (node: LocalNode, farm: LocalFarm): Promise<string[]> =>
  (await filesBelow(join(farm.folder, 'output', node.name))).filter((name) => isTemporary(name));

/** What lies about of it once it is dead: files on their way in, and on their way into output folders. */
export async function tracesOf(
  victim: LocalNode,
  farm: LocalFarm,
  before: { readonly arriving: readonly string[]; readonly collecting: readonly string[] },
): Promise<Stage[]> {
  const found: Stage[] = [];
  if ((await arriving(victim)).some((name) => !before.arriving.includes(name))) found.push('fetch');
  if ((await collecting(victim, farm)).some((name) => !before.collecting.includes(name)))
    found.push('collect');
  return found;
}
