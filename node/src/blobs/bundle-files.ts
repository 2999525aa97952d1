import { BUNDLE_BYTES_MAX, readBundle } from '@cuadro/protocol';
import type { SignalOption } from '../system/interface.ts';
import type { BlobHash, BlobStore } from './interface.ts';

/** The files of a bundle whose list is here. Rejects where the list can't be read, or is of a kind that this version can't. */
export async function filesOfBundle(
  blobs: Pick<BlobStore, 'read'>,
  bundle: BlobHash,
  options: SignalOption = {},
): Promise<BlobHash[]> {
  const bytes = await blobs.read(bundle, { ...options, maxBytes: BUNDLE_BYTES_MAX });
  return readBundle(bytes).files.map(({ blob }) => blob);
}
