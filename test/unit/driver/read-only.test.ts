import assert from 'node:assert/strict';
import { it } from 'node:test';
import { asCuadroError } from '../../../node/src/api/error-reply.ts';
import { setNode } from '../../../node/src/jobs/control.ts';
import { StoreWriteError } from '../../../node/src/store/errors.ts';
import { writeError } from '../../../node/src/system/start-error.ts';
import { disguised } from '../disguised.ts';
import { nodeOfOne } from '../jobs/node-of-one.ts';

const failures = {
  'came to be read-only': { said: 'Read-only file system', code: 'store-unwritable', why: 'read-only' },
  'is full': { said: 'No space left on device', code: 'store-full', why: 'the disk is full' },
};

for (const [name, { said, code, why }] of Object.entries(failures)) {
  it(`R175: whose disk ${name} while it runs, acknowledges nothing any more and says why, and keeps what it did`, async () => {
    let isWritable = true;
    let broken: unknown;
    const node = await nodeOfOne({
      disguise: (store) =>
        disguised(store, {
          write: async (batch) => {
            // As LevelDB says it, without a code.
            const cause = new Error(`IO error: /data/records/000003.log: ${said}`);
            if (!isWritable) throw new StoreWriteError('/data/records', cause);
            await store.write(batch);
          },
        }),
      onBroken: (error) => {
        broken = error;
      },
    });
    const { components, signer } = node;
    const change = (ownerDesired: 'paused' | 'active') => setNode(components, signer.peer, { ownerDesired });
    await change('paused');
    isWritable = false;
    const refused = (error: unknown): true => {
      const answer = asCuadroError(error);
      assert.equal(answer.code, code);
      assert.match(answer.message, new RegExp(`/data/records .*${why}`));
      return true;
    };
    await assert.rejects(change('active'), refused);
    assert.equal(writeError(broken, '/data').code, code);
    assert.match(writeError(broken, '/data').message, new RegExp(`/data .*${why}`));
    // Others may have been told of nothing; so it is started again, and not gone on with.
    isWritable = true;
    await assert.rejects(change('active'), refused);
    await node.stop();

    const again = await nodeOfOne({ disk: node.disk, signer });
    assert.equal(again.core.nodeRecord(signer.peer)?.fields.ownerDesired?.value, 'paused');
    await setNode(again.components, signer.peer, { ownerDesired: 'active' });
    await again.stop();
  });
}
