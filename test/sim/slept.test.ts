import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Host } from './host.ts';
import { Timeline } from './timeline.ts';

/** What a clock shows after five seconds awake and a minute asleep: at the wake, and when it was awake for a second. */
async function afterSleep(onSlept?: () => void): Promise<number[]> {
  const timeline = new Timeline();
  const host = new Host(timeline, onSlept);
  host.begin();
  const clock = host.clock();
  const begunMs = clock.now();
  await timeline.run(5_000);
  clock.now();
  host.suspend();
  await timeline.run(65_000);
  host.resume(() => undefined);
  const shown: number[] = [];
  for (const ms of [65_900, 66_000]) {
    await timeline.run(ms);
    shown.push(Math.round(clock.now() - begunMs));
  }
  return shown;
}

describe('the clock of a simulated machine that slept', () => {
  it('goes on where it stood, and adds the sleep once it was awake for a second after its last look', async () => {
    let times = 0;
    assert.deepEqual(await afterSleep(() => times++), [5_900, 66_000]);
    assert.equal(times, 1);
  });

  it('never learns of the sleep where nobody is told of it', async () => {
    assert.deepEqual(await afterSleep(), [5_900, 6_000]);
  });
});
