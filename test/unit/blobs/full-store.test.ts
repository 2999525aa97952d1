import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

it('takes no work once it has refused a frame for lack of room (DESIGN.md section 10, disk full)', async () => {
  const blobs = createFileBlobStore(
    { clock: createSystemClock(), random: createSystemRandom() },
    { folder: join(base, 'data'), options: { quotaBytes: 1_000_000, reserveBytes: 0 } },
  );
  await blobs.start();
  await blobs.putBytes(new Uint8Array(200_000).fill(1), { pin: 'job' });
  await blobs.putBytes(new Uint8Array(200_000).fill(2), { pin: 'job' });
  await blobs.putBytes(new Uint8Array(200_000).fill(3), { pin: 'job' });
  await blobs.putBytes(new Uint8Array(200_000).fill(4), { pin: 'job' });
  const frame = join(base, 'frame.png');
  await writeFile(frame, new Uint8Array(250_000).fill(5));
  await assert.rejects(blobs.putFile(frame, { mode: 'move', pin: 'job' }), { code: 'store-full' });
  const { accepting } = await blobs.usage();
  await blobs.stop();
  assert.equal(accepting, false, 'the node goes on claiming: three such attempts end each frame as failed');
});
