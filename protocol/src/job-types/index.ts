import type { z } from 'zod';
import { checkedBy } from '../checked-by.ts';
import { CuadroError } from '../errors.ts';
import { encode } from '../codec.ts';
import { findingText } from '../finding.ts';
import { PLAN_BYTES_MAX } from '../limits.ts';
import { planSchema, type Plan } from '../plan.ts';
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
 * Checks settings and makes the plan, which every node must be able to read back: else the job would be accepted and
 * never run.
 * @throws CuadroError `settings-invalid` with the first finding in one sentence, or the compiler's own error.
 */
export function compileJob(type: JobType, input: unknown): { settings: Record<string, unknown>; plan: Plan } {
  const parsed = checkedBy(type.settings, input);
  if (!parsed.success) throw settingsInvalid(type, parsed.error);
  const plan = type.compile(parsed.data);
  const read = checkedBy(planSchema, plan);
  if (!read.success) throw settingsInvalid(type, read.error);
  const bytes = encode(plan).length;
  if (bytes > PLAN_BYTES_MAX) {
    const why = `their plan would have ${bytes} bytes, and ${PLAN_BYTES_MAX} are the limit`;
    throw new CuadroError('settings-invalid', { type: type.name, why });
  }
  return { settings: parsed.data as Record<string, unknown>, plan };
}

function settingsInvalid(type: JobType, { issues: [issue] }: z.ZodError): CuadroError {
  return new CuadroError('settings-invalid', { type: type.name, why: findingText(issue) });
}
