import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyTask, type KnownRecord } from '@cuadro/protocol';
import { GroupMerge } from '../../../node/src/replicas/group-merge.ts';

const JOB = 'jobjobjobjobjobj';

describe('records merged in groups', () => {
  it('are made when their group is, not when they are added', async () => {
    const written = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const groups: KnownRecord[][] = [];
    const merges = new GroupMerge((records) => {
      groups.push(records);
      begun.resolve();
      return groups.length === 1 ? written.promise : Promise.resolve();
    });
    const first = merges.add(emptyTask(JOB, 0));
    await begun.promise;
    let index = 1;
    const second = merges.add(() => emptyTask(JOB, index));
    index = 2;
    written.resolve();
    await Promise.all([first, second]);
    assert.deepEqual(groups, [[emptyTask(JOB, 0)], [emptyTask(JOB, 2)]]);
  });
});
