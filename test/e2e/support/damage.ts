import { createHash } from 'node:crypto';
import { chmod, open, readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskView } from '../../../protocol/src/index.ts';
import { readNodeFile } from '../../../node/src/system/node-file.ts';

/** What failing disks do to a node's data folder, and what its clients get of it then. */

export const storedAt = (dataFolder: string, hash: string): string =>
  join(dataFolder, 'blobs', hash.slice(0, 2), hash);

/** Flips one bit of a file in its place, as a disk does: size and times tell nothing. */
export async function flipBit(path: string, at: number): Promise<void> {
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] as number) ^ 0x04;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

/** Halves the first file of a data folder's database whose name fits; gives its name. */
export async function halveRecords(dataFolder: string, pattern: RegExp): Promise<string> {
  const folder = join(dataFolder, 'records');
  const name = (await readdir(folder)).sort().find((one) => pattern.test(one));
  if (name === undefined) throw new Error(`${folder} holds no file like ${pattern}.`);
  await truncate(join(folder, name), Math.floor((await stat(join(folder, name))).size / 2));
  return name;
}

/** Cuts the log of a data folder's database within the first write that names a job: that one and all later are gone. */
export async function cutRecordsAt(dataFolder: string, job: string): Promise<void> {
  const folder = join(dataFolder, 'records');
  // The log may divide a name in two; one half is whole then.
  const halves = [job.slice(0, job.length / 2), job.slice(job.length / 2)];
  for (const name of (await readdir(folder)).filter((one) => one.endsWith('.log'))) {
    const bytes = await readFile(join(folder, name));
    const at = Math.min(...halves.map((half) => bytes.indexOf(half)).filter((found) => found >= 0));
    if (Number.isFinite(at)) return truncate(join(folder, name), at);
  }
  throw new Error(`No log in ${folder} names ${job}.`);
}

export type Served = 'whole' | 'refused' | 'cut' | 'wrong';

/** What a node's API gives for a stored file: `wrong` are bytes that passed for the file and aren't. */
export async function served(dataFolder: string, hash: string): Promise<Served> {
  const node = readNodeFile(dataFolder);
  if (node === undefined) return 'refused';
  const answer = await fetch(`${node.address}/api/v1/blobs/${hash}`, {
    headers: { authorization: `Bearer ${node.token}` },
  });
  if (!answer.ok) {
    await answer.arrayBuffer();
    return 'refused';
  }
  try {
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return createHash('sha256').update(bytes).digest('hex') === hash ? 'whole' : 'wrong';
  } catch {
    return 'cut';
  }
}

export const blobsOf = (tasks: readonly TaskView[]): string[] =>
  tasks.flatMap(({ files }) => files.map(({ blob }) => blob));
