import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { attemptKey, encode, signJobSpec, type Failure } from '@cuadro/protocol';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { openFoundation } from '../../../node/src/daemon/foundation.ts';
import { checkStore, isClean } from '../../../node/src/daemon/store-check.ts';
import type { Startable } from '../../../node/src/system/interface.ts';
import { runCaptured } from '../cli/harness.ts';
import { doneTask, jobRecord, JOBS } from '../replicas/records.ts';

/** What `cuadro doctor --store` finds in the folder of a node that has stopped. */

const JOB = JOBS[0] as string;
const signal = new AbortController().signal;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let folder: string;
let blob: Record<'plan' | 'bundle' | 'scene' | 'frame' | 'preview' | 'thumbnail' | 'log', string>;

/** A node with a scene, its plan, one frame and the log of a failure, all promised, and a thumbnail of the frame. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-doctor-'));
  const started: Startable[] = [];
  const { blobs, store, signer } = await openFoundation({ dataFolder: folder }, started);
  const put = async (bytes: Uint8Array): Promise<string> => (await blobs.putBytes(bytes, { pin: JOB })).hash;
  const scene = await put(bytesOf('a scene'));
  const [plan, bundle, frame, preview, thumbnail, log] = await Promise.all([
    put(bytesOf('a plan')),
    put(
      encode({
        version: 1,
        main: 'a.blend',
        remap: [],
        files: [{ path: 'a.blend', blob: scene, sizeBytes: 7 }],
      }),
    ),
    put(bytesOf('a frame')),
    put(bytesOf('a preview')),
    put(bytesOf('a thumbnail')),
    put(bytesOf('a log')),
  ]);
  blob = { plan, bundle, scene, frame, preview, thumbnail, log };
  const held = { [signer.peer]: { held: true, counter: 1 } };
  const { spec, ...rest } = jobRecord(JOB);
  const { signature: _, author: __, ...unsigned } = spec;
  const job = { ...rest, spec: signJobSpec(signer, { ...unsigned, plan, bundle }) };
  const task = doneTask(JOB, 3);
  const results = Object.entries(task.results).map(([key, result]) => {
    const files = result.files.map((file) => ({ ...file, blob: frame, sizeBytes: 7, preview }));
    return [key, { ...result, peer: signer.peer, holders: held, files, thumbnail }] as const;
  });
  const failure: Failure = {
    attempt: { epoch: { term: 1, peer: signer.peer }, sequence: 1 },
    ...{ peer: signer.peer, cause: 'failed', code: 'x', message: 'It broke.', lines: [], wallTime: 1 },
    ...{ log, holders: held },
  };
  await store.write({
    put: [
      { ...job, holders: { plan: held, bundle: held } },
      { ...task, results: Object.fromEntries(results), failures: { [attemptKey(failure.attempt)]: failure } },
    ],
    remove: [],
  });
  for (const component of started.reverse()) await component.stop();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const pathOf = (hash: string): string => blobLayout(folder).pathOf(hash);

describe('a check of the store', () => {
  test('finds nothing where all is whole, and changes nothing', async () => {
    const seen: number[] = [];
    const report = await checkStore(folder, { signal, onProgress: ({ files }) => seen.push(files) });
    assert.deepEqual(
      { ...report, fileBytes: undefined },
      {
        records: 2,
        badRecords: 0,
        rescued: false,
        badNotes: [],
        files: 7,
        fileBytes: undefined,
        corrupt: [],
        missing: [],
      },
    );
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(await checkStore(folder, { signal }), report);
  });

  test('names a file with a wrong bit, and puts it aside', async () => {
    await rm(pathOf(blob.frame));
    await writeFile(pathOf(blob.frame), 'a framf');
    const report = await checkStore(folder, { signal });
    assert.deepEqual(report.corrupt, [blob.frame]);
    assert.equal(isClean(report), false);
    const aside = await readdir(blobLayout(folder).quarantine);
    assert.ok(aside.length === 1 && aside[0]?.startsWith(blob.frame), 'kept for a look');
  });

  for (const part of ['plan', 'bundle', 'scene', 'frame', 'preview', 'log'] as const) {
    test(`R132, R137: names a promised ${part} that is gone, and who promised it`, async () => {
      await rm(pathOf(blob[part]));
      const { missing, corrupt } = await checkStore(folder, { signal });
      assert.deepEqual(corrupt, []);
      assert.deepEqual(
        missing.map(({ hash }) => hash),
        [blob[part]],
      );
      assert.match(
        missing[0]?.record ?? '',
        ['frame', 'preview', 'log'].includes(part) ? /^task\b/ : /^job\b/,
      );
    });
  }

  test('R137: says nothing of a thumbnail that is gone, since nothing is lost with it', async () => {
    await rm(pathOf(blob.thumbnail));
    const report = await checkStore(folder, { signal });
    assert.deepEqual([report.missing, isClean(report)], [[], true]);
  });

  test('counts records that can not be trusted', async () => {
    const started: Startable[] = [];
    const { store } = await openFoundation({ dataFolder: folder }, started);
    await store.write({ put: [jobRecord(JOBS[1] as string)], remove: [] });
    for (const component of started.reverse()) await component.stop();
    const report = await checkStore(folder, { signal });
    assert.equal(report.badRecords, 1);
    assert.equal(isClean(report), false);
  });

  test('refuses where no node has been, and makes nothing there', async () => {
    const empty = join(folder, 'nothing');
    await assert.rejects(checkStore(empty, { signal }), { code: 'no-data' });
    assert.deepEqual((await readdir(folder)).includes('nothing'), false);
  });

  test('leaves the folder of a running node alone', async () => {
    const started: Startable[] = [];
    await openFoundation({ dataFolder: folder }, started);
    try {
      await assert.rejects(checkStore(folder, { signal }), { code: 'data-folder-in-use' });
    } finally {
      for (const component of started.reverse()) await component.stop();
    }
  });
});

describe('cuadro doctor --store', () => {
  test('says in two lines that all is whole, and with code 7 what is not', async () => {
    const whole = await runCaptured(['doctor', '--store', '--data', folder]);
    assert.equal(whole.exit, 0);
    assert.match(whole.out, /^2 records and 7 files \(.*\) were read\.\nAll are whole, .*\n$/);
    await rm(pathOf(blob.frame));
    const hurt = await runCaptured(['doctor', '--store', '--data', folder]);
    assert.equal(hurt.exit, 7);
    assert.match(hurt.out, new RegExp(`1 promised file is gone:\n  ${blob.frame.slice(0, 12)} of task`));
    const { out } = await runCaptured(['doctor', '--store', '--json', '--data', folder]);
    const { clean, missing } = JSON.parse(out) as { clean: boolean; missing: unknown[] };
    assert.deepEqual([clean, missing.length], [false, 1]);
  });
});

test('R173: a start without its records folder knows that records are missing, not that all files are nobody’s', async () => {
  await rm(join(folder, 'records'), { recursive: true });
  const started: Startable[] = [];
  const { lacks } = await openFoundation({ dataFolder: folder }, started);
  for (const component of started.reverse()) await component.stop();
  assert.equal(lacks, 'gone');
});
