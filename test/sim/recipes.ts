import { createHash } from 'node:crypto';
import {
  encode,
  fieldSubject,
  PlanView,
  signField,
  signJobSpec,
  type Bundle,
  type JobRecord,
  type Plan,
  type PlanGroup,
} from '@cuadro/protocol';
import type { JobsComponents } from '../../node/src/jobs/interface.ts';
import type { Dice } from './dice.ts';
import type { Nature } from './workshop.ts';

/** What the jobs of a run are like: their plans, their scenes, and how their tasks go. */

/** Files above this travel in pieces (SPEC R56). */
const LARGE_BYTES = 1_200_000;

export function planOf(dice: Dice): Plan {
  const tasks = dice.weighted([
    [4, dice.whole(1, 4)],
    [4, dice.whole(3, 10)],
    [1, dice.whole(12, 30)],
  ]);
  const frames: PlanGroup = {
    name: 'frame',
    work: { kind: 'blender-frame', allowScripts: false },
    numbers: [{ start: 1, end: tasks, step: 1 }],
    after: [],
    requires: { engine: 'blender' },
  };
  const groups = [frames];
  if (dice.chance(0.3)) {
    groups.push({
      name: 'command',
      work: { kind: 'command', program: '/bin/true', args: [] },
      numbers: [{ start: 1, end: tasks, step: 1 }],
      after: [{ group: 0, match: 'same' }],
      requires: { engine: 'command' },
    });
  }
  if (dice.chance(0.5)) {
    groups.push({
      name: 'film',
      work: { kind: 'film', frames: 0, rate: { numerator: 24, denominator: 1 }, output: 'film.mp4' },
      numbers: [{ start: 1, end: 1, step: 1 }],
      after: [{ group: 0, match: 'all' }],
      requires: { engine: 'ffmpeg' },
    });
  }
  return { version: 1, order: dice.chance(0.3) ? 'coarse-to-fine' : 'sequential', groups };
}

export function natureOf(dice: Dice, plan: Plan, meanMs: number): Nature {
  const { taskCount } = new PlanView(plan);
  const isTailed = dice.chance(0.4);
  const taskMs = Array.from({ length: taskCount }, () =>
    dice.chance(isTailed ? 0.15 : 0.02) ? meanMs * dice.between(3, 8) : meanMs * dice.between(0.3, 1.7),
  );
  const some = (share: number): Set<number> =>
    new Set(dice.chance(share) ? [dice.whole(0, taskCount - 1)] : []);
  return {
    plan: createHash('sha256').update(encode(plan)).digest('hex'),
    meanMs,
    taskMs,
    files: dice.chance(0.8) ? dice.whole(1, 3) : 0,
    poison: some(0.2),
    killers: some(0.12),
    flaky: dice.chance(0.2) ? 0.15 : 0,
    differs: dice.chance(0.6),
  };
}

/** The files of a scene: some stand in several scenes of the farm, one is large now and then. */
export function sceneOf(dice: Dice): { path: string; bytes: Uint8Array }[] {
  const files = [{ path: 'scene.blend', bytes: new TextEncoder().encode(`scene ${dice.name(8)}`) }];
  for (let i = dice.whole(0, 3); i > 0; i--)
    files.push({
      path: `textures/${i}.png`,
      bytes: new TextEncoder().encode(`texture ${dice.whole(1, 9)}, in the folder ${i}`),
    });
  if (dice.chance(0.04)) {
    const bytes = new Uint8Array(LARGE_BYTES);
    bytes.set(dice.bytes(64));
    files.push({ path: 'caches/smoke.vdb', bytes });
  }
  return files;
}

/** Stores a scene for a job, as a submission does, and gives back its bundle. */
export async function storeScene(
  { blobs }: Pick<JobsComponents, 'blobs'>,
  job: string,
  scene: ReturnType<typeof sceneOf>,
): Promise<string> {
  const files: Bundle['files'] = [];
  for (const { path, bytes } of scene) {
    const { hash, sizeBytes } = await blobs.putBytes(bytes, { pin: job });
    files.push({ path, blob: hash, sizeBytes });
  }
  const bundle: Bundle = { version: 1, main: 'scene.blend', files, remap: [] };
  return (await blobs.putBytes(encode(bundle), { pin: job })).hash;
}

export interface Draft {
  readonly id: string;
  readonly plan: Plan;
  readonly hash: string;
  readonly bundle: string | undefined;
  readonly after: readonly string[];
  readonly priority: number;
  readonly name?: string;
}

/** A job's record as a submission makes it. */
export function jobRecord({ signer, driver, clock, copies }: JobsComponents, draft: Draft): JobRecord {
  const { id, plan, hash, bundle, after, priority } = draft;
  const own = { [signer.peer]: { held: true, counter: 1 } };
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: draft.name ?? `job ${id.slice(0, 4)}`,
      type: 'blender-animation',
      settings: { frames: framesIn(plan) },
      plan: hash,
      ...(bundle !== undefined && { bundle }),
      tasks: new PlanView(plan).taskCount,
      order: driver.queries.nextOrder(),
      after: [...after],
      outputFolder: '/output',
      wallTime: clock.wallTime(),
    }),
    control: { priority: signField(signer, 'job-control', fieldSubject(id, 'priority'), priority, 1) },
    requests: {},
    holders: { bundle: bundle === undefined ? {} : own, plan: own },
    acknowledged: copies.alone(),
  };
}

/** Tasks of the first group, of which the others are made. */
const framesIn = ({ groups }: Plan): number => groups[0]?.numbers[0]?.end ?? 0;
