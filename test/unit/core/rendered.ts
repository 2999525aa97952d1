import type { TaskRecord } from '@cuadro/protocol';
import { BELEN, CARMEN } from './farm.ts';

/** Records of tasks as workers write them. */

const JOB = 'a'.repeat(16);
export const hash = (digit: number): string => digit.toString(16).repeat(64);

/** As a worker writes it, with a holder or two. */
export function rendered(index: number, change: Partial<TaskRecord> = {}): TaskRecord {
  const attempt = { epoch: { term: 3, peer: BELEN }, sequence: index + 1 };
  return {
    kind: 'task',
    job: JOB,
    index,
    redo: 0,
    retry: 0,
    failures: {},
    results: {
      [`3.${index + 1}.${BELEN}`]: {
        attempt,
        peer: CARMEN,
        state: 'rendered',
        files: [
          {
            name: `frame_${index}.png`,
            blob: hash(index % 16),
            sizeBytes: 400_000 + index,
            pixels: hash(3),
            width: 640,
            height: 360,
            role: 'image',
          },
        ],
        holders: { [CARMEN]: { held: true, counter: 1 } },
        renderMs: 512.25,
        thumbnail: hash(4),
        wallTime: 1_700_000_000_000 + index,
      },
    },
    ...change,
  };
}

/** The same after an attempt that failed, with nothing rendered. */
export const failedOnce = (index: number): TaskRecord =>
  rendered(index, {
    results: {},
    failures: {
      [`3.${index}.${BELEN}`]: {
        attempt: { epoch: { term: 3, peer: BELEN }, sequence: index },
        peer: CARMEN,
        cause: 'failed',
        code: 'blender-crashed',
        message: 'It ended with «SIGSEGV».',
        lines: ['one', ''],
        wallTime: 1,
      },
    },
  });
