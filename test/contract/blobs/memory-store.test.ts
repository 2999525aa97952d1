import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { blobStoreContract } from './suite.ts';

blobStoreContract({
  name: 'memory',
  volatile: true,
  create: (_folder, quotaBytes) => createMemoryBlobStore(quotaBytes === undefined ? {} : { quotaBytes }),
});
