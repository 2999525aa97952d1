import assert from 'node:assert/strict';
import { it } from 'node:test';
import { contentOf, newStore, temporaryFolder } from './helpers.ts';

it('reads a long blob in the memory of one piece, whatever its length', async () => {
  const folder = temporaryFolder();
  const store = newStore(folder.path);
  try {
    await store.start();
    const { hash } = await store.putBytes(contentOf(1, 5_500_000));
    const memory = new Set<ArrayBufferLike>();
    let chunks = 0;
    for await (const { buffer } of (await store.open(hash)).chunks) {
      memory.add(buffer);
      chunks += 1;
    }
    assert.deepEqual({ chunks, memory: memory.size }, { chunks: 6, memory: 1 });
  } finally {
    await store.stop();
    await folder.remove();
  }
});
