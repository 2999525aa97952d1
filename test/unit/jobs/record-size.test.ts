import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import {
  PATH_LENGTH_MAX,
  RECORD_BYTES_MAX,
  RECORD_WRITE_BYTES_MAX,
  encode,
  type OutputFile,
} from '@cuadro/protocol';
import { deleteJob, requeue, setJob } from '../../../node/src/jobs/control.ts';
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
  await first.stop();

  const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs: first.blobs });
  assert.equal(second.damaged, 0, `the stored record has ${bytes} bytes; ${RECORD_BYTES_MAX} are read back`);
  assert.notEqual(second.core.job(job.id), undefined, 'the acknowledged job is gone');
  await second.stop();
});

it('keeps a small job over a restart, however often it was requeued', async () => {
  const first = await nodeOfOne({ outputBase: base });
  const job = await first.submit({ type: 'echo-sleep', settings: { frames: '1-250', message: '' } });
  for (let time = 0; time < 50; time++) {
    await first.until(job.id, 'done');
    await requeue(first.components, job.id, 'all');
  }
  await first.stop();

  const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs: first.blobs });
  assert.equal(second.damaged, 0, `${encode(first.core.jobRecord(job.id)).length} bytes were stored`);
  assert.notEqual(second.core.job(job.id), undefined, 'the acknowledged job is gone');
  await second.stop();
});

it('asks for a million tasks again in a few hundred bytes (SPEC R33)', async () => {
  const node = await nodeOfOne({ outputBase: base, work: () => undefined });
  const job = await node.submit({ type: 'echo-sleep', settings: { frames: '1-1000000', message: '' } });
  const before = encode(node.core.jobRecord(job.id)).length;
  await requeue(node.components, job.id, 'all');
  const added = encode(node.core.jobRecord(job.id)).length - before;
  assert.ok(added > 0 && added < 1_000, `${added} bytes were added`);
  await node.stop();
});

it('refuses a change whose record no node would take, before it is merged (SPEC R3)', async () => {
  const node = await nodeOfOne({ outputBase: base, work: () => undefined });
  const job = await node.submit({ type: 'echo-sleep', settings: { frames: '1-100000', message: '' } });
  // Tasks in no order that a range says shortly: 0, 1, 3, 6, 10, 15…
  const scattered: string[] = [];
  for (let index = 0, step = 1; index < 100_000; index += 1 + (step++ % 3)) scattered.push(`#${index}`);
  const ask = () => requeue(node.components, job.id, scattered);
  let asked = 0;
  for (; asked < 20; asked++) {
    const refused = await ask().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refused === undefined) continue;
    assert.equal((refused as { code?: string }).code, 'record-too-large');
    break;
  }
  assert.ok(asked < 20, 'it was never refused');
  const { length } = encode(node.core.jobRecord(job.id));
  assert.ok(length <= RECORD_WRITE_BYTES_MAX, `${length} bytes`);
  // What can't make it grow is still taken.
  await setJob(node.components, job.id, { desired: 'paused' });
  await deleteJob(node.components, job.id);
  await node.stop();
});

for (const [what, files] of [
  ['300 files', Array.from({ length: 300 }, (_, i) => ({ name: `${i}.png` }))],
  ['a file of a name of 2,000 characters', [{ name: 'x'.repeat(PATH_LENGTH_MAX + 1) }]],
] as const) {
  it(`fails a task that gives ${what}, which no node would read back, and says so`, async () => {
    const made = files.map(
      ({ name }): OutputFile => ({ name, blob: '0'.repeat(64), sizeBytes: 1, role: 'file' }),
    );
    const first = await nodeOfOne({
      outputBase: base,
      work: () => ({ kind: 'result', files: made, renderMs: 1, wallTime: 1 }),
    });
    const job = await first.submit({ type: 'echo-sleep', settings: { frames: '1', message: '' } });
    for (let turn = 0; turn < 1_000 && (first.core.task(job.id, 0)?.failures ?? 0) === 0; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [attempt] = first.core.task(job.id, 0)?.attempts ?? [];
    assert.equal(attempt?.state === 'failed' ? attempt.code : attempt?.state, 'result-unreadable');
    await first.stop();
    const second = await nodeOfOne({ disk: first.disk, signer: first.signer, blobs: first.blobs });
    assert.equal(second.damaged, 0);
    assert.equal(second.core.task(job.id, 0)?.failures, 1);
    await second.stop();
  });
}
