import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { attemptKey, encode, signJobSpec, type Failure, type KnownRecord } from '@cuadro/protocol';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { startNode } from '../../../node/src/daemon.ts';
import { openFoundation, type Foundation } from '../../../node/src/daemon/foundation.ts';
import { checkStore, isClean } from '../../../node/src/daemon/store-check.ts';
import { submissionKey } from '../../../node/src/jobs/interface.ts';
import type { Startable } from '../../../node/src/system/interface.ts';
import { runCaptured } from '../cli/harness.ts';
import { doneTask, jobRecord, JOBS } from '../replicas/records.ts';

/** What `cuadro doctor --store` finds in the folder of a node that has stopped. */

const JOB = JOBS[0] as string;
const signal = new AbortController().signal;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

let folder: string;
/** What the last write before the end put. */
let stored: KnownRecord[];
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
  stored = [
    { ...job, holders: { plan: held, bundle: held } },
    { ...task, results: Object.fromEntries(results), failures: { [attemptKey(failure.attempt)]: failure } },
  ];
  // Its end is noted after the record: a cut takes both.
  await store.setLocal({ [submissionKey(JOB)]: {} });
  await store.write({ put: stored, remove: [] });
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
        unknownJobs: [],
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

/** The last write, that of the job and its task, is cut. */
async function cutLog(): Promise<void> {
  const records = join(folder, 'records');
  const name = (await readdir(records)).find((one) => one.endsWith('.log')) as string;
  await truncate(join(records, name), (await stat(join(records, name))).size - 3);
}

interface Run {
  lacks: Foundation['lacks'];
  pinned: number;
  job: KnownRecord | undefined;
}

/** A start of the node, alone, and its end; `before` is what it hears of others. */
async function runNode(before: readonly KnownRecord[] = []): Promise<Run> {
  if (before.length > 0) await withFoundation(({ store }) => store.write({ put: [...before], remove: [] }));
  const config = {
    blender: '/nowhere',
    ffmpeg: '/nowhere',
    reserveGiB: 0,
    network: false,
    outputFolder: folder,
  };
  await (await startNode({ dataFolder: folder, port: 0, config })).stop();
  return withFoundation(({ lacks, blobs, core }) =>
    Promise.resolve({ lacks, pinned: blobs.pinnedBy(JOB).length, job: core.jobRecord(JOB) }),
  );
}

async function withFoundation<T>(look: (foundation: Foundation) => Promise<T>): Promise<T> {
  const started: Startable[] = [];
  try {
    return await look(await openFoundation({ dataFolder: folder }, started));
  } finally {
    for (const component of started.reverse()) await component.stop();
  }
}

const logOf = (): Promise<string> => readFile(join(folder, 'node.log'), 'utf8');

describe('R173: records that may be missing', () => {
  test('after a cut no start and no look gives up pins of the job whose record is gone, until it is known again', async () => {
    const pinned = 7;
    await cutLog();
    const report = await checkStore(folder, { signal });
    assert.deepEqual([report.lacks, report.unknownJobs, isClean(report)], ['cut', [JOB], false]);
    for (let start = 0; start < 2; start++)
      assert.deepEqual(await runNode(), { lacks: 'cut', pinned, job: undefined });
    assert.deepEqual((await checkStore(folder, { signal })).unknownJobs, [JOB]);
    // As it comes from another machine.
    const known = await runNode(stored);
    assert.deepEqual([known.lacks, known.pinned], [undefined, pinned]);
    assert.deepEqual((await checkStore(folder, { signal })).lacks, undefined);
  });

  test('a cut that has taken no job is over with the next start of the node', async () => {
    await withFoundation(({ store }) => store.setLocal({ note: 1 }));
    await cutLog();
    assert.equal((await checkStore(folder, { signal })).lacks, 'cut');
    const { lacks, job } = await runNode();
    assert.deepEqual([lacks, job?.kind], [undefined, 'job']);
  });

  test('the log says it in a sentence at each such start, and the doctor what was found and what comes of it', async () => {
    await cutLog();
    const sentence = /Some of the latest writes of the records were lost/g;
    for (let looks = 1; looks < 3; looks++) {
      const { exit, out } = await runCaptured(['doctor', '--store', '--data', folder]);
      assert.equal(exit, 7);
      assert.match(
        out,
        /Some of the latest writes of the records were lost, as by a power cut or a bad sector: records/,
      );
      assert.match(out, new RegExp(`1 job is unknown of which files are kept here: .*:\n  ${JOB}`));
      assert.match(out, /What is missing comes back from the other machines .* for 30 days/);
      assert.equal((await logOf()).match(sentence)?.length, looks);
    }
    const { out } = await runCaptured(['doctor', '--store', '--json', '--data', folder]);
    const { clean, lacks, unknownJobs } = JSON.parse(out) as Record<string, unknown>;
    assert.deepEqual([clean, lacks, unknownJobs], [false, 'cut', [JOB]]);
  });

  test('a start without its records folder knows it, also those after it, and takes a term beyond', async () => {
    await rm(join(folder, 'records'), { recursive: true });
    for (let start = 0; start < 2; start++) {
      const { lacks, pinned } = await runNode();
      assert.deepEqual([lacks, pinned], ['gone', 7]);
    }
    const { term } = await withFoundation(({ store }) => store.load());
    assert.ok(term >= 1_000);
    assert.match(await logOf(), /The records were gone/);
  });
});
