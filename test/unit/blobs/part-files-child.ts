/**
 * Has a bundle of many large files under way at once, as a fetch has it, and tells how many of them were open: the test
 * runs it where a process may open few files.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { BlobManifest } from '../../../node/src/blobs/interface.ts';
import { digest } from '../../../node/src/blobs/pieces.ts';
import { contentOf, newStore } from './helpers.ts';

const FILES = 500;
const PIECE_BYTES = 2 ** 20;
const TAIL_BYTES = 100;

/** Parts that this process has open. */
function openParts(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith('.part');
    } catch {
      // The one by which the folder was read.
      return false;
    }
  }).length;
}

const [folder = ''] = process.argv.slice(2);
const store = newStore(folder);
await store.start();
const first = contentOf(0, PIECE_BYTES);
const firstHash = await digest(first);
const files = await Promise.all(
  Array.from({ length: FILES }, async (_, i) => {
    const tail = contentOf(i + 1, TAIL_BYTES);
    const hash = await digest(Buffer.concat([first, tail]));
    const pieces = [firstHash, await digest(tail)];
    const manifest: BlobManifest = {
      hash,
      sizeBytes: PIECE_BYTES + TAIL_BYTES,
      pieceBytes: PIECE_BYTES,
      pieces,
    };
    return { tail, manifest };
  }),
);
let mostOpen = 0;
const look = (): void => void (mostOpen = Math.max(mostOpen, openParts()));
const arrivals = await Promise.all(files.map(({ manifest }) => store.receive(manifest)));
look();
await Promise.all(
  arrivals.map(async (arrival, i) => {
    await arrival.write(1, files[i]?.tail ?? new Uint8Array());
    if (i % 50 === 0) look();
  }),
);
let wrong = 0;
for (const [i, arrival] of arrivals.entries()) {
  const tail = await arrival.read(1);
  if (tail === undefined || !files[i]?.tail.equals(tail)) wrong += 1;
}
look();
// The first of them was closed for the others long ago.
const [arrival] = arrivals;
await arrival?.write(0, first);
const info = await arrival?.finish({ pin: 'job' });
const whole = await store.read(files[0]?.manifest.hash ?? '');
if (!Buffer.concat([first, files[0]?.tail ?? first]).equals(whole)) wrong += 1;
await Promise.all(arrivals.slice(1).map((one) => one.suspend()));
const openAtEnd = openParts();
const again = await store.receive(files[1]?.manifest as BlobManifest);
const missing = again.missing();
await store.stop();
console.log(
  JSON.stringify({ files: FILES, mostOpen, wrong, sizeBytes: info?.sizeBytes, openAtEnd, missing }),
);
