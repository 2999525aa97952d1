import { CuadroError } from '../errors.ts';
import type { Plan } from '../plan.ts';
import { blenderAnimation } from './blender-animation.ts';
import { command } from './command.ts';
import { echoSleep } from './echo-sleep.ts';
import type { JobType } from './interface.ts';

export type { JobType } from './interface.ts';

/** The built-in job types by name. */
export const JOB_TYPES: ReadonlyMap<string, JobType> = new Map(
  ([blenderAnimation, command, echoSleep] as unknown as JobType[]).map((type) => [type.name, type]),
);

/** @throws CuadroError `job-type-unknown`. */
export function jobType(name: string, types: ReadonlyMap<string, JobType> = JOB_TYPES): JobType {
  const type = types.get(name);
  if (type === undefined)
    throw new CuadroError('job-type-unknown', { type: name, known: [...types.keys()].join(', ') });
  return type;
}

/**
 * Checks settings and makes the plan.
 * @throws CuadroError `settings-invalid` with the first finding in one sentence, or the compiler's own error.
 */
export function compileJob(type: JobType, input: unknown): { settings: Record<string, unknown>; plan: Plan } {
  const parsed = type.settings.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue?.path.join('.') ?? '';
    throw new CuadroError('settings-invalid', {
      type: type.name,
      why: `${where ? `${where}: ` : ''}${issue?.message ?? 'not readable'}`,
    });
  }
  return { settings: parsed.data as Record<string, unknown>, plan: type.compile(parsed.data) };
}
