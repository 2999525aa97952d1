import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CuadroError } from '@cuadro/protocol';
import { createContentReader } from '../../../node/src/jobs/content.ts';
import { deleteJob, requeue, setJob } from '../../../node/src/jobs/control.ts';
import { soleSafekeeping } from '../../../node/src/jobs/interface.ts';
import { filmFindings } from '../../../node/src/jobs/scene-settings.ts';
import type { SceneFacts } from '../../../node/src/render/scene/interface.ts';
import { createCopies, type Copies } from '../../../node/src/replicas/copies.ts';
import { startKeeper } from '../replicas/keepers.ts';
import { reaches, signerOf, TestFarm } from '../transfer/machines.ts';
import { nodeOfOne } from './node-of-one.ts';

const silent = { type: 'echo-sleep', settings: { frames: '1', message: '' } };

describe('submitting', () => {
  it('gives each of many jobs that are submitted at once an order number of its own (SPEC R50)', async () => {
    const node = await nodeOfOne({ work: () => undefined });
    const jobs = await Promise.all(Array.from({ length: 8 }, () => node.submit(silent)));
    assert.equal(new Set(jobs.map(({ order }) => order)).size, 8);
    await node.stop();
  });

  it('a job is begun while the second machine still takes its copy, and acknowledged only after (SPEC R60)', async (test) => {
    const names = ['submitter', 'slow'];
    const farm = new TestFarm(test, names);
    const begun = Promise.withResolvers<'begun'>();
    let copies: Copies | undefined;
    const node = await nodeOfOne({
      signer: signerOf('submitter'),
      onChanges: (changes) => copies?.changed(changes),
      work: () => {
        begun.resolve('begun');
        return undefined;
      },
    });
    const submitter = await startKeeper(farm, 'submitter', {
      members: names,
      disguise: () => node.blobs,
      createCopies: (components) =>
        (copies = createCopies({
          ...components,
          blobs: node.blobs,
          queries: node.driver.queries,
          merge: (_from, records) => node.driver.merge(records),
        })),
    });
    node.components.copies = submitter.copies;
    const slow = await startKeeper(farm, 'slow', { members: names });
    await reaches(submitter, slow);
    const open = Promise.withResolvers<void>();
    slow.records.gate = open.promise;

    const answered = node.submit(silent);
    assert.equal(await Promise.race([begun.promise, answered.then(() => 'answered')]), 'begun');
    // It was asked, has all that it is to hold, and does not answer before the gate is open.
    while (slow.records.merges === 0) await new Promise((next) => setImmediate(next));
    const [job] = node.core.jobs();
    assert.deepEqual([job?.acknowledged, job?.counts.open], [false, 1]);
    open.resolve();
    assert.equal((await answered).acknowledged, true);
    await submitter.stop();
    await node.stop();
  });

  it('takes nothing back of a job that is accepted, though its answer fails', async () => {
    const node = await nodeOfOne({ work: () => undefined });
    node.components.copies = {
      ...soleSafekeeping,
      acknowledge: () => Promise.reject(new CuadroError('node-stopping')),
    };
    await assert.rejects(node.submit(silent), { code: 'node-stopping' });
    const [job] = node.core.jobs();
    assert.ok(job !== undefined, 'its record is durable');
    assert.equal(node.blobs.pinnedBy(job.id).length, 1, 'and its plan is pinned');
    assert.notEqual(await node.store.getLocal(`job/${job.id}`), undefined, 'and its folder is known');
    await node.stop();
  });

  it('says that a film of large EXR frames is made from their previews', () => {
    const scene = {
      resolutionX: 3_840,
      resolutionY: 2_160,
      resolutionPercentage: 100,
      output: { format: 'OPEN_EXR' },
    } as SceneFacts;
    const [finding] = filmFindings(scene, {});
    assert.match(finding?.message ?? '', /at most 1920 pixels .* OPEN_EXR/);
    for (const settings of [{ format: 'PNG' }, { film: false }, { resolutionPercent: 50 }]) {
      assert.deepEqual(filmFindings(scene, settings), []);
    }
  });
});

describe('deleting', () => {
  for (const [state, waiting] of [
    ['done', 'done'],
    ['queued', 'skipped'],
  ] as const) {
    it(`a job that is ${state} leaves one that waited for it ${waiting} (SPEC R81)`, async () => {
      const result = { kind: 'result' as const, files: [], renderMs: 1, wallTime: 1 };
      const node = await nodeOfOne({
        work: () => (state === 'done' ? result : undefined),
      });
      const { id } = await node.submit({ ...silent, paused: true });
      const second = await node.submit({ ...silent, after: [id], paused: true });
      if (state === 'done') {
        await setJob(node.components, id, { desired: 'active' });
        await node.until(id, 'done');
      }
      await deleteJob(node.components, id);
      if (waiting === 'done') await setJob(node.components, second.id, { desired: 'active' });
      await node.until(second.id, waiting);
      await node.stop();
    });
  }
});

describe('what people name', () => {
  it('is no path: only the name of an attempt opens a log', async () => {
    const node = await nodeOfOne();
    const job = await node.submit(silent);
    const opened: string[] = [];
    const reader = createContentReader({
      blobs: node.blobs,
      content: node.components.content,
      queries: node.core,
      logFile: (_job, _task, attempt) => {
        opened.push(attempt);
        return '/nowhere';
      },
    });
    await assert.rejects(reader.log(job.id, 0, '../../../../identity.key'), { code: 'attempt-not-found' });
    assert.deepEqual(opened, []);
    await node.stop();
  });

  it('is bounded: thousands of texts of a million frames each are refused', async () => {
    const node = await nodeOfOne({ work: () => undefined });
    const job = await node.submit(silent);
    const texts = Array.from({ length: 5_000 }, () => '1-1000000');
    await assert.rejects(requeue(node.components, job.id, texts), { code: 'request-invalid' });
    await node.stop();
  });
});
