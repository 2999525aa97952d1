import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlobIndex } from '../../../node/src/blobs/blob-index.ts';
import { carryOut } from '../../../node/src/blobs/hash-jobs.ts';
import { Hasher, type HashJob, type HashReply } from '../../../node/src/blobs/hasher.ts';
import { blobLayout, prepareLayout } from '../../../node/src/blobs/layout.ts';
import { Listing } from '../../../node/src/blobs/listing.ts';
import { PinTable } from '../../../node/src/blobs/pins.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { Dice } from '../../sim/dice.ts';
import { ProcessFiles } from '../../sim/power/calls.ts';
import { Volume } from '../../sim/power/volume.ts';

const hashOf = (i: number): string => (i * 0x9e3779b1).toString(16).padStart(8, '0').repeat(8).slice(0, 64);

/** A store's folders with these blobs, and a thread that does its jobs when it is let. */
async function folders(count: number) {
  const volume = new Volume();
  const files = new ProcessFiles({ volume, dice: new Dice(1n) });
  const driven = async <T>(work: Promise<T>): Promise<T> => {
    for (let left = 20_000; left > 0 && (await Promise.race([work, nextTurn()])) === undefined; left--)
      files.turn();
    return work;
  };
  volume.makeFolder('/data', true);
  const layout = blobLayout('/data');
  await driven(prepareLayout(layout, files).then(() => 'done'));
  const hashes = Array.from({ length: count }, (_, i) => hashOf(i + 1));
  for (const hash of hashes)
    volume.place(layout.pathOf(hash), new Uint8Array(hashes.indexOf(hash) + 1), true);
  const waiting: (() => void)[] = [];
  let listener: (reply: HashReply) => void = () => undefined;
  const hasher = new Hasher(
    {
      clock: new ManualClock(),
      spawn: () => ({
        postMessage: (job: HashJob) => void waiting.push(() => listener(carryOut(job, files.sync))),
        on: (event: string, on: (value: never) => void) => {
          if (event === 'message') listener = on as typeof listener;
        },
        ref: () => undefined,
        unref: () => undefined,
        terminate: async () => undefined,
      }),
    },
    { threadsMax: 1, idleMs: 1_000 },
  );
  await hasher.start();
  const index = new BlobIndex(new PinTable());
  const dropped: string[] = [];
  const listing = new Listing({
    ...{ files, layout, index, hasher },
    dropPieces: async (hash) => void dropped.push(hash),
  });
  /** Lets the thread do its next job. */
  const pass = async (): Promise<void> => {
    for (let left = 100; waiting.length === 0 && left > 0; left--) await nextTurn();
    waiting.shift()?.();
    await nextTurn();
  };
  const find = (hash: string) => driven(listing.find(hash).then((entry) => entry ?? 'none'));
  return { volume, layout, hashes, index, listing, dropped, pass, find };
}

describe('what stands in the folders of the store', () => {
  const { signal } = new AbortController();

  it('is found by its name before it is listed, and counted once', async () => {
    const { hashes, index, listing, pass, find } = await folders(40);
    const [first = ''] = hashes;
    assert.deepEqual(((await find(first)) as { sizeBytes: number }).sizeBytes, 1);
    assert.equal(await find(hashOf(0xffff)), 'none');
    assert.equal(index.count, 1);
    const listed = listing.listed(signal);
    while (!listing.isDone) await pass();
    await listed;
    assert.equal(index.count, 40);
    assert.equal(index.usedBytes, (40 * 41) / 2);
    assert.deepEqual([...index.hashes()].sort(), [...hashes].sort());
  });

  it('is not brought back by a list that was made before it went', async () => {
    const { volume, layout, hashes, index, listing, pass, find } = await folders(40);
    const [first = '', second = '', third = ''] = hashes;
    for (const hash of [first, second, third]) await find(hash);
    const listed = listing.listed(signal);
    index.remove(first);
    index.remove(second);
    // One came again meanwhile, in another size than the list will say.
    index.add(second, 1_000, 0);
    while (!listing.isDone) await pass();
    await listed;
    assert.ok(volume.exists(layout.pathOf(first)), 'the file itself goes a little later');
    assert.equal(index.get(first), undefined);
    assert.equal(index.get(second)?.sizeBytes, 1_000);
    assert.equal(index.get(third)?.sizeBytes, 3);
    assert.equal(index.usedBytes, (40 * 41) / 2 - 1 - 2 + 1_000);
  });

  it('goes on with the listing where a folder could not be read, and tells who waited', async () => {
    const { volume, layout, hashes, index, listing, pass } = await folders(40);
    const folder = layout.folderOf(hashes[0] as string);
    volume.rename(folder, '/data/away');
    const failed = assert.rejects(listing.listed(signal), { code: 'ENOENT' });
    for (let left = 20; left > 0; left--) await pass();
    await failed;
    assert.ok(!listing.isDone);
    volume.rename('/data/away', folder);
    const listed = listing.listed(signal);
    while (!listing.isDone) await pass();
    await listed;
    assert.equal(index.count, 40);
  });

  it('names piece lists without a blob', async () => {
    const { volume, layout, hashes, listing, dropped, pass } = await folders(4);
    volume.place(layout.piecesPathOf(hashes[0] as string), new Uint8Array(64), true);
    const alone = hashOf(0xabcd);
    volume.place(layout.piecesPathOf(alone), new Uint8Array(64), true);
    const listed = listing.listed(signal);
    while (!listing.isDone) await pass();
    await listed;
    assert.deepEqual(dropped, [alone]);
  });

  it('ends with the store', async () => {
    const { listing, pass } = await folders(4);
    const stop = new AbortController();
    const listed = assert.rejects(listing.listed(stop.signal), { name: 'AbortError' });
    stop.abort();
    await pass();
    await listed;
  });
});
