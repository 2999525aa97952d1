import { z } from 'zod';
import { parseFrames } from '../frames.ts';
import type { JobType } from './interface.ts';
import { tagsSetting } from './tags.ts';

const settings = z.strictObject({
  frames: z.string().default('1').describe('One task for each of these numbers'),
  message: z.string().max(2_000).default('Hello from frame {frame}').describe('What each task says'),
  sleepMs: z
    .number()
    .min(0)
    .max(86_400_000)
    .default(0)
    .describe('How long each task sleeps, in milliseconds'),
  tags: tagsSetting,
  failFrames: z.array(z.int()).max(1_000).optional().describe('Tasks that fail on purpose'),
});

/** Says something and sleeps, once for each number. */
export const echoSleep: JobType<typeof settings> = {
  name: 'echo-sleep',
  title: 'Echo and sleep',
  description: 'Tasks that say something and sleep: for trying a farm.',
  needsScene: false,
  settings,
  compile: ({ frames, message, sleepMs, tags, failFrames }) => ({
    version: 1,
    order: 'sequential',
    groups: [
      {
        name: 'frame',
        work: { kind: 'echo-sleep', message, sleepMs, ...(failFrames && { failFrames }) },
        numbers: parseFrames(frames),
        after: [],
        requires: { engine: 'node', tags },
      },
    ],
  }),
};
