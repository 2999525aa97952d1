import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dieWithNode } from '../../../node/src/render/process/die-with-node.ts';

const supported = existsSync('/usr/bin/setpriv');
const command = { file: '/bin/sleep', arguments: ['60'], environment: {}, directory: '/' };

/** Whether a process runs still; one that only waits to be reaped does not. */
function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('a program whose node is gone before it begins never begins', {
  skip: !supported && 'setpriv is not installed',
}, () => {
  const { file, arguments: words } = dieWithNode({ ...command, file: '/bin/echo' }, 1);
  assert.throws(() => execFileSync(file, [...words], { stdio: 'pipe' }), { status: 1 });
});

test('a program dies with its node', { skip: !supported && 'setpriv is not installed' }, async () => {
  const module = new URL('../../../node/src/render/process/die-with-node.ts', import.meta.url).href;
  const script = `
    const { dieWithNode } = await import(${JSON.stringify(module)});
    const { spawn } = await import('node:child_process');
    const command = dieWithNode(${JSON.stringify(command)});
    const child = spawn(command.file, command.arguments, { detached: true, stdio: 'ignore' });
    child.once('spawn', () => console.log(child.pid));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(runs(pid));
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  while (runs(pid)) await new Promise((resolve) => setImmediate(resolve));
});

test('a program that is not there is started as it is, so that its own start tells', () => {
  const missing = { ...command, file: '/nowhere/program' };
  assert.equal(dieWithNode(missing), missing);
});
