import assert from 'node:assert/strict';
import { it } from 'node:test';
import { simulateNight } from './night.ts';

/** Which night it is; another one is given by the environment, and printed so that it can be again. */
const SEED = BigInt(process.env['CUADRO_NIGHT_SEED'] ?? 1);

it(`R125, R126, R127: every job of the night ends, and every machine explains all that happened in it, seed ${SEED}`, async () => {
  const { failure, unexplained, invented, view, scripted } = await simulateNight(SEED);
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
