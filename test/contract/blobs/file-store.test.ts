import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { blobStoreContract } from './suite.ts';

blobStoreContract({
  name: 'files',
  volatile: false,
  create: (folder, quotaBytes) =>
    createFileBlobStore(
      { clock: createSystemClock(), random: createSystemRandom() },
      { folder, options: { reserveBytes: 0, ...(quotaBytes === undefined ? {} : { quotaBytes }) } },
    ),
});
