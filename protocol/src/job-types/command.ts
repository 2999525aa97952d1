import { z } from 'zod';
import { parseFrames } from '../frames.ts';
import type { JobType } from './interface.ts';
import { tagsSetting } from './tags.ts';

const settings = z.strictObject({
  program: z.string().min(1).max(1_024).describe("The program; each machine's owner must have allowed it"),
  args: z
    .array(z.string().max(8_192))
    .max(256)
    .default([])
    .describe('Arguments; {frame}, {output} and {bundle} are replaced'),
  frames: z.string().default('1').describe('The program runs once for each of these frames'),
  tags: tagsSetting,
  timeoutMs: z
    .number()
    .positive()
    .max(7 * 86_400_000)
    .optional()
    .describe('The longest that one run may take, in milliseconds'),
});

/** Any program, once for each frame, where a machine's owner allowed it. */
export const command: JobType<typeof settings> = {
  name: 'command',
  title: 'Command',
  description: 'Any program, run once for each frame on machines whose owners allowed it.',
  needsScene: false,
  settings,
  compile: ({ program, args, frames, tags, timeoutMs }) => ({
    version: 1,
    order: 'sequential',
    groups: [
      {
        name: 'frame',
        work: { kind: 'command', program, args, ...(timeoutMs !== undefined && { timeoutMs }) },
        numbers: parseFrames(frames),
        after: [],
        requires: { engine: 'command', program, tags },
      },
    ],
  }),
};
