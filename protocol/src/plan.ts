import { z } from 'zod';
import { bundlePathSchema } from './bundle.ts';
import { CuadroError } from './errors.ts';
import { countFrames, countRange, frameAt, positionOf, type FrameRange } from './frames.ts';
import { blobHashSchema, type BlobHash, type TaskIndex } from './ids.ts';
import {
  FRAME_RANGES_MAX,
  PATH_LENGTH_MAX,
  PLAN_GROUPS_MAX,
  TASKS_PER_JOB_MAX,
  TAGS_MAX,
  OUTPUT_FILES_MAX,
} from './limits.ts';
import { workSchema, type Work } from './work.ts';

/**
 * A job's task list, compiled once by the submitting node and stored as a blob, so that nodes of different
 * versions agree on it (SPEC R70). It holds templates and ranges: a million tasks take as many bytes as ten.
 */

export const frameRangeSchema = z
  .object({ start: z.int(), end: z.int(), step: z.int().min(1) })
  .refine((range) => range.start <= range.end, 'ends before it starts');

/** One file that a task gave, as it will be named below the job's output folder. */
export interface OutputFile {
  /** Relative path with forward slashes, as Blender would have named it. */
  name: string;
  blob: BlobHash;
  sizeBytes: number;
  /** SHA-256 of the decoded pixels, where the file is a picture that could be decoded. */
  pixels?: string;
  width?: number;
  height?: number;
  /** `image`, `view`, `compositor`, `film`, or `file`. */
  role: string;
  /** A JPEG or WebP that browsers can show, where they cannot show the file itself. */
  preview?: BlobHash;
}

/** Loose, since newer versions may say more; typed as what this version reads. */
export const outputFileSchema: z.ZodType<OutputFile> = z.looseObject({
  name: bundlePathSchema,
  blob: blobHashSchema,
  sizeBytes: z.number().min(0),
  pixels: z.string().max(128).optional(),
  width: z.int().min(1).optional(),
  height: z.int().min(1).optional(),
  role: z.string().max(32),
  preview: blobHashSchema.optional(),
}) as unknown as z.ZodType<OutputFile>;

/** Tasks of this group wait for tasks of an earlier one: the same number's, or all of them. */
export interface Dependency {
  group: number;
  match: 'same' | 'all';
}

/** What a machine must have to run a task (SPEC R51). */
export interface Requirements {
  /** `blender`, `ffmpeg`, `command` or `node` (needs nothing). */
  engine: string;
  /** Exact version, where mixing versions would show; set when the job first runs. */
  engineVersion?: string | undefined;
  /** Cycles, Eevee…: a render engine that the Blender must have. */
  renderEngine?: string | undefined;
  denoiser?: string | undefined;
  /** A program that the machine's owner must have allowed. */
  program?: string | undefined;
  /** The machine's owner must allow scenes' own scripts. */
  scripts?: boolean | undefined;
  tags?: string[] | undefined;
}

export interface PlanGroup {
  /** The field's word for one of its tasks: `frame`, `film`, `command`. */
  name: string;
  work: Work;
  /** One task for each number. */
  numbers: FrameRange[];
  after: Dependency[];
  requires: Requirements;
}

export interface Plan {
  version: 1;
  groups: PlanGroup[];
  /** `sequential`, or `coarse-to-fine`: first, last, middle… so that a film can be judged early. */
  order: 'sequential' | 'coarse-to-fine';
}

/** Whether any task of the plan makes files, so that the job needs an output folder. */
export function makesFiles(plan: Plan): boolean {
  return plan.groups.some(({ work }) => work.kind !== 'echo-sleep');
}

const requirementsSchema = z.looseObject({
  engine: z.string().max(64),
  engineVersion: z.string().max(64).optional(),
  renderEngine: z.string().max(64).optional(),
  denoiser: z.string().max(64).optional(),
  program: z.string().max(PATH_LENGTH_MAX).optional(),
  scripts: z.boolean().optional(),
  tags: z.array(z.string()).max(TAGS_MAX).optional(),
});

export const planSchema = z.object({
  version: z.literal(1),
  order: z.enum(['sequential', 'coarse-to-fine']),
  groups: z
    .array(
      z.object({
        name: z.string().min(1).max(64),
        work: workSchema,
        numbers: z.array(frameRangeSchema).min(1).max(FRAME_RANGES_MAX),
        after: z
          .array(z.object({ group: z.int().min(0), match: z.enum(['same', 'all']) }))
          .max(OUTPUT_FILES_MAX),
        requires: requirementsSchema,
      }),
    )
    .max(PLAN_GROUPS_MAX),
});

