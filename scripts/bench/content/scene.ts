import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobHash, encode } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { storeTree, type TreeFile } from '../../../node/src/blobs/tree.ts';
import { writeNoise } from './noise.ts';

/** A scene of textures of one size in a folder of a person's, submitted as it is. */
export interface SceneCommand {
  readonly do: 'submit';
  readonly files: number;
  readonly fileBytes: number;
  /** The first is made whole; each later one paints one texture anew. */
  readonly version: number;
}

export interface Submitted {
  readonly bundle: BlobHash;
  /** From the call to the bundle that is durable: what a submission adds to opening the scene. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** What this process read meanwhile, from disk or from memory; null where the system doesn't count it. */
  readonly readMB: number | null;
}

/** Stores the scene as a submission does (jobs/scene-job.ts), after it was painted. */
export async function submitScene(
  { blobs, folder }: { readonly blobs: BlobStore; readonly folder: string },
  { files, fileBytes, version }: SceneCommand,
): Promise<Submitted> {
  const textures = join(folder, 'scene');
  await mkdir(textures, { recursive: true });
  const tree: TreeFile[] = [];
  for (let i = 0; i < files; i++) {
    const source = join(textures, `${i}.bin`);
    const isPainted = version === 0 || i === version % files;
    if (isPainted) await writeNoise(source, `${version}/${i}`, fileBytes);
    tree.push({ path: `textures/${i}.bin`, source });
  }
  const readBefore = readBytes();
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const entries = await storeTree({ blobs }, tree, { pin: 'bench' });
  const listed = entries.map(({ path, hash, sizeBytes }) => ({ path, blob: hash, sizeBytes }));
  const bundle = encode({ version: 1, main: tree[0]?.path ?? '', files: listed, remap: [] });
  const { hash } = await blobs.putBytes(bundle, { pin: 'bench' });
  const { user, system } = process.cpuUsage(cpuBefore);
  const read = readBytes();
  return {
    bundle: hash,
    seconds: (performance.now() - began) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    readMB: read === undefined || readBefore === undefined ? null : (read - readBefore) / 1e6,
  };
}

/** All that the calls of this process have read since it began. */
function readBytes(): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
