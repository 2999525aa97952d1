import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const MODULE = new URL('../../../node/src/cli/compiled-code.ts', import.meta.url);

/** Says where compiled code is kept for it, for a thread of its own, and for a process that it starts. */
const SCRIPT = `
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';
import { keepCompiledCode } from '${MODULE.href}';
keepCompiledCode();
const asked = "process.getBuiltinModule('node:module').getCompileCacheDir()";
const thread = new Worker(
  "process.getBuiltinModule('node:worker_threads').parentPort.postMessage(" + asked + ")",
  { eval: true },
);
const [inThread] = await once(thread, 'message');
const inProcess = execFileSync(process.execPath, ['--print', asked], { encoding: 'utf8' }).trim();
console.log(JSON.stringify([getCompileCacheDir(), inThread, inProcess]));
`;

test('keeps compiled code for its threads and processes as well, in the folder that it keeps its own in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cuadro-compiled-'));
  try {
    // As a user has it, who has set nothing of the kind.
    const env = { ...process.env, NODE_COMPILE_CACHE: undefined, TMPDIR: folder };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', SCRIPT],
      { env },
    );
    const [own, inThread, inProcess] = JSON.parse(stdout) as string[];
    assert.ok(own?.startsWith(folder));
    assert.deepEqual([inThread, inProcess], [own, own]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
