import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT } from '@cuadro/protocol';
import { COMMANDS, EXIT_MEANINGS, helpText } from '../../../node/src/cli/help.ts';
import { jobView } from '../api/fakes.ts';
import { type Harness, runCaptured, startHarness } from './harness.ts';

const main = fileURLToPath(new URL('../../../node/src/cli/main.ts', import.meta.url));

let harness: Harness;
before(async () => {
  harness = await startHarness();
});
after(() => harness.stop());

function run(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ exit: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, CUADRO_DATA: harness.folder, ...env } };
    const child = execFile(process.execPath, [main, ...args], options, (_, out, err) =>
      resolve({ exit: child.exitCode ?? -1, out, err }),
    );
  });
}

describe('the process', () => {
  test('prints its help, with every command and every exit code', async () => {
    const { exit, out, err } = await run(['--help']);
    assert.deepEqual([exit, err], [EXIT.ok, '']);
    for (const { name, summary } of COMMANDS) {
      assert.match(out, new RegExp(`^  ${name}\\b`, 'm'));
      assert.ok(out.includes(summary));
    }
    assert.deepEqual(
      EXIT_MEANINGS.map(([code]) => code).toSorted((a, b) => a - b),
      Object.values(EXIT).toSorted((a, b) => a - b),
    );
    for (const args of [[], ['-h'], ['help']]) assert.equal((await run(args)).out, out);
  });

  test('starts a node again as the same process, with an allocator that suits it', async (t) => {
    if (process.platform !== 'linux') return t.skip('Only Linux has this allocator.');
    const said = `console.error(JSON.stringify([process.pid, process.env.MALLOC_ARENA_MAX ?? '', process.env.MALLOC_TRIM_THRESHOLD_ ?? '']))`;
    const env = {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(said)}`,
      MALLOC_TRIM_THRESHOLD_: '9000000',
    };
    const { exit, out, err } = await run(['up', '--help'], env);
    assert.equal(exit, EXIT.ok);
    assert.match(out, /--port/);
    const [first, second, ...more] = err
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [number, string, string]);
    // What the user has set himself stays.
    assert.deepEqual(first?.slice(1), ['', '9000000']);
    assert.deepEqual(second, [first?.[0], '1', '9000000']);
    assert.deepEqual(more, []);
  });

  test('answers with JSON on a pipe, without colours', async () => {
    const { exit, out } = await run(['jobs', '--json'], { FORCE_COLOR: '1' });
    assert.equal(exit, EXIT.ok);
    assert.equal((JSON.parse(out) as unknown[]).length, 2);
  });

  test('keeps its exit code and both streams apart', async () => {
    const { exit, out, err } = await run(['show', 'nope']);
    assert.deepEqual([exit, out], [EXIT.notFound, '']);
    assert.match(err, /^cuadro: There is no job "nope"/);
  });

  test('does not mind a reader that has seen enough', async () => {
    const { jobs } = harness.node;
    harness.node.jobs = Array.from({ length: 5_000 }, (_, i) => jobView('aaaabbbbccccdddd', i));
    const child = spawn(process.execPath, [main, 'jobs', '--json'], {
      env: { ...process.env, CUADRO_DATA: harness.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
    child.stdout.once('data', () => child.stdout.destroy());
    const [exit] = (await once(child, 'close')) as [number];
    harness.node.jobs = jobs;
    assert.deepEqual([exit, err], [0, '']);
  });

  test('a command that is interrupted ends with 130', async () => {
    const child = spawn(process.execPath, [main, 'watch', '1'], {
      env: { ...process.env, CUADRO_DATA: harness.folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const [exit] = (await once(child, 'close')) as [number];
    assert.equal(exit, EXIT.interrupted);
  });
});

describe('help', () => {
  test('the root help of commander is the same text', async () => {
    const { out, exit } = await runCaptured(['--json']);
    assert.equal(exit, EXIT.usage, 'options belong to commands');
    assert.match((JSON.parse(out) as { error: { message: string } }).error.message, /unknown option/i);
    assert.equal((await runCaptured(['--help'])).out, helpText());
  });

  test('every command explains itself and has --json and --data', async () => {
    for (const { name, summary } of COMMANDS) {
      const { exit, out } = await runCaptured([name, '--help']);
      assert.equal(exit, EXIT.ok);
      for (const part of [`Usage: cuadro ${name}`, summary, '--json', '--data']) {
        assert.ok(out.includes(part), `${name}: ${part}`);
      }
    }
  });

  test('the version', async () => {
    assert.match((await runCaptured(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
  });
});