/** One task as the plan tells it. */
export interface PlannedTask {
  index: TaskIndex;
  group: number;
  number: number;
  /** `frame 7`, `film`: unique within the job. */
  name: string;
  work: Work;
  requires: Requirements;
}

/** Answers questions about a plan without spreading it out; all methods are O(groups + ranges). */
export class PlanView {
  readonly plan: Plan;
  readonly taskCount: number;
  readonly #starts: number[] = [];
  readonly #counts: number[] = [];

  /** @throws CuadroError `plan-too-large` past the bound; RangeError where a group waits for a later one. */
  constructor(plan: Plan) {
    this.plan = plan;
    let start = 0;
    for (const [i, group] of plan.groups.entries()) {
      if (group.after.some((dependency) => dependency.group >= i)) {
        throw new RangeError(`Group ${i} of the plan waits for itself or a later one.`);
      }
      this.#starts.push(start);
      this.#counts.push(countFrames(group.numbers));
      start += this.#counts[i] as number;
    }
    this.taskCount = start;
    if (start > TASKS_PER_JOB_MAX)
      throw new CuadroError('plan-too-large', { count: start, limit: TASKS_PER_JOB_MAX });
  }

  /** First task index and task count of a group. */
  groupSpan(group: number): { start: TaskIndex; count: number } {
    return { start: this.#starts[group] ?? 0, count: this.#counts[group] ?? 0 };
  }

  /** The group of a task, or -1 past the plan's end. */
  groupOf(index: TaskIndex): number {
    if (index < 0 || index >= this.taskCount) return -1;
    let group = 0;
    while (index >= (this.#starts[group] as number) + (this.#counts[group] as number)) group++;
    return group;
  }

  /** The task at an index; undefined past the plan's end. */
  task(index: TaskIndex): PlannedTask | undefined {
    const groupIndex = this.groupOf(index);
    const group = this.plan.groups[groupIndex];
    if (group === undefined) return undefined;
    const number = frameAt(group.numbers, index - (this.#starts[groupIndex] as number)) as number;
    return {
      index,
      group: groupIndex,
      number,
      name: this.#name(group, number),
      work: group.work,
      requires: group.requires,
    };
  }

  #name(group: PlanGroup, number: number): string {
    const first = group.numbers[0] as FrameRange;
    const single = group.numbers.length === 1 && countRange(first) === 1;
    return single && group.name !== 'frame' ? group.name : `${group.name} ${number}`;
  }

  /** Index of the task of `group` with this number, or undefined. */
  indexOf(group: number, number: number): TaskIndex | undefined {
    const numbers = this.plan.groups[group]?.numbers;
    const position = numbers && positionOf(numbers, number);
    return position === undefined ? undefined : (this.#starts[group] as number) + position;
  }

  /** Spans of tasks [start, start + count) that must have a result before this one may run. */
  dependencies(index: TaskIndex): { start: TaskIndex; count: number }[] {
    const task = this.task(index);
    if (task === undefined) return [];
    return (this.plan.groups[task.group] as PlanGroup).after.flatMap((dependency) => {
      if (dependency.match === 'all') return [this.groupSpan(dependency.group)];
      const one = this.indexOf(dependency.group, task.number);
      return one === undefined ? [] : [{ start: one, count: 1 }];
    });
  }

  /** Finds a task by what a person writes: `7`, `frame 7`, `film`, or `#12` for index 12. */
  find(text: string): TaskIndex | undefined {
    const wanted = text.trim().toLowerCase();
    const byIndex = /^#(\d+)$/.exec(wanted);
    if (byIndex) return Number(byIndex[1]) < this.taskCount ? Number(byIndex[1]) : undefined;
    const match = /^(?:([a-z](?:[a-z-]*[a-z])?)\s*)?(-?\d+)?$/.exec(wanted);
    if (match === null || wanted === '') return undefined;
    for (const [i, group] of this.plan.groups.entries()) {
      if (match[1] !== undefined && group.name !== match[1]) continue;
      if (match[2] !== undefined) {
        const index = this.indexOf(i, Number(match[2]));
        if (index !== undefined) return index;
      } else if (this.groupSpan(i).count === 1) return this.groupSpan(i).start;
    }
    return undefined;
  }
}
