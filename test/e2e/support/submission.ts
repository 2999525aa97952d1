import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleSchema, decode } from '../../../protocol/src/index.ts';
import { storedAt } from './damage.ts';

/** Bundle, plan and all files of the bundle of a job with a scene, as they lie in its submitter's data folder. */
export async function hashesOfSubmission(dataFolder: string, job: string): Promise<string[]> {
  const pinned = await pinnedFor(dataFolder, job);
  for (const hash of pinned) {
    const bytes = await readFile(storedAt(dataFolder, hash));
    const bundle = bundleSchema.safeParse(tryDecode(bytes));
    if (!bundle.success) continue;
    // The plan is stored after its bundle, before any frame.
    const plan = pinned[pinned.indexOf(hash) + 1] as string;
    return [hash, plan, ...new Set(bundle.data.files.map(({ blob }) => blob))];
  }
  throw new Error('No bundle was pinned for the job.');
}

/** Files in the order in which they were pinned for a job: the first of one without a scene is its plan. */
export async function pinnedFor(dataFolder: string, job: string): Promise<string[]> {
  const journal = await readFile(join(dataFolder, 'pins.journal'), 'utf8');
  return [...journal.matchAll(/^\+([0-9a-f]{64}) (\S+)$/gm)]
    .filter(([, , owner]) => owner === job)
    .map(([, hash]) => hash as string);
}

function tryDecode(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, bytes.length);
  } catch {
    return undefined;
  }
}
