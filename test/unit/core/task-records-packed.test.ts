import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TaskRecord } from '@cuadro/protocol';
import { Packer } from '../../../node/src/core/packer.ts';
import { TaskRecords } from '../../../node/src/core/task-records.ts';
import { failedOnce, rendered } from './rendered.ts';

describe('the packed records of a job', () => {
  it('stay what they are where the one that the others are told by changes, comes or goes', () => {
    const records = new TaskRecords({ young: 0 });
    const put = new Map<number, TaskRecord>();
    const set = (record: TaskRecord): void => {
      records.set(record.index, record);
      put.set(record.index, record);
      for (const [index, told] of put) assert.deepEqual(records.get(index), told);
      assert.deepEqual(
        [...records.keys()],
        [...put.keys()].sort((a, b) => a - b),
      );
    };
    for (const index of [9, 7, 8]) set(rendered(index));
    set(failedOnce(7));
    set({ ...rendered(8), retry: 2 });
    set(failedOnce(3));
    set({ ...rendered(3), big: 1n } as TaskRecord);
    set(rendered(9, { retry: 5 }));
    set(rendered(3));
  });

  it('take half of their own bytes where they are alike', () => {
    const count = 2 * 256;
    const records = new TaskRecords({ young: 0 });
    records.hold();
    for (let index = 0; index < count; index++) records.set(index, rendered(index));
    records.release();
    assert.equal(records.packedBytes, 0);
    while (records.packSome());
    const own = new Packer().pack(rendered(count))?.length ?? 0;
    const each = records.packedBytes / count;
    assert.ok(each > 2 && each < own / 2, `${each} of ${own}`);
    // Beside its bytes a record takes two that say where it begins, and a bucket two more.
    records.set(0, rendered(0));
    records.set(256, rendered(256));
    assert.equal(records.packedBytes, count * each, 'packed anew they take the same');
    const [alone, two] = [[0], [0, 255]].map((indices) => {
      const few = new TaskRecords({ young: 0 });
      for (const index of indices) few.set(index, rendered(7));
      return few.packedBytes;
    });
    const places = 2 * 257;
    const packed = new Packer().pack(rendered(7))?.length ?? 0;
    assert.deepEqual([alone, two], [places + packed, places + packed + 3]);
  });

  it('have places of two bytes as long as these can tell them, then of four', () => {
    const long = (length: number): TaskRecord => {
      const { failures, ...rest } = failedOnce(1);
      const told = Object.entries(failures).map(([key, it]) => [key, { ...it, message: 'x'.repeat(length) }]);
      return { ...rest, failures: Object.fromEntries(told) };
    };
    const lengthOf = (record: TaskRecord): number => new Packer().pack(record)?.length ?? 0;
    for (const [size, place] of [
      [2 ** 16 - 1, 2],
      [2 ** 16, 4],
    ] as const) {
      const record = long(60_000 + size - lengthOf(long(60_000)));
      assert.equal(lengthOf(record), size);
      const records = new TaskRecords({ young: 0 });
      records.set(1, record);
      assert.deepEqual(records.get(1), record);
      assert.equal(records.packedBytes, size + place * 257);
    }
  });

  it('may be as long as they like together', () => {
    const records = new TaskRecords({ young: 0 });
    const long = (index: number): TaskRecord => {
      const { failures, ...rest } = failedOnce(index);
      const lines = Array.from({ length: 8 }, (_, line) => `${index} ${line} `.repeat(16));
      const told = Object.entries(failures).map(([key, failure]) => [key, { ...failure, lines }]);
      return { ...rest, failures: Object.fromEntries(told) };
    };
    for (const last of [0, 100, 255]) {
      for (let index = 0; index <= last; index++) records.set(index, long(index));
      for (let index = 0; index <= last; index++) assert.deepEqual(records.get(index), long(index));
    }
  });
});
