import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pieceBytesFor } from '../../../node/src/blobs/options.ts';
import { LARGE_FILE_FARM, moveLargeFile } from './large-files.ts';
import { TestFarm } from './machines.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('files of more than a thousand pieces', () => {
  it('R56: are cut into pieces of 1, 2 and 4 MiB by their size alone', () => {
    const sizes = [0, 1, GIB - 1, GIB, GIB + 1, 4 * GIB, 4 * GIB + 1, 1_024 * GIB];
    const pieces = sizes.map((sizeBytes) => pieceBytesFor(sizeBytes) / MIB);
    assert.deepEqual(pieces, [1, 1, 1, 1, 2, 2, 4, 4]);
  });

  // Those of 4 MiB are moved by `node scripts/large-files.ts`, which takes half a minute of a processor.
  it('R56, R193: one in pieces of 2 MiB arrives, over a restart and with a piece that was changed on its way', async (test) => {
    const farm = new TestFarm(test, LARGE_FILE_FARM);
    await moveLargeFile(farm, { sizeBytes: GIB + 1, pieceBytes: 2 * MIB, as: 'bundle' });
  });
});
