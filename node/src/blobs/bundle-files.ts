import { type Bundle, BUNDLE_BYTES_MAX, type JobSpec, readBundle } from '@cuadro/protocol';
import type { SignalOption } from '../system/interface.ts';
import type { BlobHash, BlobStore } from './interface.ts';

/** What a bundle's list says of its files. Rejects where the list can't be read, or is of a kind that this version can't. */
export async function entriesOfBundle(
  blobs: Pick<BlobStore, 'read'>,
  bundle: BlobHash,
  options: SignalOption = {},
): Promise<Bundle['files']> {
  const bytes = await blobs.read(bundle, { ...options, maxBytes: BUNDLE_BYTES_MAX });
  return readBundle(bytes).files;
}

/** The files of a bundle whose list is here. Rejects as `entriesOfBundle` does. */
export async function filesOfBundle(
  blobs: Pick<BlobStore, 'read'>,
  bundle: BlobHash,
  options: SignalOption = {},
): Promise<BlobHash[]> {
  return (await entriesOfBundle(blobs, bundle, options)).map(({ blob }) => blob);
}

/** All that a job is made of: its plan, and its bundle with all files. Rejects as `filesOfBundle` does. */
export async function contentOfJob(
  blobs: Pick<BlobStore, 'read'>,
  { plan, bundle }: Pick<JobSpec, 'plan' | 'bundle'>,
): Promise<BlobHash[]> {
  return bundle === undefined ? [plan] : [plan, bundle, ...(await filesOfBundle(blobs, bundle))];
}
