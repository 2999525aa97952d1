import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import {
  countingResult,
  heldBy,
  signDeletion,
  type JobRecord,
  type TaskRecord,
  type TaskResult,
} from '@cuadro/protocol';
import { flipBit, storedAt } from '../../e2e/support/damage.ts';
import { contentOf } from '../blobs/helpers.ts';
import { disguised } from '../disguised.ts';
import { reaches, signerOf, TestFarm } from '../transfer/machines.ts';
import { JOB, type Keeper, madeResult, startKeeper, submittedJob } from './keepers.ts';

const NAMES = ['maker', 'other'] as const;
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Two machines that know each other and a job, whose content only the first one holds. */
async function twoKeepers(
  test: TestContext,
  ofOther: Parameters<typeof startKeeper>[2] = {},
): Promise<[maker: Keeper, other: Keeper, farm: TestFarm]> {
  const farm = new TestFarm(test, NAMES);
  const keepers: Keeper[] = [];
  for (const name of NAMES) {
    const copyOptions = { jobCopies: 1 };
    const init = { members: NAMES, copyOptions, options: { searchMs: 100 } };
    keepers.push(await startKeeper(farm, name, { ...init, ...(name === 'other' && ofOther) }));
  }
  const [maker, other] = keepers as [Keeper, Keeper];
  await reaches(maker, other);
  const job = await submittedJob(maker);
  for (const { records } of keepers) await records.merge([job]);
  return [maker, other, farm];
}

/** What a machine has made, with more that its results name. */
async function named(
  maker: Keeper,
  index: number,
  more: { content: Uint8Array; preview?: string; thumbnail?: string },
): Promise<TaskRecord> {
  const { content, preview, thumbnail } = more;
  const task = await madeResult(maker, index, [content]);
  const results = Object.entries(task.results).map(([key, made]): [string, TaskResult] => {
    const files = made.files.map((file) => ({ ...file, ...(preview !== undefined && { preview }) }));
    return [key, { ...made, files, ...(thumbnail !== undefined && { thumbnail }) }];
  });
  return { ...task, results: Object.fromEntries(results) };
}

function holdersOf({ records }: Keeper, index: number): string[] {
  const task = records.taskRecord(JOB, index);
  return heldBy((task && countingResult(task))?.holders ?? {});
}

/** Resolves once whoever it asked has answered. */
async function answered({ copies }: Keeper): Promise<void> {
  while (copies.state().asked > 0) await new Promise((next) => setImmediate(next));
}

describe('R137: what a machine has that holds a result', () => {
  it('are its files and their previews before it answers, and the thumbnail where that can be had', async (test) => {
    const [maker, other] = await twoKeepers(test);
    const preview = contentOf(5, 5_000);
    const missing = { preview: hashOf(preview), thumbnail: 'a'.repeat(64) };
    // The preview of the first is nowhere, and the thumbnails of both are.
    const first = await named(maker, 0, { content: contentOf(0, 1_000), ...missing });
    const second = await named(maker, 1, { content: contentOf(1, 1_000), thumbnail: missing.thumbnail });
    await maker.records.merge([first, second]);
    await maker.records.until(() => holdersOf(maker, 1).length === 2);
    await answered(maker);
    assert.deepEqual(holdersOf(maker, 0), [maker.peer]);
    await maker.blobs.putBytes(preview, { pin: JOB });
    await maker.records.until(() => holdersOf(maker, 0).length === 2);
    assert.deepEqual(other.blobs.pins(missing.preview), [JOB]);
    assert.deepEqual(Buffer.from(await other.blobs.read(missing.preview)), preview);
  });
});

describe('R57: a file that was here for nobody', () => {
  it('is fetched again where it goes between the look for it and its pin', async (test) => {
    const content = contentOf(1, 3_000);
    const went: string[] = [];
    const [maker, other] = await twoKeepers(test, {
      store: { quotaBytes: 5_000 },
      disguise: (blobs) => {
        blobs.subscribe((event) => event.type === 'blob-evicted' && went.push(event.hash));
        return disguised(blobs, {
          pin: async (hash, owner) => {
            // Something else comes, for which there is no room beside it.
            if (went.length === 0) await blobs.putBytes(contentOf(2, 4_000));
            await blobs.pin(hash, owner);
          },
        });
      },
    });
    await other.blobs.putBytes(content);
    await maker.records.merge([await named(maker, 0, { content })]);
    await maker.records.until(() => holdersOf(maker, 0).length === 2);
    assert.equal(went[0], hashOf(content), 'it went');
    assert.deepEqual(Buffer.from(await other.blobs.read(hashOf(content))), content);
  });
});

