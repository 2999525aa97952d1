import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { countingResult, heldBy, type TaskRecord, type TaskResult } from '@cuadro/protocol';
import { contentOf } from '../blobs/helpers.ts';
import { reaches, TestFarm } from '../transfer/machines.ts';
import { JOB, type Keeper, madeResult, startKeeper, submittedJob } from './keepers.ts';

const NAMES = ['maker', 'other'] as const;
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('R137: what a machine has that holds a result', () => {
  it('are its files and their previews before it answers, and the thumbnail where that can be had', async (test) => {
    const farm = new TestFarm(test, NAMES);
    const keepers: Keeper[] = [];
    for (const name of NAMES)
      keepers.push(
        await startKeeper(farm, name, {
          members: NAMES,
          copyOptions: { jobCopies: 1 },
          options: { searchMs: 100 },
        }),
      );
    const [maker, other] = keepers as [Keeper, Keeper];
    await reaches(maker, other);
    const job = await submittedJob(maker);
    for (const { records } of keepers) await records.merge([job]);
    const preview = contentOf(5, 5_000);
    const named = { preview: hashOf(preview), thumbnail: 'a'.repeat(64) };
    const result = async (
      index: number,
      { isWithPreview }: { isWithPreview: boolean },
    ): Promise<TaskRecord> => {
      const task = await madeResult(maker, index, [contentOf(index, 1_000)]);
      const results = Object.entries(task.results).map(([key, made]): [string, TaskResult] => {
        const files = made.files.map((file) => ({
          ...file,
          ...(isWithPreview && { preview: named.preview }),
        }));
        return [key, { ...made, files, thumbnail: named.thumbnail }];
      });
      return { ...task, results: Object.fromEntries(results) };
    };
    const held = (index: number): string[] => {
      const task = maker.records.taskRecord(JOB, index);
      return heldBy((task && countingResult(task))?.holders ?? {});
    };
    // Its preview is nowhere, and the thumbnails of both are.
    await maker.records.merge([await result(0, { isWithPreview: true })]);
    await maker.records.merge([await result(1, { isWithPreview: false })]);
    await maker.records.until(() => held(1).length === 2);
    while (maker.copies.state().asked > 0) await new Promise((next) => setImmediate(next));
    assert.deepEqual(held(0), [maker.peer]);
    await maker.blobs.putBytes(preview, { pin: JOB });
    await maker.records.until(() => held(0).length === 2);
    assert.deepEqual(other.blobs.pins(named.preview), [JOB]);
    assert.deepEqual(Buffer.from(await other.blobs.read(named.preview)), preview);
  });
});
