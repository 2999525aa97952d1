import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FrameLog } from '../../../node/src/render/blender/frame-log.ts';
import { renderLimits } from '../../../node/src/render/limits.ts';
import { workerLimits } from '../../../node/src/worker/limits.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-frame-log-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a full log is never longer than its bound, with the line that says so', async () => {
  for (const length of [1, 7, 30, 45, 46, 47, 100]) {
    const file = join(folder, `${length}.log`);
    const log = new FrameLog({ file, logBytes: 1_000, keptLines: 10 });
    for (let i = 0; i < 1_000; i++) log.write('x'.repeat(length));
    await log.close();
    const text = await readFile(file, 'utf8');
    assert.ok(Buffer.byteLength(text) <= 1_000, `${Buffer.byteLength(text)} bytes in lines of ${length}`);
    assert.match(text, /x\n\[cuadro\] The log is full; the rest is dropped\.\n$/);
  }
});

test('a full log of a failed frame is one that the worker still keeps', () => {
  assert.ok(renderLimits.logBytes <= workerLimits.logBytesMax);
});
