import { hash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import {
  attemptKey,
  compileJob,
  encode,
  type JobRecord,
  jobType,
  type KnownRecord,
  signJobSpec,
  type Signer,
  type TaskRecord,
} from '@cuadro/protocol';
import { createFileBlobStore } from '../../node/src/blobs/store.ts';
import { foundFarm } from '../../node/src/farm/founding.ts';
import { localJobKey } from '../../node/src/jobs/interface.ts';
import { createLevelStore } from '../../node/src/store/level-store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { loadIdentity } from '../../node/src/system/identity.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import {
  type Bench,
  type BenchContext,
  CouldNotMeasure,
  endChild,
  type Measured,
  median,
  residentMB,
  rounded,
  startNode,
} from './harness.ts';
import { settledMB } from './rest.ts';
import { StoredFiles } from './stored-files.ts';

const TASKS = Number(process.env['CUADRO_BENCH_TASKS'] ?? 100_000);
const ROUNDS = 3;
/** Records of one write while the folder is made. */
const BATCH = 5_000;

export const bench: Bench = {
  name: 'restart',
  measures:
    `seconds from starting the node's process to its answer about a job of ${TASKS.toLocaleString('en-US')} done and collected ` +
    'frames, p50; every frame has a record as the worker writes it, a note of its collection, and two small files in the ' +
    'store, the image and its thumbnail. The baseline opens the same LevelDB and reads every value, nothing more. The ' +
    'ratio is baseline ÷ restart. Beside it: the memory once the node has compared what it promised with what it holds.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const folder = join(await context.folder('restart'), 'data');
  await mkdir(folder);
  const job = await makeHistory(folder, TASKS);
  const answered: number[] = [];
  const bare: number[] = [];
  const resident: number[] = [];
  let settled = Number.NaN;
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await readAll(join(folder, 'records')));
    const node = await startNode(context, folder);
    const { counts, state } = await node.client.call('job', { params: { job } });
    answered.push((performance.now() - node.spawnedAt) / 1_000);
    resident.push(residentMB(node.child.pid as number) ?? Number.NaN);
    if (state !== 'done' || counts.rendered + counts.done !== TASKS)
      throw new CouldNotMeasure(
        `The restarted node says that the job is ${state}: ${JSON.stringify(counts)}.`,
      );
    context.say(
      `Ready after ${((node.readyAt - node.spawnedAt) / 1_000).toFixed(2)} s, answered after ${answered.at(-1)?.toFixed(2)} s; ` +
        `bare read ${bare.at(-1)?.toFixed(2)} s; ${resident.at(-1)?.toFixed(0)} MB then.`,
    );
    if (round === ROUNDS - 1) settled = await settledMB(node);
    await endChild(node.child);
  }
  context.say(`Gone quiet, it takes ${settled.toFixed(0)} MB.`);
  return {
    value: rounded(median(answered), 2),
    unit: 's',
    baseline: rounded(median(bare), 2),
    ratio: rounded(median(bare) / median(answered), 3),
    residentMB: rounded(median(resident), 1),
    settledMB: rounded(settled, 1),
    tasks: TASKS,
  };
}

/** One frame after the other, and no film. */
export const framesPlan = (tasks: number) =>
  compileJob(jobType('blender-animation'), { frames: `1-${tasks}`, film: false });

/** The record of a job of frames; `blob` stands for its plan and its bundle. */
export function jobOfFrames(
  signer: Signer,
  { id, tasks, blob, outputFolder }: { id: string; tasks: number; blob: string; outputFolder: string },
): JobRecord {
  const held = { [signer.peer]: { held: true, counter: 1 } };
  return {
    kind: 'job',
    id,
    spec: signJobSpec(signer, {
      id,
      name: 'history',
      type: 'blender-animation',
      settings: framesPlan(tasks).settings,
      bundle: blob,
      plan: blob,
      tasks,
      order: 1,
      after: [],
      outputFolder,
      wallTime: createSystemClock().wallTime(),
    }),
    control: {},
    requests: {},
    holders: { bundle: held, plan: held },
    acknowledged: true,
  };
}

