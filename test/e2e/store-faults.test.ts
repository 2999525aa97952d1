import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createFileBlobStore } from '../../node/src/blobs/store.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';
import type { JobView } from '../../protocol/src/index.ts';
import { LocalFarm, type LocalNode } from '../../scripts/farm/local-farm.ts';
import { blobsOf, cutRecordsAt, flipBit, halveRecords, served, storedAt } from './support/damage.ts';
import { House, jobIn, run, tasksOf } from './support/house.ts';
import { checkStopped } from './support/job-checks.ts';
import { until } from './support/wait.ts';

/**
 * What a disk can do to a node of a farm, on a small file system of its own: it fills, refuses, goes, flips bits, loses
 * the ends of files. Each time the node says it in a sentence, serves no wrong byte, the other goes on, and afterwards
 * all is held by both again (SPEC R170 to R174). The machine `sound` submits; `sick` has the disk.
 */

const FRAMES = 3;
const FRAME_BYTES = 3 * 2 ** 20;
const DISK = '128m';
const RESERVE_MIB = 8;

let house: House;
let farm: LocalFarm;
let sound: LocalNode;
let sick: LocalNode;
let folder: string;
let canMount = false;
let made = 0;
/** Who had no room is asked only half a minute later again: of these it is looked at the end whether both hold them. */
const owed: JobView[] = [];

before(async () => {
  house = await House.open();
  folder = house.fresh('farm');
  canMount = await house.mountAt(join(folder, 'carmen'), `size=${DISK}`);
  farm = await LocalFarm.open({
    folder,
    nodes: 2,
    config: {
      reserveGiB: RESERVE_MIB / 1_024,
      programs: ['sh'],
      ...house.noEngines,
    },
    env: { TMPDIR: house.temporary },
  });
  [sound, sick] = farm.nodes as [LocalNode, LocalNode];
});
after(async () => {
  await farm?.close();
  await house?.close();
});

/** Frames of random bytes, of several pieces each; by the machine `sound` alone where the other can't work. */
async function submit(): Promise<JobView> {
  const script = `head -c ${FRAME_BYTES} /dev/urandom > "$CUADRO_OUTPUT/part_$CUADRO_FRAME.bin"`;
  const { job } = await sound.client.call('submit', {
    body: {
      type: 'command',
      name: `job ${++made}`,
      settings: { program: 'sh', args: ['-c', script], frames: `1-${FRAMES}` },
    },
  });
  return job;
}

/** Every frame is there, held by both, and either serves its very bytes. */
async function heldByBoth(job: JobView): Promise<string[]> {
  const params = { job: job.id };
  await until(`${job.name} to be held by both`, async () => {
    for (const { client } of [sound, sick]) {
      // Who was started a moment ago may not have heard of it yet.
      const view = await client.call('job', { params }).catch(() => undefined);
      if (view?.state !== 'done' || view.counts.done !== FRAMES) return false;
      const tasks = await tasksOf(client, job.id);
      if (!tasks.every(({ copies }) => copies >= 2)) return false;
    }
    return true;
  });
  const hashes = blobsOf(await tasksOf(sound.client, job.id));
  for (const { dataFolder } of [sound, sick]) {
    for (const hash of hashes) assert.equal(await served(dataFolder, hash), 'whole');
  }
  return hashes;
}

const here = (node: LocalNode) => node.client.call('here', {});

async function saysOfItsDisk(node: LocalNode, sentence: RegExp): Promise<void> {
  let said: unknown;
  const isSaid = async (): Promise<boolean> => {
    const { reason } = (said = (await here(node)).store);
    return sentence.test(reason ?? '');
  };
  await until(`${node.name} to say ${sentence}`, isSaid, 20_000).catch((error: Error) => {
    throw new Error(`${error.message} It says: ${JSON.stringify(said)}`, { cause: error });
  });
}

const accepts = (node: LocalNode) =>
  until(`${node.name} to take work again`, async () => (await here(node)).store.accepting);

/** The sentence with which its process ended, and its exit code. */
async function ended(node: LocalNode): Promise<{ code: number | null; said: string }> {
  const child = node.process;
  assert.ok(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, said };
}

