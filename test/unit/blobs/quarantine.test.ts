import assert from 'node:assert/strict';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { blobLayout } from '../../../node/src/blobs/layout.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';

const MIB = 2 ** 20;
let base: string;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'cuadro-review-'));
});
after(() => rm(base, { recursive: true }));

it('keeps the good copy that replaced a damaged one, whatever a reader of the old one finds', async () => {
  const folder = join(base, 'data');
  const blobs = createFileBlobStore(
    { clock: createSystemClock(), random: createSystemRandom() },
    { folder, options: { reserveBytes: 0 } },
  );
  await blobs.start();
  const frame = createSystemRandom().bytes(3 * MIB);
  const { hash } = await blobs.putBytes(frame, { pin: 'job' });
  // A browser has read the first piece of a frame when its last one rots.
  const reader = await blobs.open(hash);
  const chunks = reader.chunks[Symbol.asyncIterator]();
  await chunks.next();
  const path = blobLayout(folder).pathOf(hash);
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  await file.write(new Uint8Array(16), 0, 16, 3 * MIB - 16);
  await file.close();
  // The frame comes again, from another machine or rendered anew, and replaces the damaged copy.
  await blobs.putBytes(frame, { pin: 'job' });
  assert.notEqual(await blobs.has(hash), undefined);
  // Then the reader, still on the old file, meets the damage.
  await chunks.next();
  await assert.rejects(Promise.resolve(chunks.next()), { code: 'blob-corrupt' });
  const held = await blobs.has(hash);
  await blobs.stop();
  assert.notEqual(held, undefined, 'the good copy was taken out of use for the damage of the old one');
});
