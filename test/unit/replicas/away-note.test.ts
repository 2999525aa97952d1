import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwayTimes } from '../../../node/src/replicas/copy-away.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };

/** What is noted after a start with this note, as the store gives it at the next one. */
async function notedAfter(text: string): Promise<unknown> {
  let noted = '';
  const times = new AwayTimes({
    self: 'me',
    clock: new ManualClock({ wallTimeMs: 1_000 }),
    logger,
    store: {
      getLocal: async () => JSON.parse(text) as unknown,
      setLocal: async (entries) => void (noted = JSON.stringify(Object.values(entries)[0])),
    },
    members: () => new Set(['me', 'away']),
    reachable: () => new Set(),
    replaceAfterMs: () => 1_000_000,
  });
  await times.start();
  await times.stop();
  return JSON.parse(noted) as unknown;
}

test('R195: a count goes on from what was noted, and begins anew where that has no end', async () => {
  const noted = (at: string, watchedMs: string): string =>
    `{"at":${at},"away":{"away":{"watchedMs":${watchedMs},"blindMs":7}}}`;
  const from = (watchedMs: number, blindMs: number) => ({
    at: 1_000,
    away: { away: { watchedMs, blindMs } },
  });
  assert.deepEqual(await notedAfter(noted('900', '50')), from(50, 107));
  assert.deepEqual(await notedAfter(noted('-1e999', '50')), from(0, 0));
  assert.deepEqual(await notedAfter(noted('900', '1e999')), from(0, 100));
});
