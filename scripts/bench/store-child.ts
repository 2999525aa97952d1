import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BUNDLE_BYTES_MAX, encode, readBundle } from '@cuadro/protocol';
import type { BlobStore } from '../../node/src/blobs/interface.ts';
import { createFileBlobStore } from '../../node/src/blobs/store.ts';
import { restoreTree, storeTree, type TreeFile } from '../../node/src/blobs/tree.ts';
import { createSystemClock } from '../../node/src/system/clock.ts';
import { createSystemRandom } from '../../node/src/system/random.ts';

/**
 * `node store-child.ts files FOLDER COUNT` takes a scene of so many small files in, restores and checks it;
 * `logical FOLDER GIGABYTES` takes in so many sparse files of 1 GB, each a content of its own, and reads some of
 * them again. Prints the highest memory that the process ever had, in MB, as JSON.
 */

const FILES_PER_FOLDER = 1_000;
const GIGABYTE = 1_000_000_000;
/** Files of 1 GB that are read again, piece by piece and whole. */
const READ_AGAIN = 3;
const JOB = 'abcdefghijklmnop';

const clock = createSystemClock();
const random = createSystemRandom();

async function takeFiles(blobs: BlobStore, folder: string, count: number): Promise<void> {
  const bundle = await storeBundle(blobs, await makeFiles(folder, count));
  const read = readBundle(await blobs.read(bundle, { maxBytes: BUNDLE_BYTES_MAX }));
  if (read === undefined) throw new Error('The bundle cannot be read again.');
  const tree = read.files.map(({ path, blob, sizeBytes }) => ({ path, hash: blob, sizeBytes }));
  await restoreTree({ blobs, random }, tree, join(folder, 'restored'));
  for await (const { hash: found, state } of blobs.check()) {
    if (state !== 'ok') throw new Error(`${found} is ${state}.`);
  }
}

async function makeFiles(folder: string, count: number): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  for (let i = 0; i < count; i++) {
    const path = `part-${Math.floor(i / FILES_PER_FOLDER)}/file-${i}.txt`;
    const source = join(folder, 'source', path);
    if (i % FILES_PER_FOLDER === 0) await mkdir(join(source, '..'), { recursive: true });
    await writeFile(source, `file ${i} of a scene\n`);
    files.push({ path, source });
  }
  return files;
}

/** As a submission stores a scene (jobs/scene-job.ts). */
async function storeBundle(blobs: BlobStore, made: readonly TreeFile[]): Promise<string> {
  const entries = await storeTree({ blobs }, made, { pin: JOB });
  const files = entries.map(({ path, hash, sizeBytes }) => ({ path, blob: hash, sizeBytes }));
  const bundle = encode({ version: 1, main: files[0]?.path ?? '', files, remap: [] });
  return (await blobs.putBytes(bundle, { pin: JOB })).hash;
}

async function takeLogical(blobs: BlobStore, folder: string, gigabytes: number): Promise<void> {
  const hashes: string[] = [];
  for (let i = 0; i < gigabytes; i++) {
    const source = join(folder, `sparse-${i}`);
    const file = await open(source, 'w');
    await file.truncate(GIGABYTE);
    await file.write(`content ${i}`, 0);
    await file.close();
    // Moved, so that it stays as sparse as it is.
    hashes.push((await blobs.putFile(source, { mode: 'move', pin: JOB })).hash);
  }
  for (const hash of hashes.slice(0, READ_AGAIN)) {
    let bytes = 0;
    for await (const chunk of (await blobs.open(hash)).chunks) bytes += chunk.length;
    if (bytes !== GIGABYTE) throw new Error(`${hash} gave ${bytes} bytes.`);
    await blobs.manifest(hash);
  }
  const { usedBytes } = await blobs.usage();
  if (usedBytes !== gigabytes * GIGABYTE) throw new Error(`The store counts ${usedBytes} bytes.`);
}

const [what, folder = '', amount = ''] = process.argv.slice(2);
const options = { reserveBytes: 0, quotaBytes: Number.MAX_SAFE_INTEGER };
const blobs = createFileBlobStore({ clock, random }, { folder: join(folder, 'data'), options });
await blobs.start();
await (what === 'files' ? takeFiles : takeLogical)(blobs, folder, Number(amount));
await blobs.stop();
console.log(JSON.stringify({ peakMB: process.resourceUsage().maxRSS / 1_024 }));
