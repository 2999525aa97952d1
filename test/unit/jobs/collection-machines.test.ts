import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { attemptKey, countingResult } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import type { ContentSource } from '../../../node/src/blobs/source.ts';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { createCollection } from '../../../node/src/jobs/collection.ts';
import { fetchJob, type FetchProgress } from '../../../node/src/jobs/fetch.ts';
import { type JobsComponents, localJobKey, soleSafekeeping } from '../../../node/src/jobs/interface.ts';
import { createContentSource } from '../../../node/src/replicas/content.ts';
import { createMemoryStore } from '../../../node/src/store/memory-store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { createTemporaryFiles } from '../../../node/src/system/temporary-files.ts';
import { contentOf } from '../blobs/helpers.ts';
import { JOB, madeResult, submittedJob, TestRecords } from '../replicas/keepers.ts';
import { type Machine, reaches, signerOf, silent, TestFarm } from '../transfer/machines.ts';

/** The submitter, and a machine that made two frames of its job. */
async function parts(
  test: TestContext,
  init: { frames?: Buffer[]; quotaBytes?: number } = {},
): Promise<{
  farm: TestFarm;
  maker: Machine;
  components: JobsComponents;
  folder: string;
  frames: Buffer[];
}> {
  const farm = new TestFarm(test, ['submitter', 'maker', 'another']);
  const { quotaBytes } = init;
  const submitter = await farm.start('submitter', quotaBytes === undefined ? {} : { store: { quotaBytes } });
  const maker = await farm.start('maker');
  await reaches(submitter, maker);
  const records = new TestRecords();
  const frames = init.frames ?? [contentOf(1, 1_500_000), contentOf(2, 100)];
  await records.merge([
    await submittedJob(submitter),
    await madeResult(maker, 0, [frames[0] as Buffer]),
    await madeResult(maker, 1, [frames[1] as Buffer]),
  ]);
  const [clock, random] = [createSystemClock(), createSystemRandom()];
  const queries = {
    self: submitter.peer,
    jobRecord: records.jobRecord,
    jobIds: records.jobIds,
    taskRecord: records.taskRecord,
    resultAtHand: (job: string, index: number) => {
      const record = records.taskRecord(job, index);
      return record && countingResult(record);
    },
    tasksWithResult: () => [0, 1],
    plannedTask: () => undefined,
    nodes: () => [],
    removed: () => new Set(),
  } as unknown as CoreQueries;
  const store = createMemoryStore();
  await store.start();
  const folder = join(farm.folderOf('submitter'), 'output');
  mkdirSync(folder);
  await store.setLocal({ [localJobKey(JOB)]: { folder, overwrite: false } });
  const components: JobsComponents = {
    clock,
    random,
    logger: silent,
    blobs: submitter.blobs,
    content: createContentSource({ ...submitter, queries, clock }),
    copies: soleSafekeeping,
    temporaries: createTemporaryFiles({ random }, { owner: 'test' }),
    store,
    signer: signerOf('submitter'),
    driver: { queries, merge: (merged) => records.merge(merged) },
  };
  return { farm, maker, components, folder, frames };
}

