import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { type BlobHash, encode, type PeerId } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { pieceBytesFor } from '../../../node/src/blobs/options.ts';
import type { FetchOptions } from '../../../node/src/blobs/transfer/interface.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { type Machine, reaches, spoilt, type TestFarm } from './machines.ts';

/** Names of the machines that such a farm has. */
export const LARGE_FILE_FARM = ['here', 'there', 'liar'];

/** Pieces of noise among zeros, which take no room on the disk of a holder. */
const NOISE_PIECES = 24;
/** So many pieces are here when the node stops, and a few more. */
const FIRST_PIECES = 8;
/** What may be on its way to a node that stops: its lanes, with what one request of each asks for. */
const ON_THEIR_WAY_PIECES = 16;

export interface LargeFile {
  readonly sizeBytes: number;
  readonly pieceBytes: number;
  /** Alone, or as one file of a bundle, whose units its pieces are then. */
  readonly as: 'file' | 'bundle';
}

export interface Moved {
  /** Sent before the node stopped, and afterwards. */
  readonly sentBytes: readonly [number, number];
}

/**
 * Moves a file of many pieces: from one machine, until the node that fetches it stops; then also from one that spoils the
 * first piece that it sends. In the end it is compared, byte by byte.
 */
export async function moveLargeFile(farm: TestFarm, file: LargeFile): Promise<Moved> {
  const { sizeBytes, pieceBytes } = file;
  assert.equal(pieceBytesFor(sizeBytes), pieceBytes);
  const there = await farm.start('there');
  const noise = noiseOf(file);
  const source = `${farm.folderOf('there')}/source`;
  await writeSparse(source, sizeBytes, noise);
  // Until it is known what is here, a file is read once more than it need be.
  await there.blobs.usage();
  const { hash } = await there.blobs.putFile(source, { mode: 'move', pin: 'job' });
  const manifest = await there.blobs.manifest(hash);
  assert.deepEqual(
    [manifest.pieceBytes, manifest.pieces.length],
    [pieceBytes, Math.ceil(sizeBytes / pieceBytes)],
  );
  const wanted = file.as === 'file' ? hash : await bundleOf(there.blobs, { hash, sizeBytes });
  const fetch = ({ transfer }: Machine, options: FetchOptions): Promise<unknown> =>
    file.as === 'file' ? transfer.fetch(wanted, options) : transfer.ensureTree(wanted, options);

  const first = await farm.start('here');
  await reaches(first, there);
  let stopped: Promise<void> | undefined;
  const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
    if (doneBytes >= FIRST_PIECES * pieceBytes) stopped ??= first.stop();
  };
  const how = await fetch(first, { holders: () => [there.peer], onProgress }).then(() => 'well', String);
  assert.ok(stopped !== undefined, `the first fetch ended before it was stopped: ${how}`);
  await stopped;
  const sentBefore = there.transfer.status().sentBytes;

  const here = await farm.start('here');
  // It serves what the other has, so that the file need not be made twice.
  const liar = await farm.start('liar', { disguise: () => spoilingOnce(there.blobs, hash) });
  await reaches(here, there, liar);
  const holders = (): PeerId[] => [there.peer, liar.peer];
  await fetch(here, { holders, pin: 'job' });
  assert.deepEqual(here.transfer.status().liars, { [liar.peer]: { count: 1, hash } });
  const sentBytes = there.transfer.status().sentBytes + liar.transfer.status().sentBytes - sentBefore;
  await assertContent(here.blobs, { hash, file, noise });
  // Of zeros there are as many as it has room for: what was not fetched is what it should be already.
  const most = (NOISE_PIECES + ON_THEIR_WAY_PIECES) * pieceBytes;
  assert.ok(sentBytes <= most, `${sentBytes} bytes were sent again, of ${sizeBytes}`);
  return { sentBytes: [sentBefore, sentBytes] };
}

/** The first piece and the last, and others between them, by their number. */
function noiseOf({ sizeBytes, pieceBytes }: LargeFile): Map<number, Buffer> {
  const count = Math.ceil(sizeBytes / pieceBytes);
  const noise = new Map<number, Buffer>();
  for (let i = 0; i < NOISE_PIECES; i++) {
    const index = Math.round((i * (count - 1)) / (NOISE_PIECES - 1));
    noise.set(index, contentOf(i, Math.min(pieceBytes, sizeBytes - index * pieceBytes)));
  }
  return noise;
}

async function writeSparse(
  path: string,
  sizeBytes: number,
  noise: ReadonlyMap<number, Buffer>,
): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
    for (const [index, bytes] of noise)
      await file.write(bytes, 0, bytes.length, index * pieceBytesFor(sizeBytes));
  } finally {
    await file.close();
  }
}

async function bundleOf(blobs: BlobStore, large: { hash: BlobHash; sizeBytes: number }): Promise<BlobHash> {
  const small = await blobs.putBytes(Buffer.from('a scene'));
  const files = [small, large].map(({ hash, sizeBytes }, i) => ({ path: String(i), blob: hash, sizeBytes }));
  return (await blobs.putBytes(encode({ version: 1, main: '0', files, remap: [] }))).hash;
}

function spoilingOnce(blobs: BlobStore, large: BlobHash): BlobStore {
  let isSpoilt = false;
  return disguised(blobs, {
    open: async (hash, options) => {
      const reader = await blobs.open(hash, options);
      if (hash !== large || isSpoilt) return reader;
      isSpoilt = true;
      const chunks = (async function* () {
        for await (const chunk of reader.chunks) yield spoilt(chunk);
      })();
      return { ...reader, chunks };
    },
  });
}

async function assertContent(
  blobs: BlobStore,
  { hash, file, noise }: { hash: BlobHash; file: LargeFile; noise: ReadonlyMap<number, Buffer> },
): Promise<void> {
  const { pieceBytes, sizeBytes } = file;
  const zeros = Buffer.alloc(pieceBytes);
  let index = 0;
  let bytes = 0;
  for await (const chunk of (await blobs.open(hash)).chunks) {
    const expected = noise.get(index) ?? zeros.subarray(0, Math.min(pieceBytes, sizeBytes - bytes));
    assert.ok(expected.equals(chunk), `piece ${index} is another one`);
    bytes += chunk.length;
    index += 1;
  }
  assert.equal(bytes, sizeBytes);
}
