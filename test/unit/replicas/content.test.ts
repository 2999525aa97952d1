import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { NodeView } from '@cuadro/protocol';
import type { ContentSource } from '../../../node/src/blobs/source.ts';
import { createContentSource, holdersOf } from '../../../node/src/replicas/content.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { SceneFolders } from '../../../node/src/worker/scenes.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, type MachineInit, peerOf, reaches, TestFarm } from '../transfer/machines.ts';
import { failedWithLog, JOB, madeResult, submittedJob, TestRecords } from './keepers.ts';

/** A machine that fetches a scene asks so often only when some seconds went by. */
const ASKED_ENOUGH = 8;

function sourceOf(
  { transfer, mesh }: Machine,
  records: TestRecords,
  claimants: string[] = [],
): ContentSource {
  const { jobRecord, jobIds, taskRecord, removed } = records;
  const nodes = (): NodeView[] => [{ peer: peerOf('there'), name: 'Salon' } as NodeView];
  return createContentSource({
    transfer,
    mesh,
    clock: createSystemClock(),
    queries: { jobRecord, jobIds, taskRecord, removed, nodes, claimantsOf: () => claimants },
  });
}

async function pair(
  test: TestContext,
): Promise<{ farm: TestFarm; here: Machine; there: Machine; records: TestRecords }> {
  const farm = new TestFarm(test, ['here', 'there']);
  const here = await farm.start('here');
  const there = await farm.start('there');
  await reaches(here, there);
  return { farm, here, there, records: new TestRecords() };
}

