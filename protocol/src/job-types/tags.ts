import { z } from 'zod';
import { NAME_LENGTH_MAX, TAGS_MAX } from '../limits.ts';

/** The setting that every job type has. Nothing is kept where none is asked for, so that plans stay as they were. */
export const tagsSetting = z
  .array(z.string().min(1).max(NAME_LENGTH_MAX))
  .max(TAGS_MAX)
  .optional()
  .describe('Tags that a machine must have, all of them');
