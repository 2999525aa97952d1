import { createHash } from 'node:crypto';
import { encode, type Plan } from '@cuadro/protocol';
import type { JobsComponents } from '../../../node/src/jobs/interface.ts';
import type { Dice } from '../dice.ts';
import type { SimFarm } from '../farm.ts';
import type { Machine } from '../machine.ts';
import type { Deed } from '../people.ts';
import { jobRecord } from '../recipes.ts';

/** A job as an artist submits it in the evening. */
export interface NightJobPlan {
  readonly name: string;
  readonly frames: number;
  readonly isFilm: boolean;
  /** What its frames take on average, in minutes, and how many of them take ten times as long. */
  readonly minutes: number;
  readonly long: number;
  /** Frames that fail wherever they are tried. */
  readonly poison: readonly number[];
}

const MINUTE_MS = 60_000;

function planOf({ frames, isFilm }: NightJobPlan): Plan {
  const film: Plan['groups'] = [
    {
      name: 'film',
      work: { kind: 'film', frames: 0, rate: { numerator: 24, denominator: 1 }, output: 'film.mp4' },
      numbers: [{ start: 1, end: 1, step: 1 }],
      after: [{ group: 0, match: 'all' }],
      requires: { engine: 'ffmpeg' },
    },
  ];
  return {
    version: 1,
    order: 'sequential',
    groups: [
      {
        name: 'frame',
        work: { kind: 'blender-frame', allowScripts: false },
        numbers: [{ start: 1, end: frames, step: 1 }],
        after: [],
        requires: { engine: 'blender' },
      },
      ...(isFilm ? film : []),
    ],
  };
}

/** What each task takes: some frames of a long-tailed job take ten times as long as the others. */
function timesOf(dice: Dice, { frames, isFilm, minutes, long }: NightJobPlan): number[] {
  const slow = new Set(dice.shuffled(Array.from({ length: frames }, (_, at) => at)).slice(0, long));
  const times = Array.from(
    { length: frames },
    (_, at) => minutes * MINUTE_MS * dice.between(0.6, 1.4) * (slow.has(at) ? 10 : 1),
  );
  return isFilm ? [...times, 2 * MINUTE_MS] : times;
}

/** Submits it at a machine; the id that it gets. */
export function submitJob(
  farm: SimFarm,
  dice: Dice,
  job: NightJobPlan & { readonly at: Machine; readonly tell: (deed: Deed) => void },
): string {
  const { at, tell } = job;
  const components = at.life?.jobs as JobsComponents | undefined;
  if (components === undefined) throw new Error(`${at.name} is off and can't submit.`);
  const id = dice.name(16);
  const plan = planOf(job);
  farm.workshop.natures.set(id, {
    plan: createHash('sha256').update(encode(plan)).digest('hex'),
    meanMs: job.minutes * MINUTE_MS,
    taskMs: timesOf(dice, job),
    files: 1,
    poison: new Set(job.poison.map((frame) => frame - 1)),
    killers: new Set(),
    flaky: 0,
    differs: false,
  });
  const submit = async (): Promise<void> => {
    const stored = await components.blobs.putBytes(encode(plan), { pin: id });
    const draft = {
      id,
      plan,
      hash: stored.hash,
      bundle: undefined,
      after: [],
      priority: dice.whole(1, 100),
      name: job.name,
    };
    tell({ kind: 'submitted', job: id, plan, at });
    await components.driver.merge([jobRecord(components, draft)]);
    tell({ kind: 'accepted', job: id, at, kept: await components.copies.acknowledge(id) });
  };
  submit().catch((error: unknown) => farm.timeline.fail(error));
  return id;
}