describe('R139: a file that goes while the record that names it is written', () => {
  interface Going {
    readonly other: Keeper;
    readonly farm: TestFarm;
    readonly hash: string;
  }

  /** A copy of one file, of which the record is being written; then something happens to the file. */
  async function heldAfter(test: TestContext, happens: (going: Going) => Promise<void>) {
    const [maker, other, farm] = await twoKeepers(test, { store: { quotaBytes: 5_000 } });
    const content = contentOf(1, 3_000);
    const going = { other, farm, hash: hashOf(content) };
    const gate = Promise.withResolvers<void>();
    const { merges } = other.records;
    other.records.gate = gate.promise;
    await maker.records.merge([await named(maker, 0, { content })]);
    while (other.records.merges === merges) await new Promise((next) => setImmediate(next));
    await happens(going);
    other.records.gate = undefined;
    gate.resolve();
    return { maker, content, ...going };
  }

  const isReleased = ({ other, hash }: Going): Promise<void> => other.blobs.unpin(hash, JOB);
  const isEvicted = async (going: Going): Promise<void> => {
    await isReleased(going);
    await going.other.blobs.putBytes(contentOf(2, 4_000));
    assert.equal(await going.other.blobs.has(going.hash), undefined);
  };
  const isDamaged = async ({ other, farm, hash }: Going): Promise<void> => {
    await flipBit(storedAt(farm.folderOf('other'), hash), 1_000);
    await assert.rejects(other.blobs.read(hash), { code: 'blob-corrupt' });
  };

  for (const [what, happens] of [
    ['lost its pin', isReleased],
    ['lost its pin and was evicted', isEvicted],
    ['turned out damaged', isDamaged],
  ] as const) {
    it(`is had again before the answer where it ${what}`, async (test) => {
      const { maker, other, hash, content } = await heldAfter(test, happens);
      await maker.records.until(() => holdersOf(maker, 0).length === 2);
      assert.deepEqual(other.blobs.pins(hash), [JOB]);
      assert.deepEqual(Buffer.from(await other.blobs.read(hash)), content);
    });
  }

  it('is no longer said to be held where it can not be had again', async (test) => {
    const { maker, other } = await heldAfter(test, async (going) => {
      await isDamaged(going);
      await rm(storedAt(going.farm.folderOf('maker'), going.hash));
    });
    const entry = () =>
      Object.values(other.records.taskRecord(JOB, 0)?.results ?? {})[0]?.holders[other.peer];
    await other.records.until(() => entry()?.counter === 2);
    assert.deepEqual(entry(), { held: false, counter: 2 });
    await answered(maker);
    assert.deepEqual(holdersOf(maker, 0), [maker.peer]);
  });
});

describe('R139: content of a job that goes while the record that names it is written', () => {
  /** A copy of a job of two files, of which the record is being written; then something happens to one of its blobs. */
  async function jobHeldAfter(
    test: TestContext,
    happens: (going: { maker: Keeper; other: Keeper; farm: TestFarm; job: JobRecord }) => Promise<void>,
  ) {
    const farm = new TestFarm(test, NAMES);
    const init = { members: NAMES, options: { searchMs: 100 } };
    const [maker, other] = [await startKeeper(farm, 'maker', init), await startKeeper(farm, 'other', init)];
    await reaches(maker, other);
    const job = await submittedJob(maker, { files: [contentOf(1, 3_000), contentOf(2, 2_000)] });
    await maker.records.merge([job]);
    const gate = Promise.withResolvers<void>();
    const { merges } = other.records;
    other.records.gate = gate.promise;
    const acknowledged = maker.copies.acknowledge(JOB);
    while (other.records.merges === merges) await new Promise((next) => setImmediate(next));
    await happens({ maker, other, farm, job });
    other.records.gate = undefined;
    gate.resolve();
    return { maker, other, acknowledged };
  }
  const damage = async ({ other, farm }: { other: Keeper; farm: TestFarm }, hash: string): Promise<void> => {
    await flipBit(storedAt(farm.folderOf('other'), hash), 10);
    await assert.rejects(other.blobs.read(hash), { code: 'blob-corrupt' });
  };

  for (const [what, hashOfJob] of [
    ['plan', ({ spec }: JobRecord) => spec.plan],
    ['list of files', ({ spec }: JobRecord) => spec.bundle as string],
    ['file', () => hashOf(contentOf(2, 2_000))],
  ] as const) {
    it(`is had again before the answer: its ${what}`, async (test) => {
      let lost = '';
      const { other, acknowledged } = await jobHeldAfter(test, async (going) => {
        lost = hashOfJob(going.job);
        await damage(going, lost);
      });
      assert.equal((await acknowledged).machines, 2);
      assert.deepEqual(other.blobs.pins(lost), [JOB]);
      assert.equal(hashOf(await other.blobs.read(lost)), lost);
    });
  }

  it('is no longer said to be held where it can not be had again', async (test) => {
    const { other } = await jobHeldAfter(test, async (going) => {
      const lost = hashOf(contentOf(2, 2_000));
      await damage(going, lost);
      await rm(storedAt(going.farm.folderOf('maker'), lost));
    });
    const entries = () => other.records.jobRecord(JOB)?.holders;
    await other.records.until(() => entries()?.plan[other.peer]?.counter === 2);
    const withdrawn = { held: false, counter: 2 };
    assert.deepEqual([entries()?.plan[other.peer], entries()?.bundle[other.peer]], [withdrawn, withdrawn]);
  });
});