describe('content from where the records say', () => {
  it('holders are those of the result, of the plan, of the bundle, and the submitter', async (test) => {
    const { here, there, records } = await pair(test);
    const job = await submittedJob(there, { files: [contentOf(1, 10)] });
    const made = await madeResult(here, 2, [contentOf(2, 10)]);
    job.holders.bundle = {
      [here.peer]: { held: true, counter: 1 },
      [there.peer]: { held: false, counter: 2 },
    };
    await records.merge([job, made]);
    const frame = Object.values(made.results)[0]?.files[0]?.blob as string;
    const of = (hash: string, place: { job?: string; task?: number } = {}): string[] =>
      holdersOf(records, hash, place).sort();
    const [both, one] = [[here.peer, there.peer].sort(), [there.peer]];
    assert.deepEqual(of(job.spec.plan), one);
    assert.deepEqual(of(job.spec.bundle as string), both);
    assert.deepEqual(of(frame, { job: JOB, task: 2 }), both);
    assert.deepEqual(of(frame), [], 'nothing is known of a file without its place');
  });

  it('R133: holders of a log are those that its failure names, and the machine that failed', async (test) => {
    const { here, there, records } = await pair(test);
    const { task, hash } = await failedWithLog(here, 1, contentOf(2, 10));
    const [[key, failure] = []] = Object.entries(task.failures);
    assert.ok(key !== undefined && failure !== undefined);
    const holders = {
      [here.peer]: { held: false, counter: 2 },
      [there.peer]: { held: true, counter: 1 },
      [peerOf('other')]: { held: true, counter: 1 },
    };
    await records.merge([
      await submittedJob(there),
      { ...task, failures: { [key]: { ...failure, holders } } },
    ]);
    const all = [here.peer, there.peer, peerOf('other')].sort();
    assert.deepEqual(holdersOf(records, hash, { job: JOB, task: 1 }).sort(), all);
  });

  it('a file without its place is found by asking everybody', async (test) => {
    const { here, there, records } = await pair(test);
    const { hash } = await there.blobs.putBytes(contentOf(3, 100));
    await sourceOf(here, records).ensure(hash, {});
    assert.notEqual(await here.blobs.has(hash), undefined);
  });

  it('waits for the machine that has it, by name, until it is back', async (test) => {
    const { farm, here, there, records } = await pair(test);
    const job = await submittedJob(there);
    await records.merge([job]);
    await there.stop();
    const source = sourceOf(here, records);
    await assert.rejects(source.ensure(job.spec.plan, { job: JOB }), { code: 'blob-unreachable' });
    const told: string[] = [];
    const waiting = Promise.withResolvers<void>();
    const ensured = source.ensure(
      job.spec.plan,
      { job: JOB },
      {
        onWaiting: (sentence) => {
          told.push(sentence);
          waiting.resolve();
        },
      },
    );
    await waiting.promise;
    assert.deepEqual(told, ['Waits for machine Salon.']);
    await farm.start('there');
    await ensured;
    assert.notEqual(await here.blobs.has(job.spec.plan), undefined);
    const waited: string[] = [];
    const short = { onWaiting: (sentence: string) => waited.push(sentence), waitMaxMs: 20 };
    await assert.rejects(source.ensure('0'.repeat(64), {}, short), { code: 'blob-unreachable' });
    assert.deepEqual(waited, ['Waits for a machine that has its files.'], 'so long, and no longer');
    const enough = new AbortController();
    const ended = source.ensure(
      '0'.repeat(64),
      {},
      {
        signal: enough.signal,
        onWaiting: () => enough.abort(new Error('enough')),
      },
    );
    await assert.rejects(ended, /enough/);
  });

  it('R64: waits for no machine that was removed, whatever it made', async (test) => {
    const { here, there, records } = await pair(test);
    const job = await submittedJob(there);
    const { task, hash } = await failedWithLog(there, 0, contentOf(2, 10));
    await records.merge([job, task]);
    await there.stop();
    records.gone.add(there.peer);
    assert.deepEqual(holdersOf(records, hash, { job: JOB, task: 0 }), []);
    const waited: string[] = [];
    const short = { onWaiting: (sentence: string) => waited.push(sentence), waitMaxMs: 20 };
    const ensured = sourceOf(here, records).ensure(job.spec.plan, { job: JOB }, short);
    await assert.rejects(ensured, { code: 'blob-unreachable' });
    assert.deepEqual(waited, ['Waits for a machine that has its files.']);
  });

  it('R166: a scene comes also from a machine that claims it, and that no record names', async (test) => {
    const farm = new TestFarm(test, ['here', 'there', 'early']);
    const files = [contentOf(1, 8 * 2 ** 20), contentOf(2, 8 * 2 ** 20)];
    let bundle = '';
    let asked = 0;
    const begin = Promise.withResolvers<void>();
    // Its holder gives no large file before the other one was asked what it has, or had been by far.
    const holder: MachineInit = {
      disguise: (blobs) =>
        disguised(blobs, {
          has: (hash) => {
            if (hash === bundle && ++asked === ASKED_ENOUGH) begin.resolve();
            return blobs.has(hash);
          },
          manifest: async (...call) => {
            await begin.promise;
            return blobs.manifest(...call);
          },
        }),
    };
    const claiming: MachineInit = {
      disguise: (blobs) =>
        disguised(blobs, {
          has: (hash) => {
            if (hash === bundle) begin.resolve();
            return blobs.has(hash);
          },
        }),
    };
    const there = await farm.start('there', holder);
    const early = await farm.start('early', claiming);
    const here = await farm.start('here');
    await reaches(here, there, early);
    const job = await submittedJob(there, { files });
    // It fetched the scene long ago: whom it asked remembers nothing of it.
    await submittedJob(early, { files });
    const records = new TestRecords();
    await records.merge([job]);
    bundle = job.spec.bundle as string;
    await sourceOf(here, records, [early.peer]).ensureTree(bundle, { job: JOB });
    const [fromEarly, fromThere] = [early, there].map(({ transfer }) => transfer.status().sentBytes);
    assert.ok((fromEarly ?? 0) > 2 ** 20, `${fromEarly} bytes from it, ${fromThere} from the holder`);
  });

  it('a scene is fetched before it is rebuilt, once for all who open it, and fetched again where it is damaged', async (test) => {
    const { farm, here, there, records } = await pair(test);
    const files = [contentOf(1, 2_000_000), contentOf(2, 10)];
    const job = await submittedJob(there, { files });
    await records.merge([job]);
    const folder = join(farm.folderOf('here'), 'scenes');
    mkdirSync(folder);
    const content = sourceOf(here, records);
    const scenes = new SceneFolders({ blobs: here.blobs, content, random: createSystemRandom() }, { folder });
    const told: string[] = [];
    const use = (signal = new AbortController().signal) => ({
      job: JOB,
      signal,
      progress: (text: string) => void told.push(text),
    });
    const impatient = new AbortController();
    const hash = job.spec.bundle as string;
    const first = scenes.open(hash, use(impatient.signal));
    const second = scenes.open(hash, use());
    impatient.abort(new Error('enough'));
    await assert.rejects(first, /enough/);
    const scene = await second;
    assert.deepEqual(readFileSync(join(scene.directory, '0')), files[0]);
    assert.ok(
      told.some((text) => /^Fetching the scene, \d+ %$/.test(text)),
      told.join(),
    );
    scene.release();
    // A damaged copy in the store: the tree is built anew from what the other machine has.
    const { blob } = scene.bundle.files[0] as { blob: string };
    const { rmSync, chmodSync, writeFileSync } = await import('node:fs');
    const path = join(farm.folderOf('here'), 'blobs', blob.slice(0, 2), blob);
    chmodSync(path, 0o644);
    writeFileSync(path, contentOf(9, 2_000_000));
    for (const name of readdirSync(folder)) {
      chmodSync(join(folder, name), 0o755);
      rmSync(join(folder, name), { recursive: true });
    }
    const again = new SceneFolders({ blobs: here.blobs, content, random: createSystemRandom() }, { folder });
    const rebuilt = await again.open(hash, use());
    assert.deepEqual(readFileSync(join(rebuilt.directory, '0')), files[0]);
  });
});