describe('frames that other machines made', () => {
  it('are collected on the submitter', async (test) => {
    const { components, folder, frames } = await parts(test);
    const collection = createCollection(components, { onCollected: () => undefined });
    test.after(() => collection.stop());
    await collection.start();
    await collection.settled();
    assert.deepEqual(readFileSync(join(folder, '0-0.png')), frames[0]);
    assert.deepEqual(readFileSync(join(folder, '1-0.png')), frames[1]);
    assert.equal(collection.state(JOB)?.problem, undefined);
  });

  it('R59: stay as they were collected when an older result of the same level comes to count', async (test) => {
    const { farm, maker, components, folder, frames } = await parts(test);
    const collection = createCollection(components, { onCollected: () => undefined });
    test.after(() => collection.stop());
    await collection.start();
    await collection.settled();
    const other = await farm.start('another');
    await reaches(other, maker);
    const older = await madeResult({ ...other, name: 'another' }, 1, [contentOf(9, 100)]);
    const [result] = Object.values(older.results);
    assert.ok(result !== undefined);
    result.attempt = { sequence: 1, epoch: { ...result.attempt.epoch, term: 0 } };
    await components.driver.merge([{ ...older, results: { [attemptKey(result.attempt)]: result } }]);
    const { queries } = components.driver;
    assert.equal(queries.resultAtHand(JOB, 1)?.peer, other.peer);
    collection.changed(JOB);
    await collection.settled();
    assert.deepEqual(readFileSync(join(folder, '1-0.png')), frames[1]);
    assert.equal(collection.state(JOB)?.problem, undefined);
  });

  it('whose machine is off are told, and collected when it is back', async (test) => {
    const { farm, maker, components, folder } = await parts(test);
    await maker.stop();
    const collection = createCollection(components, { onCollected: () => undefined });
    test.after(() => collection.stop());
    await collection.start();
    await collection.settled();
    assert.match(
      collection.state(JOB)?.problem ?? '',
      /^The files of task #0 and 1 more can't be collected: The file .* can't be fetched now/,
    );
    assert.deepEqual(readdirSync(folder), []);
    const back = await farm.start('maker');
    await reaches(back, { ...back, peer: components.signer.peer });
    collection.peerBack();
    await collection.settled();
    assert.deepEqual(readdirSync(folder).sort(), ['0-0.png', '1-0.png']);
    assert.equal(collection.state(JOB)?.problem, undefined);
  });

  it('are fetched into any folder', async (test) => {
    const { maker, components, folder } = await parts(test);
    const options = { overwrite: false, signal: new AbortController().signal };
    const there = join(folder, 'all');
    const fetched = await fetchJob(components, JOB, there, options);
    assert.deepEqual([fetched.written, fetched.missing], [2, []]);
    assert.deepEqual(readdirSync(there).sort(), ['0-0.png', '1-0.png']);
    await maker.stop();
    const again = await fetchJob(components, JOB, there, options);
    assert.deepEqual([again.alreadyThere, again.missing], [2, []], 'what was fetched stays here');
  });

  it('R176: are fetched one after another through a store that has room for one of them', async (test) => {
    const frames = [contentOf(1, 1_500_000), contentOf(2, 1_500_000)];
    const { components, folder } = await parts(test, { frames, quotaBytes: 2_000_000 });
    const { signal } = new AbortController();
    const there = join(folder, 'all');
    const told: FetchProgress[] = [];
    const onProgress = (progress: FetchProgress): void => void told.push(progress);
    const fetched = await fetchJob(components, JOB, there, { overwrite: false, signal, onProgress });
    assert.deepEqual([fetched.written, fetched.missing, fetched.problem], [2, [], undefined]);
    for (const [i, frame] of frames.entries())
      assert.deepEqual(readFileSync(join(there, `${i}-0.png`)), frame);
    const { done, sizeBytes, doneBytes } = told.at(-1) as FetchProgress;
    assert.deepEqual([done, doneBytes], [2, sizeBytes]);
  });

  it('R176: are named with what can be done where a store has room for none of them, without a wait', async (test) => {
    const frames = [contentOf(1, 1_500_000), contentOf(2, 1_500_000)];
    const { components, folder } = await parts(test, { frames, quotaBytes: 1_000_000 });
    const { signal } = new AbortController();
    const { written, missing, problem, away } = await fetchJob(components, JOB, join(folder, 'all'), {
      overwrite: false,
      signal,
    });
    assert.deepEqual([written, missing, away], [0, ['0-0.png', '1-0.png'], []]);
    assert.match(
      problem ?? '',
      /^The file store's quota is .*still needed\. Raise the quota or free some disk .*another machine\.$/,
    );
  });

  it('are named when they are out of reach', async (test) => {
    const { maker, components, folder } = await parts(test);
    await maker.stop();
    const options = { overwrite: false, signal: new AbortController().signal };
    const fetched = await fetchJob(components, JOB, join(folder, 'all'), options);
    assert.deepEqual([fetched.written, fetched.missing], [0, ['0-0.png', '1-0.png']]);
  });

  it('that stand in the folder already are not fetched again, nor are foreign ones that stay', async (test) => {
    const { components, folder, frames } = await parts(test);
    const signal = new AbortController().signal;
    const there = join(folder, 'all');
    mkdirSync(there);
    writeFileSync(join(there, '0-0.png'), frames[0] as Uint8Array);
    writeFileSync(join(there, '1-0.png'), 'foreign');
    const asked: string[] = [];
    const content: ContentSource = {
      ...components.content,
      ensureMany: (blobs, ...rest) => {
        asked.push(...blobs.map(({ hash }) => hash));
        return components.content.ensureMany(blobs, ...rest);
      },
    };
    const wary = { ...components, content };
    const kept = await fetchJob(wary, JOB, there, { overwrite: false, signal });
    assert.deepEqual([kept.written, kept.alreadyThere, kept.keptForeign], [0, 1, ['1-0.png']]);
    assert.deepEqual(asked, []);
    const told: FetchProgress[] = [];
    const onProgress = (progress: FetchProgress): void => void told.push(progress);
    const replaced = await fetchJob(wary, JOB, there, { overwrite: true, signal, onProgress });
    assert.deepEqual([replaced.written, replaced.alreadyThere, replaced.keptForeign], [1, 1, []]);
    assert.equal(asked.length, 1);
    assert.deepEqual(readFileSync(join(there, '1-0.png')), frames[1]);
    const { files, done, sizeBytes, doneBytes } = told.at(-1) as FetchProgress;
    assert.deepEqual([files, done, doneBytes], [2, 2, sizeBytes]);
  });

  it('are fetched as far as it came when it is interrupted, and the rest by the same again', async (test) => {
    const { components, folder } = await parts(test);
    const there = join(folder, 'all');
    const stop = new AbortController();
    const blobs = new Proxy(components.blobs, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'materialize') return typeof value === 'function' ? value.bind(target) : value;
        return async (...args: Parameters<BlobStore['materialize']>) => {
          await target.materialize(...args);
          stop.abort(new Error('Ctrl-C'));
        };
      },
    });
    const options = { overwrite: false, signal: stop.signal };
    await assert.rejects(fetchJob({ ...components, blobs }, JOB, there, options), /Ctrl-C/);
    assert.deepEqual(readdirSync(there), ['0-0.png'], 'nothing half-written is left');
    const { signal } = new AbortController();
    const again = await fetchJob(components, JOB, there, { overwrite: false, signal });
    assert.deepEqual([again.written, again.alreadyThere], [1, 1]);
    assert.deepEqual(readdirSync(there).sort(), ['0-0.png', '1-0.png']);
  });

  it('are named with the machine that has them where that is away', async (test) => {
    const { maker, components, folder } = await parts(test);
    await maker.stop();
    const options = { overwrite: false, signal: new AbortController().signal };
    const { away, problem } = await fetchJob(components, JOB, join(folder, 'all'), options);
    assert.ok(away.length >= 1);
    assert.match(problem ?? '', /can't be fetched now/);
  });
});
