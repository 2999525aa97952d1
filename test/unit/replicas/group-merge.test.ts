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

  it('are written whenever they are added, also right after the last look at what there is', async () => {
    // Each of the few microtasks between the end of one group and rest.
    for (let later = 0; later < 12; later++) {
      const merges = new GroupMerge(() => Promise.resolve());
      let isWritten = false;
      const first = merges.add(emptyTask(JOB, 0));
      void (async () => {
        await first;
        for (let i = 0; i < later; i++) await Promise.resolve();
        await merges.add(emptyTask(JOB, 1));
        isWritten = true;
      })();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(isWritten, `added ${later} microtasks later`);
    }
  });

  it('refuse only their own group where one cannot be made', async () => {
    const groups: KnownRecord[][] = [];
    const merges = new GroupMerge((records) => {
      groups.push(records);
      return Promise.resolve();
    });
    const refused = merges.add(() => {
      throw new Error('It counts no more.');
    });
    await assert.rejects(refused, /counts no more/);
    await merges.add(emptyTask(JOB, 1));
    assert.deepEqual(groups, [[emptyTask(JOB, 1)]]);
  });
});
