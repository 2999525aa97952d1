import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, type KnownRecord } from '@cuadro/protocol';
import { createVerifier } from '../../../node/src/system/identity.ts';
import { withLab } from './harness.ts';
import { doneTask, jobRecord, JOBS, reordered, withPrototype } from './records.ts';

const [JOB] = JOBS as [string];
const task = doneTask(JOB, 3);
const bytes = encode(task);
const unsorted = Uint8Array.from([0xa2, 0x61, 0x62, 1, 0x61, 0x61, 2]);

test('R4 R46: gossip of no use is dropped and counted, whatever it is, and the good of a batch comes in', async () => {
  await withLab(2, { verify: createVerifier() }, async (lab) => {
    const [honest, liar] = [lab.at(0), lab.at(1)];
    const deep = Uint8Array.from([...new Uint8Array(30_000).fill(0x81), 0x00]);
    const nothings: Uint8Array[] = [
      Uint8Array.of(0xff),
      encode({ kind: 'records' }),
      encode({ kind: 'records', records: [new Uint8Array(0)] }),
      encode({ kind: 'records', records: [new Uint8Array(60_000)] }),
      deep,
    ];
    for (const nothing of nothings) liar.mesh.gossip('records', nothing);
    const unsignedField = { kind: 'node', peer: liar.peer, fields: { future: null } };
    const one = (record: unknown) => encode({ kind: 'records', records: [encode(record), bytes] });
    liar.mesh.gossip('records', one(jobRecord(JOB)));
    liar.mesh.gossip('records', one(unsignedField));
    liar.mesh.gossip('records', one({ kind: 'lamp', id: 7 }));
    liar.mesh.gossip(
      'records',
      encode({ kind: 'records', records: [unsorted, reordered(bytes), withPrototype(bytes), bytes] }),
    );
    await lab.until(() => honest.held.size === 1);
    await lab.pass(50);
    const { refused } = honest.sync.status();
    assert.equal(refused['malformed-gossip']?.count, 5);
    assert.equal(refused['badly-signed-record']?.count, 2);
    assert.equal(refused['unknown-record']?.count, 2);
    assert.equal(refused['malformed-record']?.count, 2);
    for (const { peer } of Object.values(refused)) assert.equal(peer, liar.peer);
    assert.deepEqual([...honest.held.values()], [task] satisfies KnownRecord[]);
  });
});
