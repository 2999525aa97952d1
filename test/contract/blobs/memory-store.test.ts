import { createMemoryBlobStore, emptyBlobDisk, type MemoryBlobDisk } from '../../../node/src/blobs/memory.ts';
import { blobStoreContract } from './suite.ts';

const disks = new Map<string, MemoryBlobDisk>();

blobStoreContract({
  name: 'memory',
  volatile: false,
  create: (folder, quotaBytes) => {
    const disk = disks.get(folder) ?? emptyBlobDisk();
    disks.set(folder, disk);
    return createMemoryBlobStore({ disk, ...(quotaBytes !== undefined && { quotaBytes }) });
  },
});
