import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { RECORD_BYTES_MAX, encode } from '@cuadro/protocol';
import { requeue } from '../../../node/src/jobs/control.ts';
import { nodeOfOne } from './node-of-one.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

it('keeps a job of 12,000 frames over a restart after all of it was requeued (promise 1)', async () => {
  const first = await nodeOfOne({ outputBase: base });
  const job = await first.submit({ type: 'echo-sleep', settings: { frames: '1-12000', message: '' } });
  await first.until(job.id, 'done');
  await requeue(first.components, job.id, 'all');
  const record = first.core.jobRecord(job.id);
  const bytes = encode(record).length;
  await first.driver.stop();

  const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs: first.blobs });
  assert.equal(second.damaged, 0, `the stored record has ${bytes} bytes; ${RECORD_BYTES_MAX} are read back`);
  assert.notEqual(second.core.job(job.id), undefined, 'the acknowledged job is gone');
  await second.driver.stop();
});

it('keeps a small job over a restart, however often it was requeued', async () => {
  const first = await nodeOfOne({ outputBase: base });
  const job = await first.submit({ type: 'echo-sleep', settings: { frames: '1-250', message: '' } });
  for (let time = 0; time < 50; time++) {
    await first.until(job.id, 'done');
    await requeue(first.components, job.id, 'all');
  }
  await first.driver.stop();

  const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs: first.blobs });
  assert.equal(second.damaged, 0, `${encode(first.core.jobRecord(job.id)).length} bytes were stored`);
  assert.notEqual(second.core.job(job.id), undefined, 'the acknowledged job is gone');
  await second.driver.stop();
});
