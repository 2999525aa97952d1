import { newDisk, openBlobs, type SimDisk } from '../../sim/disk.ts';
import { hostAtOnce } from '../sim-host.ts';
import { blobStoreContract } from './suite.ts';

const disks = new Map<string, SimDisk>();

blobStoreContract({
  name: 'simulated disk',
  volatile: false,
  create: (folder, quotaBytes) => {
    const disk = disks.get(folder) ?? newDisk();
    disks.set(folder, disk);
    return openBlobs(hostAtOnce(), disk, quotaBytes);
  },
});
