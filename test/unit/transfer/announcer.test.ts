import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Announcer } from '../../../node/src/blobs/transfer/announcer.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

/** When the farm is told which bundles can be had here. */

const [FIRST, SECOND] = ['a'.repeat(64), 'b'.repeat(64)];
/** More than there are between the last look at what waits and the end of that look. */
const STEPS = 16;

/** Resolves when everything that follows from what was done is done: nothing here waits for time. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('an announcer', () => {
  it('tells what was added while and after it told of another, at whatever step', async () => {
    for (let step = 0; step < STEPS; step++) {
      const told: string[] = [];
      const mesh = {
        provide: async (hash: string) => {
          told.push(hash);
          if (hash === FIRST) void later(step, () => announcer.add(SECOND));
        },
        subscribe: () => () => undefined,
      };
      const announcer = new Announcer({ mesh, clock: new ManualClock() });
      announcer.start();
      announcer.add(FIRST);
      await settled();
      assert.deepEqual(told, [FIRST, SECOND], `added ${step} steps after the first was told`);
      await announcer.stop();
    }
  });

  it('tries again what could not be told with the next member that is met', async () => {
    const told: string[] = [];
    let met: ((peer: string, state: 'reachable') => void) | undefined;
    let isAlone = true;
    const announcer = new Announcer({
      mesh: {
        provide: async (hash) => {
          if (isAlone) throw new Error('Nobody is there.');
          told.push(hash);
        },
        subscribe: (handlers) => {
          met = (peer, state) => handlers.peer?.(peer, state);
          return () => undefined;
        },
      },
      clock: new ManualClock(),
    });
    announcer.start();
    announcer.add(FIRST);
    await settled();
    announcer.add(SECOND);
    await settled();
    isAlone = false;
    met?.('somebody', 'reachable');
    await settled();
    assert.deepEqual(told, [FIRST, SECOND]);
    await announcer.stop();
  });
});

async function later(steps: number, action: () => void): Promise<void> {
  for (let i = 0; i < steps; i++) await Promise.resolve();
  action();
}