/** A data folder as a node leaves it after a job of many frames; the frames are small, and their output folder empty. */
export async function makeHistory(folder: string, tasks: number): Promise<string> {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const signer = await loadIdentity({ random }, join(folder, 'identity.key'));
  const blobs = createFileBlobStore({ clock, random }, { folder, options: { reserveBytes: 0 } });
  const store = createLevelStore(join(folder, 'records'));
  await blobs.start();
  await store.start();
  const { plan } = framesPlan(tasks);
  const id = random.name(16);
  const stored = await blobs.putBytes(encode(plan), { pin: id });
  const job = jobOfFrames(signer, { id, tasks, blob: stored.hash, outputFolder: join(folder, 'out') });
  await blobs.stop();
  const records: KnownRecord[] = [
    ...foundFarm({ clock, random, signer }, { farm: 'bench', machine: 'bench' }),
    job,
  ];
  await store.write({ put: records, remove: [], term: 1 });
  await store.setLocal({ [localJobKey(id)]: { folder: join(folder, 'out'), overwrite: false } });
  const files = new StoredFiles(folder);
  await files.start();
  for (let start = 0; start < tasks; start += BATCH) {
    const indices = Array.from({ length: Math.min(BATCH, tasks - start) }, (_, i) => start + i);
    const contents = indices.flatMap((index) => ['image', 'thumbnail'].map((of) => contentOf(index, of)));
    const hashes = await files.put(contents, id);
    const frames = indices.map((index, i) => {
      const [image, thumbnail] = hashes.slice(2 * i, 2 * i + 2) as [string, string];
      const sizeBytes = contents[2 * i]?.length as number;
      return doneFrame(id, index, signer.peer, { image, thumbnail, sizeBytes });
    });
    await store.write({ put: frames, remove: [] });
    await store.setLocal(Object.fromEntries(frames.map(noteOf)));
  }
  await files.stop();
  await store.stop();
  return id;
}

const contentOf = (index: number, of: string): Uint8Array => Buffer.from(`The ${of} of frame ${index + 1}.`);

/** Of a number and a kind; as little like any other as a real one, since records that are alike take less memory. */
const hashOf = (index: number, kind: number): string => hash('sha256', `${kind} ${index}`);

/** The record of a done frame, of files that are stored or only named. */
export function doneFrame(
  job: string,
  index: number,
  peer: string,
  files = { image: hashOf(index, 1), thumbnail: hashOf(index, 3), sizeBytes: 400_000 + index },
): TaskRecord {
  const attempt = { epoch: { term: 1, peer }, sequence: index + 1 };
  const name = `frame_${String(index + 1).padStart(4, '0')}.png`;
  return {
    kind: 'task',
    job,
    index,
    redo: 0,
    retry: 0,
    failures: {},
    results: {
      [attemptKey(attempt)]: {
        attempt,
        peer,
        state: 'rendered',
        files: [
          {
            name,
            blob: files.image,
            sizeBytes: files.sizeBytes,
            pixels: hashOf(index, 2),
            width: 640,
            height: 360,
            role: 'image',
          },
        ],
        holders: { [peer]: { held: true, counter: 1 } },
        renderMs: 500 + ((index * 7_919) % 1_000),
        thumbnail: files.thumbnail,
        wallTime: 1_700_000_000_000 + index * 500,
      },
    },
  };
}

/** What the collection remembers of a frame that it wrote. */
function noteOf(task: TaskRecord): [string, unknown] {
  const [result] = Object.values(task.results);
  const files = Object.fromEntries((result?.files ?? []).map(({ name, blob }) => [name, blob]));
  return [
    `collected/${task.job}/${task.index}`,
    { attempt: result && attemptKey(result.attempt), files, kept: [] },
  ];
}

async function readAll(folder: string): Promise<number> {
  const startedAt = performance.now();
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' });
  await database.open();
  const iterator = database.iterator();
  let count = 0;
  for (;;) {
    const entries = await iterator.nextv(1_000);
    if (entries.length === 0) break;
    count += entries.length;
  }
  await iterator.close();
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  if (count < TASKS) throw new CouldNotMeasure(`Only ${count} values are stored.`);
  return seconds;
}
