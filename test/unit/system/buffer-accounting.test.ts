import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { it } from 'node:test';

const source = fileURLToPath(new URL('../../../node/src/system/buffer-accounting.ts', import.meta.url));

it('V8 knows the switch by which buffers count with its heap, both ways, or it is left alone', () => {
  const script = `const { countBuffersWithHeap } = await import(${JSON.stringify(source)});
    countBuffersWithHeap(true);
    countBuffersWithHeap(false);
    console.log('fine');`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  // V8 says on standard error what it doesn't know, and goes on.
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'fine\n', stderr: '' });
});
