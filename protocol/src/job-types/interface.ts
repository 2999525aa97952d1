import type { z } from 'zod';
import type { Plan } from '../plan.ts';

/**
 * A job type: a settings schema and a compiler (SPEC R72). Users add their own beside the built-in ones.
 * Compilers are pure: what has to be looked up (a scene's frame range) is in the settings by then.
 */
export interface JobType<Schema extends z.ZodType = z.ZodType> {
  /** Stable, lower-case with dashes. */
  name: string;
  /** A few words for people. */
  title: string;
  description: string;
  /** Whether it needs a scene; the submitting node then traces and bundles it. */
  needsScene: boolean;
  settings: Schema;
  /** @throws CuadroError where the settings make no sensible plan. */
  compile(settings: z.output<Schema>): Plan;
}
