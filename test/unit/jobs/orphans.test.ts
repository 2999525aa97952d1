import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import type { CoreQueries } from '../../../node/src/core/interface.ts';
import { localJobKey, submissionKey } from '../../../node/src/jobs/interface.ts';
import { takeBackUnfinished } from '../../../node/src/jobs/orphans.ts';
import { createMemoryStore } from '../../../node/src/store/memory-store.ts';
import type { JobRecord } from '../../../protocol/src/index.ts';

describe('what a killed node left of a submission', () => {
  let base: string;
  const blobs = createMemoryBlobStore();
  const store = createMemoryStore();
  const accepted = new Set<string>();
  const queries = {
    jobRecord: (id: string) => (accepted.has(id) ? ({ id } as JobRecord) : undefined),
  } as CoreQueries;
  const driver = { queries, merge: () => Promise.resolve() };

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'cuadro-orphans-'));
    await blobs.start();
    await store.start();
  });
  after(async () => {
    await blobs.stop();
    await store.stop();
    await rm(base, { recursive: true });
  });

  async function leave(job: string): Promise<{ folder: string; hash: string }> {
    const folder = join(base, job);
    await mkdir(folder);
    const { hash } = await blobs.putBytes(new TextEncoder().encode(job), { pin: job });
    const local = { folder, overwrite: false };
    await store.setLocal({ [localJobKey(job)]: local, [submissionKey(job)]: { newFolder: folder } });
    return { folder, hash };
  }

  it('is taken back at the next start', async () => {
    const { folder, hash } = await leave('unfinished');
    await takeBackUnfinished({ blobs, store, driver }, { isComplete: true });
    assert.ok(!existsSync(folder));
    assert.deepEqual(blobs.pins(hash), []);
    assert.deepEqual(await store.listLocal(''), []);
  });

  it('stays where the job was accepted', async () => {
    const { folder, hash } = await leave('accepted');
    accepted.add('accepted');
    await takeBackUnfinished({ blobs, store, driver }, { isComplete: true });
    assert.ok(existsSync(folder));
    assert.deepEqual(blobs.pins(hash), ['accepted']);
    assert.deepEqual(await store.listLocal(''), [[localJobKey('accepted'), { folder, overwrite: false }]]);
  });

  it('R173: stays where its record may be missing, until a start to which none is', async () => {
    const { folder, hash } = await leave('in-doubt');
    const notes = await store.listLocal('');
    await takeBackUnfinished({ blobs, store, driver }, { isComplete: false });
    assert.ok(existsSync(folder));
    assert.deepEqual(blobs.pins(hash), ['in-doubt']);
    assert.deepEqual(await store.listLocal(''), notes);
    await takeBackUnfinished({ blobs, store, driver }, { isComplete: true });
    assert.deepEqual([existsSync(folder), blobs.pins(hash)], [false, []]);
  });

  it('never takes what somebody put into the folder', async () => {
    const { folder } = await leave('used');
    await writeFile(join(folder, 'note.txt'), 'mine');
    await takeBackUnfinished({ blobs, store, driver }, { isComplete: true });
    assert.ok(existsSync(join(folder, 'note.txt')));
  });
});
