import assert from 'node:assert/strict';
import { it } from 'node:test';
import { compileJob, jobType } from '@cuadro/protocol';
import { createMemoryBlobStore } from '../../../node/src/blobs/memory.ts';
import { keepFiles } from '../../../node/src/worker/outputs.ts';

for (const name of ['a\\b.txt', 'C:out.txt', '../out.txt']) {
  it(`refuses a result named ${name} while its attempt runs, not when it is collected (SPEC R62)`, async () => {
    const blobs = createMemoryBlobStore();
    await blobs.start();
    const place = { job: 'abcdefghijklmnop', signal: new AbortController().signal };
    const files = [{ path: '/nowhere', name, role: 'file' }];
    await assert.rejects(keepFiles({ blobs }, files, place), { code: 'path-unsafe' });
  });

  it(`refuses a film named ${name} at the door`, () => {
    const settings = { frames: '1-2', filmName: name };
    assert.throws(() => compileJob(jobType('blender-animation'), settings), { code: 'settings-invalid' });
  });
}
