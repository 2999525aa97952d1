import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { JobView, TaskView } from '@cuadro/protocol';
import { checkStore, isClean } from '../../../node/src/daemon/store-check.ts';
import { until } from '../../../scripts/farm/local-farm.ts';
import { allTasks, type Asked, verifyCollected } from '../../../scripts/farm/verify.ts';
import { filesBelow } from './media.ts';

/** What must be true of a job in the end, whatever happened to the machines of its farm meanwhile. */

/** Until those whose network lost packets are of one mind again. */
const AGREED_MS = 120_000;

type NamedJob = Pick<JobView, 'id' | 'name'>;

export const viewOf = async (node: Asked | undefined, job: string): Promise<JobView | undefined> =>
  node?.client.call('job', { params: { job } }).catch(() => undefined);

/** Waits until every one of these nodes shows the job done; fails as soon as one shows it failed. */
export async function doneEverywhere(
  nodes: readonly Asked[],
  job: NamedJob,
  limitMs = 240_000,
): Promise<void> {
  await until(
    `job ${job.name} to be done everywhere`,
    async () => {
      const views = await Promise.all(nodes.map((node) => viewOf(node, job.id)));
      const failed = views.find((view) => view?.state === 'failed');
      assert.equal(failed, undefined, failed?.reason);
      return views.every((view) => view?.state === 'done');
    },
    limitMs,
  );
}

/**
 * All frames are there and whole, nothing else lies in the folder, each task has one result that counts, and all
 * nodes say the same. Gives the number of frames.
 */
export async function checkJob(
  nodes: readonly Asked[],
  submitter: Asked,
  job: NamedJob,
  frames: number,
): Promise<number> {
  await doneEverywhere(nodes, job);
  const verified = await verifyCollected(submitter, job.id);
  assert.equal(verified.frames, frames);
  assert.equal(verified.filmFrames, frames);
  const names = (await allTasks(submitter, job.id)).flatMap(({ files }) => files.map(({ name }) => name));
  assert.deepEqual(await filesBelow(verified.folder), names.sort(), 'one file for each result, and no other');
  // A job is done once each of its tasks has a result: the word that one of them is held twice may be on its way, for
  // as long as its sender and a node find no connection.
  await agreed(nodes, async (node) => (await allTasks(node, job.id)).map(resultOf), AGREED_MS);
  return verified.frames;
}

/** Waits until all nodes show the same of something, and gives it; where they never do, it fails with the difference. */
export async function agreed<N, T>(
  nodes: readonly N[],
  show: (node: N) => Promise<T>,
  limitMs = 60_000,
): Promise<T> {
  let last: T[] = [];
  try {
    await until(
      'all nodes to show the same',
      async () => {
        last = await Promise.all(nodes.map(show));
        return last.every((shown) => isDeepStrictEqual(shown, last[0]));
      },
      limitMs,
    );
  } catch (error) {
    for (const shown of last) assert.deepEqual(shown, last[0], 'all nodes show the same');
    throw error;
  }
  return last[0] as T;
}

function resultOf({ name, state, files }: TaskView) {
  return { name, state, blobs: files.map(({ blob }) => blob) };
}

/**
 * What a kill left, judged as `cuadro doctor --store` judges it: every record and every note can be read, the database
 * needed no rescue, every file is whole, and what the records promise is there. A process that is killed takes nothing
 * with it that it had handed to the system, so unlike a power cut it excuses none of these.
 */
export async function checkStopped(dataFolder: string): Promise<void> {
  const report = await checkStore(dataFolder, { signal: AbortSignal.timeout(60_000) });
  assert.ok(report.records > 0);
  assert.ok(isClean(report), `${dataFolder} is not clean: ${JSON.stringify(report)}`);
}