/** What a node that doesn't run has pinned for a job. */
async function pinsOf(dataFolder: string, job: string): Promise<string[]> {
  const components = { clock: createSystemClock(), random: createSystemRandom() };
  const blobs = createFileBlobStore(components, { folder: dataFolder });
  await blobs.start();
  const pinned = [...blobs.pinnedBy(job)].sort();
  await blobs.stop();
  return pinned;
}

const CUT = /Some of the latest writes of the records were lost/;

async function startAgain(): Promise<void> {
  await farm.start(1);
  sick = farm.node(1);
  await farm.whole();
}

test('flipped bits: no wrong byte is served, and the damaged copies are had from the other again', async () => {
  const job = await submit();
  const hashes = await heldByBoth(job);
  const places = [0, FRAME_BYTES / 2, FRAME_BYTES - 1];
  for (const [i, hash] of hashes.entries())
    await flipBit(storedAt(sick.dataFolder, hash), places[i] as number);
  for (const hash of hashes) assert.notEqual(await served(sick.dataFolder, hash), 'wrong');
  await until('the damaged copies to be put aside', async () => {
    const log = await readFile(join(sick.dataFolder, 'node.log'), 'utf8');
    return hashes.every((hash) => log.includes(hash));
  });
  assert.deepEqual(await heldByBoth(job), hashes);
});

test('R136: a flipped bit in a frame that nobody asks for is found after a start, and the frame had again', async () => {
  const job = await submit();
  const hashes = await heldByBoth(job);
  const hash = hashes[1] as string;
  await farm.stop(1);
  await flipBit(storedAt(sick.dataFolder, hash), FRAME_BYTES / 3);
  await startAgain();
  await until('the damaged frame to be named', async () => {
    const log = await readFile(join(sick.dataFolder, 'node.log'), 'utf8');
    return log.split('\n').some((line) => line.includes('A stored file is damaged') && line.includes(hash));
  });
  assert.deepEqual(await heldByBoth(job), hashes);
});

test('a full disk: the node says so and takes no work, the other does it, and with room it works again', async (t) => {
  if (!canMount) return t.skip('needs the right to mount');
  const { stdout } = await run('df', ['--output=avail', '-B1', sick.dataFolder]);
  const filler = join(sick.dataFolder, 'filler');
  // Less than the reserve is left, in which records can still be written.
  const bytes = Number(stdout.split('\n')[1]) - (RESERVE_MIB - 2) * 2 ** 20;
  await run('fallocate', ['-l', String(bytes), filler]);
  await saysOfItsDisk(sick, /^The disk has only .* free; .* are kept in reserve/);
  const job = await submit();
  await jobIn(sound.client, job.id, ['done']);
  const hashes = blobsOf(await tasksOf(sound.client, job.id));
  for (const hash of hashes) assert.equal(await served(sound.dataFolder, hash), 'whole');
  const { counts } = await sound.client.call('job', { params: { job: job.id } });
  assert.equal(counts.failed, 0, 'a disk is nobody’s failure');
  await rm(filler);
  await accepts(sick);
  owed.push(job);
});

test('a disk that refuses to be written: the node says so, and goes on once it may', async (t) => {
  if (!canMount) return t.skip('needs the right to mount');
  const { dataFolder } = sick;
  // What is open stays writable, the records among it; every new file is refused.
  await run('mount', ['--bind', dataFolder, dataFolder]);
  let job: JobView;
  try {
    await run('mount', ['-o', 'remount,bind,ro', dataFolder]);
    await saysOfItsDisk(sick, /^The data folder .* cannot be written to\.$/);
    job = await submit();
    await jobIn(sound.client, job.id, ['done']);
    const hash = blobsOf(await tasksOf(sound.client, job.id))[0] as string;
    assert.notEqual(await served(dataFolder, hash), 'wrong');
  } finally {
    await run('umount', ['-l', dataFolder]);
  }
  await accepts(sick);
  owed.push(job);
});

