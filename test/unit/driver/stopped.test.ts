import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nodeOfOne } from '../jobs/node-of-one.ts';
import { setNode } from '../../../node/src/jobs/control.ts';

it('answers a change only if it was taken: not by a driver that has stopped (SPEC R60)', async () => {
  const node = await nodeOfOne();
  await node.stop();
  const answered = await setNode(node.components, node.signer.peer, { ownerDesired: 'paused' }).catch(
    () => undefined,
  );
  const again = await nodeOfOne({ disk: node.disk, signer: node.signer });
  if (answered !== undefined) {
    assert.equal(
      again.core.nodeRecord(node.signer.peer)?.fields.ownerDesired?.value,
      'paused',
      answered.message,
    );
  }
  await again.stop();
});
