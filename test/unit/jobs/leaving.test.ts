import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CuadroError, fieldSubject, type NodeRecord, type PeerId, signField } from '@cuadro/protocol';
import { setNode } from '../../../node/src/jobs/control.ts';
import { createJobActions } from '../../../node/src/jobs/actions.ts';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
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

describe('R134: a machine that is to leave', () => {
  const signer = temporaryIdentity();
  const wish = (counter: number, wanted: boolean, by = signer): NodeRecord => ({
    kind: 'node',
    peer: signer.peer,
    fields: {
      leaving: signField(
        by,
        'node-field',
        fieldSubject(signer.peer, 'leaving'),
        { wanted, reason: '' },
        counter,
      ),
    },
  });
  const farmOf = (founder: PeerId) => ({
    kind: 'farm' as const,
    id: 'farmfarmfarmfarm',
    founder,
    name: { value: 'Tablao', counter: 1, peer: founder },
  });
  const refused = {
    code: 'machine-leaving',
    message: /is leaving Tablao.* another machine, or let this one stay/,
  };
  const silent = { type: 'echo-sleep', settings: { frames: '1', message: '' } };
  const options = { signal: new AbortController().signal };

  it('accepts no new job until it is to stay, whoever has it leave that may', async () => {
    const blobs = createMemoryBlobStore();
    const node = await nodeOfOne({ signer, blobs, work: () => undefined });
    const actions = createJobActions(node.components);
    const submit = () => actions.submit(silent, options);
    await node.driver.merge([farmOf(signer.peer)]);
    const { job } = await submit();
    await node.driver.merge([wish(1, true)]);
    const put = blobs.putBytes.bind(blobs);
    blobs.putBytes = () => assert.fail('It stores what it refuses.');
    await assert.rejects(submit(), refused);
    blobs.putBytes = put;
    // What it has may still be changed: others hold that by then.
    await actions.setJob(job.id, { desired: 'canceled' });
    await node.driver.merge([wish(2, false)]);
    await submit();
    // The word of one who is no artist of the farm counts for nothing.
    await node.driver.merge([wish(3, true, temporaryIdentity())]);
    await submit();
    assert.equal(node.core.jobIds().length, 3);
    await node.stop();
  });

  it('refuses one that was still being stored when it was to leave, and keeps nothing of it', async () => {
    const blobs = createMemoryBlobStore();
    const node = await nodeOfOne({ signer, blobs });
    await node.driver.merge([farmOf(signer.peer)]);
    const put = blobs.putBytes.bind(blobs);
    let plan = '';
    blobs.putBytes = async (bytes, how) => {
      const stored = await put(bytes, how);
      plan = stored.hash;
      await node.driver.merge([wish(1, true)]);
      return stored;
    };
    await assert.rejects(node.submit(silent), refused);
    assert.deepEqual([node.core.jobIds(), blobs.pins(plan)], [[], []]);
    await node.stop();
  });
});
