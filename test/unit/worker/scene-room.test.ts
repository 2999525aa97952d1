import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { createContentSource } from '../../../node/src/replicas/content.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { isMachineFault } from '../../../node/src/worker/failures.ts';
import { SceneFolders } from '../../../node/src/worker/scenes.ts';
import { contentOf } from '../blobs/helpers.ts';
import { JOB, submittedJob } from '../replicas/keepers.ts';
import { reaches, TestFarm } from '../transfer/machines.ts';

/** A scene of four files of 1 MB that another machine has, and one that renders it with a store of this quota. */
async function sceneElsewhere(test: TestContext, quotaBytes: number) {
  const farm = new TestFarm(test, ['submitter', 'worker']);
  const submitter = await farm.start('submitter');
  // One file comes after the other, so that each finds the store as the last one left it.
  const worker = await farm.start('worker', { store: { quotaBytes, concurrency: 1 } });
  await reaches(worker, submitter);
  const files = [1, 2, 3, 4].map((number) => contentOf(number, 1_000_000));
  const record = await submittedJob(submitter, { files });
  const queries = {
    jobRecord: () => record,
    jobIds: () => [JOB],
    taskRecord: () => undefined,
    nodes: () => [],
    removed: () => new Set(),
    claimantsOf: () => [],
  } as unknown as CoreQueries;
  const content = createContentSource({ ...worker, queries, clock: createSystemClock() });
  const scenes = new SceneFolders(
    { blobs: worker.blobs, content, random: createSystemRandom() },
    { folder: join(farm.folderOf('worker'), 'scenes') },
  );
  const use = { job: JOB, signal: new AbortController().signal, progress: () => undefined };
  const opened = scenes.open(record.spec.bundle as string, use);
  return { worker, files, opened };
}

it('a scene that has no room in the store is a fault of the machine, and of no frame', async (test) => {
  const { worker, opened } = await sceneElsewhere(test, 2_500_000);
  const error: unknown = await opened.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code, message } = error as { code: string; message: string };
  assert.equal(code, 'store-full', message);
  assert.ok(isMachineFault(code));
  assert.deepEqual(worker.blobs.pinOwners(), [], 'what came may go again');
});

it('a scene is pinned only until it is built', async (test) => {
  const { worker, files, opened } = await sceneElsewhere(test, 5_000_000);
  const { directory } = await opened;
  for (const [i, bytes] of files.entries())
    assert.deepEqual(await readFile(join(directory, String(i))), bytes);
  assert.deepEqual(worker.blobs.pinOwners(), []);
});