describe('R139: a job that is deleted while its files come', () => {
  it('leaves no pins, and is not answered for', async (test) => {
    const meanwhile: { delete?: () => Promise<void> } = {};
    const [maker, other] = await twoKeepers(test, {
      disguise: (blobs) =>
        disguised(blobs, {
          putBytes: async (...call) => {
            await meanwhile.delete?.();
            return blobs.putBytes(...call);
          },
        }),
    });
    const job = other.records.jobRecord(JOB) as JobRecord;
    const deleted = { ...job, deleted: signDeletion(signerOf('maker'), JOB, { wallTime: 0 }) };
    meanwhile.delete = () => other.records.merge([deleted]);
    const content = contentOf(7, 1_000);
    await maker.records.merge([await named(maker, 0, { content })]);
    while (other.records.jobRecord(JOB)?.deleted === undefined)
      await new Promise((next) => setImmediate(next));
    await answered(maker);
    assert.deepEqual(holdersOf(maker, 0), [maker.peer]);
    assert.deepEqual(other.blobs.pins(hashOf(content)), []);
    assert.equal(other.records.taskRecord(JOB, 0)?.results, undefined);
  });
});

describe('R139: a file that this machine makes itself while a copy fetches it', () => {
  /** A copy of two files for which there is no room; as the second one comes, this machine stores the first itself. */
  async function madeMeanwhile(test: TestContext, more: { isMade: boolean }) {
    const [black, large] = [contentOf(1, 1_000), contentOf(2, 4_500)];
    const own: { record?: TaskRecord; other?: Keeper } = {};
    let full = 0;
    const keepers = await twoKeepers(test, {
      store: { quotaBytes: 5_000 },
      disguise: (blobs) =>
        disguised(blobs, {
          putBytes: async (bytes, options) => {
            if (bytes.length !== large.length) return blobs.putBytes(bytes, options);
            // The first one has come, or comes beside it: either way its copy fails after this.
            while ((await blobs.has(hashOf(black))) === undefined)
              await new Promise((next) => setImmediate(next));
            if (more.isMade) own.record ??= await madeResult(own.other as Keeper, 1, [black]);
            full += 1;
            return blobs.putBytes(bytes, options);
          },
        }),
    });
    const [maker, other] = keepers;
    own.other = other;
    const task = await named(maker, 0, { content: black, preview: hashOf(large) });
    await maker.blobs.putBytes(large, { pin: JOB });
    await maker.records.merge([task]);
    while (full === 0) await new Promise((next) => setImmediate(next));
    await answered(maker);
    assert.deepEqual(holdersOf(maker, 0), [maker.peer]);
    return { other, black, large, record: own.record };
  }

  it('stays pinned where that copy finds no room, and is not evicted', async (test) => {
    const { other, black, record } = await madeMeanwhile(test, { isMade: true });
    await other.records.merge([record as TaskRecord]);
    assert.deepEqual(other.blobs.pins(hashOf(black)), [JOB]);
    // Something else comes, for which there is no room beside it.
    await other.blobs.putBytes(contentOf(3, 4_500)).catch(() => undefined);
    assert.deepEqual(Buffer.from(await other.blobs.read(hashOf(black))), black);
  });

  it('is pinned for nobody where the copy was all that brought it', async (test) => {
    const { other, black } = await madeMeanwhile(test, { isMade: false });
    assert.deepEqual(other.blobs.pins(hashOf(black)), []);
  });
});

describe('R139: results that have a file in common', () => {
  it('keep it where one of them can not be held', async (test) => {
    const [maker, other] = await twoKeepers(test);
    const black = contentOf(3, 1_000);
    const first = await named(maker, 0, { content: black, preview: 'a'.repeat(64) });
    const second = await named(maker, 1, { content: black });
    await maker.records.merge([first, second]);
    await maker.records.until(() => holdersOf(maker, 1).length === 2);
    await answered(maker);
    assert.deepEqual(holdersOf(maker, 0), [maker.peer]);
    assert.deepEqual(other.blobs.pins(hashOf(black)), [JOB], 'it answers for that');
    assert.deepEqual(other.blobs.pins('a'.repeat(64)), [], 'that never came');
  });
});
