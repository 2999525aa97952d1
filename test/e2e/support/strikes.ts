import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type LocalFarm, type LocalNode, until } from '../../../scripts/farm/local-farm.ts';
import { filesBelow } from './media.ts';
import { viewOf } from './job-checks.ts';
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
  collect: 150,
};
/** A moment that doesn't come (all is done, or the victim has nothing to do) is not waited for: the kill comes then. */
const BEGIN_WITHIN_MS = 4_000;

export interface StrikeJob {
  readonly job: { readonly id: string; readonly name: string };
  readonly submitter: number;
}

export interface Moment {
  readonly stage: Stage;
  readonly victim: LocalNode;
  readonly latest: StrikeJob;
  /** A fraction of the stage's longest time. */
  readonly fraction: number;
  readonly arrivingBefore: readonly string[];
}

/** Waits until the stage has begun at the victim, and then for its seeded time. */
export async function momentOf(moment: Moment): Promise<void> {
  const { stage, fraction } = moment;
  const begun = beginningOf(moment);
  if (begun !== undefined) await until(`${stage} to begin`, begun, BEGIN_WITHIN_MS).catch(() => undefined);
  await pause(fraction * WITHIN_MS[stage]);
}

function beginningOf({ stage, victim, latest: { job }, arrivingBefore }: Moment) {
  const here = () => victim.client.call('here', {});
  const collected = async (): Promise<number> => (await viewOf(victim, job.id))?.live.collected ?? 0;
  switch (stage) {
    case 'submit':
      return undefined;
    case 'fetch':
      return async () => (await arriving(victim)).some((name) => !arrivingBefore.includes(name));
    case 'render':
      return async () => (await here()).sessions.some(({ state }) => state === 'rendering');
    case 'replicate':
      return async () => ((await here()).copiesToGive?.results ?? 0) > 0;
    case 'collect': {
      let before: number | undefined;
      return async () => {
        const now = await collected();
        before ??= now;
        return now > before;
      };
    }
  }
}

/** Names of what is on its way in; what an earlier kill broke off may be among it, to be gone on with. */
export const arriving = (node: LocalNode): Promise<string[]> =>
  readdir(join(node.dataFolder, 'incoming')).catch(() => []);

/** What the victim is at just before the kill, by its own account: asked so late that most of it is still so then. */
export async function workOf(victim: LocalNode): Promise<Stage[]> {
  const found: Stage[] = [];
  const here = await victim.client.call('here', {}).catch(() => undefined);
  if (here?.sessions.some(({ state }) => state === 'rendering')) found.push('render');
  const { results = 0, jobs = 0 } = here?.copiesToGive ?? {};
  if (results + jobs > 0) found.push('replicate');
  return found;
}

/** What lies about of it once it is dead: files on their way in, and on their way into output folders. */
export async function tracesOf(
  victim: LocalNode,
  farm: LocalFarm,
  arrivingBefore: readonly string[],
): Promise<Stage[]> {
  const found: Stage[] = [];
  if ((await arriving(victim)).some((name) => !arrivingBefore.includes(name))) found.push('fetch');
  const outputs = await filesBelow(join(farm.folder, 'output', victim.name));
  if (outputs.some((name) => isTemporary(name))) found.push('collect');
  return found;
}
