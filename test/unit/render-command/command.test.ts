import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../node/src/render/command/command.ts';
import { runEchoSleep } from '../../../node/src/render/command/echo-sleep.ts';
import { CommandError, type CommandProgress } from '../../../node/src/render/command/interface.ts';
import type { CommandLimits } from '../../../node/src/render/command/limits.ts';
import { LineCutter } from '../../../node/src/render/command/lines.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { alive, components, temporaryFolder, until } from '../render-verify/pictures.ts';

const folder = temporaryFolder();
let count = 0;
const code = (expected: string) => (error: unknown) =>
  error instanceof CommandError && error.code === expected;

interface Case {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly limits?: Partial<CommandLimits>;
  readonly onProgress?: (progress: CommandProgress) => void;
  readonly environment?: Record<string, string>;
}

/** Runs a shell script as the program of a task. */
function run(script: string, { signal, timeoutMs, limits, onProgress, environment }: Case = {}) {
  const place = join(folder, `run-${count++}`);
  const outputDirectory = join(place, 'output');
  mkdirSync(outputDirectory, { recursive: true });
  const program = join(place, 'program');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const logFile = join(place, 'log');
  const request = {
    program,
    args: ['one', 'two words', '$HOME'],
    allowed: [program],
    workingDirectory: place,
    outputDirectory,
    frame: -7,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(environment !== undefined && { environment }),
  };
  const options = { logFile, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const result = runCommand(components, request, options, limits);
  return { result, place, log: () => readFileSync(logFile, 'utf8') };
}

test('what the program leaves in its output folder is its result, and its words are the log', async () => {
  const script = `
    printf '%s\\n' "$1" "$2" "$3"; pwd; echo to-stderr >&2
    mkdir -p "$CUADRO_OUTPUT/deep/er"; echo a > "$CUADRO_OUTPUT/deep/er/é $CUADRO_FRAME.txt"
    echo bb > "$CUADRO_OUTPUT/a.txt"; ln -s /etc/passwd "$CUADRO_OUTPUT/link"; mkfifo "$CUADRO_OUTPUT/pipe"`;
  const { result, place, log } = run(script);
  const { exitCode, files, elapsedMs } = await result;
  assert.equal(exitCode, 0);
  assert.ok(elapsedMs > 0);
  assert.deepEqual(
    files.map(({ name, sizeBytes }) => [name, sizeBytes]),
    [
      ['a.txt', 3],
      ['deep/er/é -7.txt', 2],
    ],
  );
  assert.ok(files.every(({ path, sizeBytes }) => statSync(path).size === sizeBytes));
  for (const line of ['one', 'two words', '$HOME', place, 'to-stderr'])
    assert.ok(log().includes(`${line}\n`), line);
});

test('the program sees a minimal environment and a home that goes with it', async () => {
  process.env['CUADRO_TEST_SECRET'] = 'secret';
  const { result, log } = run('env; touch "$HOME/x" "$TMPDIR/y"', {
    environment: { EXTRA: '1', CUADRO_FRAME: '9' },
  });
  await result;
  const names = log()
    .split('\n')
    .map((line) => line.split('=')[0])
    .filter((name) => !['', '_', 'PWD', 'OLDPWD', 'SHLVL'].includes(name ?? ''))
    .sort((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1));
  const expected = ['CUADRO_FRAME', 'CUADRO_OUTPUT', 'CUADRO_RUN', 'EXTRA', 'HOME', 'LANG', 'PATH', 'TMPDIR'];
  assert.deepEqual(names, expected);
  assert.match(log(), /^CUADRO_FRAME=-7$/m);
  const home = /^HOME=(.*)$/m.exec(log())?.[1] as string;
  assert.equal(existsSync(home), false);
});

test('the program and all that it starts leave the machine to its owner and to the node', async () => {
  const { result, log } = run('nice; (nice)', { environment: { PATH: process.env['PATH'] ?? '' } });
  await result;
  const told = log().trim().split('\n').map(Number);
  assert.ok(told.length === 2 && told.every((niceness) => niceness >= 10), log());
});

test('only what the owner allowed is run, by the very name', async () => {
  const place = join(folder, 'allowed');
  mkdirSync(place);
  const ask = (program: string, allowed: string[]) =>
    runCommand(
      components,
      { program, args: [], allowed, workingDirectory: place, outputDirectory: place },
      { logFile: join(place, 'log') },
    );
  for (const [program, allowed] of [
    ['true', []],
    ['true', ['/usr/bin/true']],
    ['/bin/true', ['true']],
    ['../true', ['true']],
    ['true ', ['true']],
  ] as const) {
    await assert.rejects(ask(program, [...allowed]), (error: unknown) => {
      assert.ok(code('command-not-allowed')(error));
      assert.match(String(error), /cuadro config set programs/);
      return true;
    });
  }
  await assert.rejects(ask('../bin/true', ['../bin/true']), code('command-not-found'));
  await assert.rejects(ask('cuadro-no-such-program', ['cuadro-no-such-program']), code('command-not-found'));
  assert.equal((await ask('true', ['true'])).exitCode, 0);
});

test('a failure carries its exit code and telling lines', async () => {
  const { result } = run(
    'for i in 1 2 3; do echo step $i; done; echo "error: no license" >&2; echo bye; exit 3',
  );
  await assert.rejects(result, (error: unknown) => {
    assert.ok(error instanceof CommandError && error.code === 'command-failed');
    assert.equal(error.exitCode, 3);
    assert.deepEqual(error.lines, ['error: no license']);
    assert.match(error.message, /exit code 3: error: no license$/);
    return true;
  });
  await assert.rejects(run('kill -SEGV $$').result, /SIGSEGV/);
});

test('an abort ends the program and all that it started, even what left its group', async () => {
  const controller = new AbortController();
  const script = `
    sleep 600 & echo $! > child
    setsid sh -c 'echo $$ > daemon; sleep 600; true' &
    echo $$ > leader; wait`;
  const { result, place } = run(script, { signal: controller.signal });
  const refused = assert.rejects(result, /canceled/);
  const files = ['child', 'daemon', 'leader'].map((name) => join(place, name));
  await until(() => files.every((file) => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n')));
  const pids = files.map((file) => Number(readFileSync(file, 'utf8')));
  assert.ok(pids.every(alive));
  controller.abort(new Error('canceled'));
  await refused;
  await until(() => !pids.some(alive));
});

test('what a finished program left running is ended too, and does not delay the end for ever', async () => {
  const script =
    "setsid sh -c 'echo $$ > daemon; exec sleep 600' & while ! [ -s daemon ]; do sleep 0.01; done";
  const { result, place } = run(script, { limits: { killWaitMs: 100 } });
  await result;
  const pid = Number(readFileSync(join(place, 'daemon'), 'utf8'));
  await until(() => !alive(pid));
});

test('a program over its time is ended with a sentence', async () => {
  const { result } = run('echo waiting; sleep 600', { timeoutMs: 200 });
  await assert.rejects(
    result,
    (error: unknown) =>
      code('command-timeout')(error) && /waiting/.test(String((error as CommandError).lines)),
  );
});

test('the log is bounded, and says so', async () => {
  const { result, log } = run("yes 'a line of thirty characters....' | head -n 100000", {
    limits: { logBytes: 10_000 },
  });
  await result;
  assert.ok(log().length < 10_200);
  assert.match(log(), /The log is full; the rest is dropped\.\n$/);
});

test('too many files are refused', async () => {
  const { result } = run('for i in 1 2 3 4; do echo > "$CUADRO_OUTPUT/$i"; done', { limits: { files: 3 } });
  await assert.rejects(result, code('command-too-many-files'));
});

test('progress is read from lines of their own and never falls', async () => {
  const heard: CommandProgress[] = [];
  const script =
    'for p in 0.25 0.5 0.1 1; do echo "cuadro-progress $p at $p"; done; echo cuadro-progress nonsense';
  const { result, log } = run(script, { onProgress: (progress) => heard.push(progress) });
  await result;
  assert.deepEqual(
    heard.map(({ fraction }) => fraction),
    [0.25, 0.5, 0.5, 1],
  );
  assert.equal(heard[0]?.text, 'at 0.25');
  assert.equal(log(), 'cuadro-progress nonsense\n');
});

test('confinement gets the whole command and says what runs instead', async () => {
  const place = join(folder, 'confined');
  mkdirSync(place);
  const request = {
    program: 'echo',
    args: ['inside'],
    allowed: ['echo'],
    workingDirectory: place,
    outputDirectory: place,
    confine: (command: readonly string[]) => ['/usr/bin/env', 'CONFINED=1', ...command],
  };
  const logFile = join(folder, 'confined.log');
  await runCommand(components, request, { logFile });
  assert.equal(readFileSync(logFile, 'utf8'), 'inside\n');
  const absent = { ...request, workingDirectory: join(place, 'absent') };
  await assert.rejects(runCommand(components, absent, { logFile }), code('command-bad-request'));
  assert.equal(dirname(logFile), folder);
});

test('lines are cut at every kind of end, across chunks and inside characters', () => {
  const lines: string[] = [];
  const cutter = new LineCutter(5, (line) => lines.push(line));
  const bytes = Buffer.from('a\nb\r\nc\rdé\n123456789\nend');
  for (const byte of bytes) cutter.add(Buffer.from([byte]));
  cutter.end();
  assert.deepEqual(lines, ['a', 'b', 'c', 'dé', '12345…', '789', 'end']);
  const last: string[] = [];
  const cut = new LineCutter(5, (line) => last.push(line));
  for (const byte of [0x61, 0x0d, 0xc3]) cut.add(Buffer.from([byte]));
  cut.end();
  assert.deepEqual(last, ['a', '\ufffd'], 'an end of a line, and then half a letter');
});

test('echo-sleep says its message, sleeps by the clock, fails on purpose, and can be aborted', async () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const log = (line: string) => said.push(line);
  await runEchoSleep({ message: 'hello', sleepMs: 0 }, { clock, log });
  let done = false;
  const sleeping = runEchoSleep({ message: 'again', sleepMs: 1000 }, { clock, log }).then(
    () => (done = true),
  );
  await Promise.resolve();
  assert.equal(done, false);
  clock.advance(1000);
  await sleeping;
  assert.deepEqual(said, ['hello', 'again']);
  const failing = runEchoSleep({ message: 'no', sleepMs: 0, fail: true }, { clock, log });
  await assert.rejects(failing, code('failed-on-purpose'));
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = assert.rejects(
    runEchoSleep({ message: 'stop', sleepMs: 1000 }, { clock, log, signal }),
    /enough/,
  );
  controller.abort(new Error('enough'));
  await aborted;
});
