import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Farm, framesPlan } from './farm.ts';

test('R40: a reign begins above every term ever stored, and the term is durable before anything is granted', () => {
  const farm = new Farm([], {}, 6).start();
  const [first] = farm.effects;
  assert.deepEqual(first, { kind: 'persist', records: [], removed: [], term: 7 });
  farm.submit(framesPlan('1-2'));
  assert.deepEqual(farm.held()[0]?.grant.attempt.epoch, { term: 7, peer: farm.core.self });
});

test('R80: a farm of one renders a film: frames in order, then the film, as one copy', () => {
  const farm = new Farm().start();
  const record = farm.submit(framesPlan('1-5', { film: true }));
  assert.deepEqual(farm.heldIndices(), [0, 1], 'one to run and one ahead');
  assert.deepEqual(farm.finishAll(), [0, 1, 2, 3, 4, 5]);
  const job = farm.core.job(record.id);
  assert.equal(job?.state, 'done');
  assert.equal(job?.oneCopyOnly, 6);
  assert.equal(job?.counts.rendered, 6);
  assert.deepEqual(farm.core.tasksWithResult(record.id), [0, 1, 2, 3, 4, 5]);
});
