import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode, placeOf, recordKey, taskKey, type KnownRecord } from '@cuadro/protocol';
import { digestOf, digestText, keysOf, RecordDigests } from '../../../node/src/replicas/digests.ts';
import { garbageCollector } from '../collect-garbage.ts';
import { anyRecord, JOBS } from './records.ts';

/** R45 as it is written, all at once and naively. */
function naiveRoot(records: ReadonlyMap<string, KnownRecord>): string {
  const root = Buffer.alloc(16);
  for (const [key, record] of records) {
    const input = Buffer.concat([Buffer.from(key), Buffer.from([0]), encode(record)]);
    const digest = createHash('sha256').update(input).digest();
    for (let i = 0; i < 16; i++) root[i] = (root[i] as number) ^ (digest[i] as number);
  }
  return root.toString('hex');
}

const put = (digests: RecordDigests, record: KnownRecord): void =>
  digests.put(recordKey(record), digestOf(recordKey(record), encode(record)));

test('R45: a digest is the same however many bytes it is made over', () => {
  const key = taskKey(JOBS[0] as string, 7);
  const shortest = 4_096 - key.length - 1;
  for (const length of [0, 1, 300, shortest - 1, shortest, shortest + 1, 100_000, 300]) {
    const bytes = new Uint8Array(length).fill(length % 251);
    const naive = createHash('sha256').update(key).update(Uint8Array.of(0)).update(bytes).digest();
    assert.equal(digestText(digestOf(key, bytes)), naive.toString('hex', 0, 16), `${length} bytes`);
  }
});

test('R45: digests kept step by step are those of the set, whatever was put, replaced and removed before', () => {
  const step = fc.record({ record: anyRecord, removes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const held = new Map<string, KnownRecord>();
      const digests = new RecordDigests();
      for (const { record, removes } of steps) {
        const key = recordKey(record);
        if (removes) {
          held.delete(key);
          digests.remove(key);
        } else {
          held.set(key, record);
          put(digests, record);
        }
      }
      assert.equal(digestText(digests.root()), naiveRoot(held));
      assert.equal(digests.count, held.size);
      for (const [key, record] of held)
        assert.deepEqual(digests.get(key), Uint8Array.from(digestOf(key, encode(record))));
    }),
    { numRuns: 200 },
  );
});

test('R45: digests are equal if and only if the sets are, in any order', () => {
  fc.assert(
    fc.property(
      fc.array(anyRecord, { maxLength: 20 }),
      fc.array(anyRecord, { maxLength: 20 }),
      fc.boolean(),
      (a, b, same) => {
        const set = (records: readonly KnownRecord[]) =>
          new Map(records.map((record) => [recordKey(record), record]));
        const [left, right] = [set(a), same ? set([...set(a).values()].reverse()) : set(b)];
        const [one, other] = [new RecordDigests(), new RecordDigests()];
        for (const record of left.values()) put(one, record);
        for (const record of right.values()) put(other, record);
        const text = (records: ReadonlyMap<string, KnownRecord>) =>
          [...records]
            .map(([key, record]) => `${key} ${Buffer.from(encode(record)).toString('hex')}`)
            .sort()
            .join();
        assert.equal(digestText(one.root()) === digestText(other.root()), text(left) === text(right));
      },
    ),
    { numRuns: 200 },
  );
});

test('R45: what is listed level by level adds up, and names every record once', () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 40 }), (records) => {
      const digests = new RecordDigests();
      for (const record of records) put(digests, record);
      const keys = digests.groups().flatMap((group) =>
        digests.buckets(group).flatMap(({ bucket, count }) => {
          const { names } = digests.list(group, bucket);
          assert.equal(names.length, count);
          return keysOf(group, bucket, names);
        }),
      );
      assert.deepEqual([...keys].sort(), [...new Set(records.map(recordKey))].sort());
    }),
    { numRuns: 100 },
  );
});

test('R45: every key has its place; what belongs to no job is other', () => {
  const [job] = JOBS as [string];
  assert.deepEqual(placeOf(taskKey(job, 255)), { group: job, bucket: 0, slot: 255 });
  assert.deepEqual(placeOf(taskKey(job, 256)), { group: job, bucket: 1, slot: 0 });
  assert.deepEqual(placeOf(taskKey(job, 4_294_967_295)), { group: job, bucket: 16_777_215, slot: 255 });
  assert.deepEqual(placeOf(`job/${job}`), { group: job, bucket: 'job', slot: undefined });
  for (const key of [`member/${job}`, 'farm/x', 'lamp/12', `task/${job}`, `task/${job}/12`, 'job/', '']) {
    assert.deepEqual(placeOf(key), { group: 'other', bucket: 'other', slot: undefined }, key);
  }
});

test('R45: records cost 16 bytes each in their columns, and one that changes back leaves no trace', () => {
  const collect = garbageCollector();
  const [job] = JOBS as [string];
  const digests = new RecordDigests();
  const digestFor = (i: number): Uint8Array => digestOf(taskKey(job, i), Uint8Array.of(i & 255));
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200_000; i++) digests.put(taskKey(job, i), digestFor(i));
  collect();
  collect();
  const grownMB = (process.memoryUsage().arrayBuffers - before) / 1e6;
  // 3.2 MB of digests; digests as objects, or a hash kept with the memory that it was cut from, would need far more.
  assert.ok(grownMB < 5, `${grownMB} MB`);
  const root = digestText(digests.root());
  digests.remove(taskKey(job, 100_000));
  assert.notEqual(digestText(digests.root()), root);
  digests.put(taskKey(job, 100_000), digestFor(100_000));
  assert.equal(digestText(digests.root()), root);
  assert.equal(digests.buckets(job).length, Math.ceil(200_000 / 256));
});
