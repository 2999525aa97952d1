import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode, type KnownRecord, RecordBytes } from '@cuadro/protocol';
import { digestOf } from '../../../node/src/replicas/digests.ts';
import { RecordDoor, type ReadRecord } from '../../../node/src/replicas/door.ts';
import { TaskReader } from '../../../node/src/store/task-reader.ts';
import { RECORDS } from '../protocol/arbitraries.ts';
import { doneTask, JOBS, jobRecord } from './records.ts';

const [JOB] = JOBS as [string];

function doorOf(init: { quick: boolean; held?: Uint8Array }) {
  const bytes = new RecordBytes();
  const tasks = new TaskReader();
  const door = new RecordDoor({
    verify: () => true,
    bytes,
    held: () => init.held,
    ...(init.quick && { readTask: (canonical) => tasks.read(canonical) }),
  });
  return { door, bytes };
}

/** The properties of objects come in another order the quick way, which means nothing. */
const plain = (read: ReadRecord): unknown =>
  read.kind === 'record' ? { ...read, record: encode(read.record) } : read;

test('R4: the quick way of reading tasks lets in what the general way lets in, the same values and bytes', () => {
  const quick = doorOf({ quick: true });
  const general = doorOf({ quick: false });
  const records: KnownRecord[] = [doneTask(JOB, 7), doneTask(JOB, 70_000, 502), jobRecord(JOB)];
  for (const record of records) {
    const bytes = encode(record);
    const read = quick.door.read(bytes);
    assert.equal(read.kind, 'record');
    assert.deepEqual(plain(read), plain(general.door.read(bytes)));
    if (read.kind !== 'record') continue;
    assert.deepEqual(read.record, record);
    assert.deepEqual(Uint8Array.from(quick.bytes.of(read.record)), Uint8Array.from(bytes));
  }
});

test('R4: records of any form are judged the same both ways', () => {
  const quick = doorOf({ quick: true });
  const general = doorOf({ quick: false });
  fc.assert(
    fc.property(fc.oneof(...Object.values(RECORDS)), (record) => {
      const bytes = encode(record);
      assert.deepEqual(plain(quick.door.read(bytes)), plain(general.door.read(bytes)));
    }),
    { numRuns: 500 },
  );
});

test('R4: bytes that were changed anywhere are judged the same both ways', () => {
  const quick = doorOf({ quick: true });
  const general = doorOf({ quick: false });
  const whole = encode(doneTask(JOB, 7));
  const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255), cut: fc.nat(3) });
  fc.assert(
    fc.property(change, ({ at, to, cut }) => {
      const bytes = Uint8Array.from(whole.subarray(0, whole.length - (cut === 0 ? 1 : 0)));
      bytes[at] = to;
      assert.deepEqual(plain(quick.door.read(bytes)), plain(general.door.read(bytes)));
    }),
    { numRuns: 3_000 },
  );
});

test('R46: a task that is held in the same bytes is known as such the quick way', () => {
  const bytes = encode(doneTask(JOB, 7));
  const first = doorOf({ quick: true }).door.read(bytes);
  assert.equal(first.kind, 'record');
  const held = digestOf(first.kind === 'record' ? first.key : '', bytes);
  assert.equal(doorOf({ quick: true, held }).door.read(bytes).kind, 'held');
});
