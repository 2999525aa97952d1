import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Bundle } from '@cuadro/protocol';
import { defaultTransferOptions } from '../../../node/src/blobs/transfer/limits.ts';
import { contentOf, filesBelow } from '../blobs/helpers.ts';
import { type Machine, reaches, storeBundle, TestFarm } from './machines.ts';

const MIB = 2 ** 20;
const FILES = 40;
const FILE_BYTES = 2 * MIB;
const HALF_BYTES = (FILES * FILE_BYTES) / 2;
/** Of each of these files the names of its two pieces come again. */
const MANIFEST_BYTES = FILES * 2 * 32;
/** Each lane has asked for one file's pieces, which were on their way when the fetch ended. */
const ON_THEIR_WAY_BYTES = defaultTransferOptions.lanesPerPeer * FILE_BYTES;
/** What is sent after half of it is here. */
const REST_BYTES_MAX = HALF_BYTES + ON_THEIR_WAY_BYTES + MANIFEST_BYTES;

const contents = Array.from({ length: FILES }, (_, i) => contentOf(100 + i, FILE_BYTES));
const sentBy = ({ transfer }: Machine): number => transfer.status().sentBytes;
const holders = (machine: Machine) => (): string[] => [machine.peer];

/** Fetches half of a bundle; then `end` is called where it is given, or the fetch is given up. */
async function fetchHalf(here: Machine, there: Machine, hash: string, end?: () => void): Promise<void> {
  const giveUp = new AbortController();
  let isHalf = false;
  const onProgress = ({ doneBytes }: { doneBytes: number }): void => {
    if (isHalf || doneBytes < HALF_BYTES) return;
    isHalf = true;
    if (end === undefined) giveUp.abort(new Error('half of it'));
    else end();
  };
  const { signal } = giveUp;
  await assert.rejects(here.transfer.ensureTree(hash, { holders: holders(there), signal, onProgress }));
  assert.ok(isHalf);
}

async function fetchRest(here: Machine, there: Machine, hash: string): Promise<Bundle> {
  const bundle = await here.transfer.ensureTree(hash, { holders: holders(there), pin: 'job' });
  for (const [i, { blob }] of bundle.files.entries())
    assert.deepEqual(Buffer.from(await here.blobs.read(blob)), contents[i]);
  return bundle;
}

function assertResumed(sentBytes: number): void {
  assert.ok(
    sentBytes <= REST_BYTES_MAX,
    `${sentBytes} bytes were sent, ${sentBytes - HALF_BYTES} of them again, of ${HALF_BYTES} that were here`,
  );
}

describe('a bundle of many large files that was half fetched', () => {
  it('R193: is gone on with after a restart', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    const there = await farm.start('there');
    await reaches(here, there);
    const hash = await storeBundle(there.blobs, contents);
    await fetchHalf(here, there, hash);
    await here.stop();
    const sentBefore = sentBy(there);
    const again = await farm.start('here');
    await reaches(again, there);
    await fetchRest(again, there, hash);
    assertResumed(sentBy(there) - sentBefore);
    assert.deepEqual(filesBelow(`${farm.folderOf('here')}/incoming`), []);
  });

  it('R193: is gone on with after a failure', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const here = await farm.start('here');
    const first = await farm.start('there');
    await reaches(here, first);
    const hash = await storeBundle(first.blobs, contents);
    await fetchHalf(here, first, hash, () => farm.network.kill(first.peer));
    await first.stop();
    const there = await farm.start('there');
    await reaches(here, there);
    await fetchRest(here, there, hash);
    assertResumed(sentBy(there));
    assert.deepEqual(filesBelow(`${farm.folderOf('here')}/incoming`), []);
  });

  it('R193, R194: is gone on with in a store whose quota is full of cached files', async (test) => {
    const farm = new TestFarm(test, ['here', 'there']);
    const cached = 25;
    const store = { quotaBytes: cached * 4 * MIB };
    const here = await farm.start('here', { store });
    const there = await farm.start('there');
    await reaches(here, there);
    const fill = async ({ blobs }: Machine, seed: number): Promise<void> => {
      for (let i = 0; i < cached; i++) await blobs.putBytes(Buffer.alloc(4 * MIB, `${seed + i}`));
    };
    await fill(here, 1_000);
    assert.equal((await here.blobs.usage()).usedBytes, store.quotaBytes);
    const hash = await storeBundle(there.blobs, contents);
    await fetchHalf(here, there, hash);
    // What else this machine fetches and renders in the meantime.
    await fill(here, 2_000);
    await here.stop();
    const sentBefore = sentBy(there);
    const again = await farm.start('here', { store });
    await fill(again, 3_000);
    await reaches(again, there);
    await fetchRest(again, there, hash);
    assertResumed(sentBy(there) - sentBefore);
  });
});
