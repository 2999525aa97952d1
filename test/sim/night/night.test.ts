import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { NightTold } from './thread.ts';

/** Which night it is; another one is given by the environment, and printed so that it can be again. */
const SEED = BigInt(process.env['CUADRO_NIGHT_SEED'] ?? 1);

it(`R125, R126, R127: every job of the night ends, and every machine explains all that happened in it, seed ${SEED}`, async () => {
  // In a thread of its own, as other runs are: see `SimThread`.
  const thread = new Worker(new URL('thread.ts', import.meta.url), { workerData: SEED });
  const [told] = await once(thread, 'message');
  await thread.terminate();
  const { failure, unexplained, invented, view, scripted } = told as NightTold;
  assert.equal(failure?.sentence, undefined);
  assert.ok(scripted >= 18, `much happened: ${scripted} deeds`);
  assert.deepEqual(unexplained, [], 'what was done to the farm and is not told');
  assert.deepEqual(invented, [], 'what is told and never happened');
  const states = view?.jobs.map(({ name, state }) => `${name} ${state}`).sort();
  assert.deepEqual(states, ['crowd done', 'dance done', 'retake done', 'smoke failed']);
  // What a person has to do in the morning: the frame that nobody could render, and the machine that is gone.
  assert.deepEqual(
    view?.needs.map(({ id }) => id.split(' ')[0]),
    ['failed', 'lost'],
  );
});
