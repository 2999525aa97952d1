import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CuadroError } from '@cuadro/protocol';
import { setNode } from '../../../node/src/jobs/control.ts';
import { temporaryIdentity } from '../../../node/src/system/identity.ts';
import { nodeOfOne } from './node-of-one.ts';

const leaving = { leaving: { wanted: true, reason: '' } };
const refusal = (why: RegExp) => (error: unknown) =>
  error instanceof CuadroError && error.code === 'leave-refused' && why.test(error.message);

describe('R161: that a machine is to leave', () => {
  it('is refused where there is nobody to leave, and said by nobody but itself and artists', async () => {
    const node = await nodeOfOne();
    const { components, signer } = node;
    await assert.rejects(setNode(components, signer.peer, leaving), refusal(/the only one in its farm/));
    const other = temporaryIdentity().peer;
    await assert.rejects(setNode(components, other, leaving), refusal(/an artist removes others/));
    assert.equal(components.driver.queries.nodeRecord(signer.peer)?.fields.leaving, undefined);
    const { message } = await setNode(components, signer.peer, { leaving: { wanted: false, reason: '' } });
    assert.match(message, /stays in the farm/);
    await node.stop();
  });
});