test('R174: folders that are gone: of its files, the node waits for them; of its records, it ends', async () => {
  const { dataFolder } = sick;
  const job = await submit();
  const hashes = await heldByBoth(job);
  const away = (name: string): string => join(dataFolder, `${name}-away`);
  await rename(join(dataFolder, 'blobs'), away('blobs'));
  await saysOfItsDisk(sick, /^The data folder .* is gone, or a part of it\.$/);
  for (const hash of hashes) assert.notEqual(await served(dataFolder, hash), 'wrong');
  await rename(away('blobs'), join(dataFolder, 'blobs'));
  await accepts(sick);
  await heldByBoth(job);

  const ending = ended(sick);
  await rename(join(dataFolder, 'records'), away('records'));
  const next = await submit();
  const { code, said } = await ending;
  assert.equal(code, 7, said);
  assert.match(said, /The data folder .* can't be written: [Tt]he folder .*records is gone/);
  await jobIn(sound.client, next.id, ['done']);
  await rename(away('records'), join(dataFolder, 'records'));
  await startAgain();
  await heldByBoth(next);
});

test('R173: cut files of the records: the node comes back with what is left, and has the rest from the other', async () => {
  const { dataFolder } = sick;
  const job = await submit();
  const hashes = await heldByBoth(job);
  await farm.kill(1);
  await halveRecords(dataFolder, /\.log$/);
  await startAgain();
  assert.match(await readFile(join(dataFolder, 'node.log'), 'utf8'), CUT);
  await heldByBoth(job);
  // Its start made a table of what was left of the log.
  await farm.kill(1);
  await halveRecords(dataFolder, /\.ldb$/);
  await rm(join(dataFolder, 'records', 'CURRENT'));
  await startAgain();
  assert.match(
    await readFile(join(dataFolder, 'node.log'), 'utf8'),
    /The database of the records was damaged/,
  );
  assert.ok(existsSync(join(dataFolder, 'records.damaged')));
  assert.deepEqual(await heldByBoth(job), hashes);
  await farm.stop(1);
  await checkStopped(dataFolder);
});

test('R173: a cut that took a job: its files are kept over starts without the other, which brings it back', async () => {
  const { dataFolder } = sick;
  await farm.stop(1);
  // Its log begins with this start, and names the jobs.
  await startAgain();
  const jobs = [await submit(), await submit()];
  for (const job of jobs) await heldByBoth(job);
  const [first, lost] = jobs.map(({ id }) => id) as [string, string];
  await farm.kill(1);
  await farm.stop(0);
  const kept = await pinsOf(dataFolder, lost);
  assert.ok(kept.length > FRAMES);
  await cutRecordsAt(dataFolder, lost);
  for (let start = 0; start < 2; start++) {
    const { code, stdout } = await house.cuadro(['doctor', '--store'], { data: dataFolder });
    assert.equal(code, 7, stdout);
    assert.match(stdout, CUT);
    assert.match(stdout, new RegExp(`1 job is unknown of which files are kept here: .*\\n  ${lost}`));
    sick = await farm.start(1);
    assert.equal((await sick.client.call('job', { params: { job: first } })).id, first);
    await assert.rejects(sick.client.call('job', { params: { job: lost } }));
    await farm.stop(1);
    assert.deepEqual(await pinsOf(dataFolder, lost), kept);
  }
  sick = await farm.start(1);
  sound = await farm.start(0);
  await farm.whole();
  for (const job of jobs) await heldByBoth(job);
  await farm.stop(1);
  await checkStopped(dataFolder);
  assert.deepEqual(await pinsOf(dataFolder, lost), kept);
  await startAgain();
});

test('R170: a garbled key ends the start with a sentence that names the file', async () => {
  const { dataFolder } = sick;
  await farm.stop(1);
  const key = join(dataFolder, 'identity.key');
  await flipBit(key, 40);
  const { code, stderr } = await house.cuadro(['up', '--offline', '--port', '0'], { data: dataFolder });
  assert.equal(code, 7, stderr);
  assert.match(stderr, /This machine's key .*identity\.key can't be used: /);
  await flipBit(key, 40);
  await startAgain();
});

test('in the end both hold all that was made while the one could not', async () => {
  for (const job of owed) await heldByBoth(job);
  await Promise.all([farm.stop(0), farm.stop(1)]);
  for (const { dataFolder } of [sound, sick]) await checkStopped(dataFolder);
});
