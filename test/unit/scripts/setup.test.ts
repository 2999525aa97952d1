import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../../..');

/** The set-up is plain JavaScript without types: only what is used here is named. */
interface Dependencies {
  installedByHand: (root: string) => boolean;
  dependenciesAreFresh: (root: string) => boolean;
  nodeProblem: (root: string) => string | undefined;
}
interface Lock {
  withLock: <T>(root: string, name: string, work: () => Promise<T>) => Promise<T>;
}
interface Program {
  name: string;
  purpose?: string;
  packages: Record<string, string>;
}
interface System {
  PROGRAMS: Program[];
  missingPrograms: (purposes: readonly string[], platform?: string) => Program[];
  adviceFor: (program: Program, manager: string | undefined) => string;
}
interface Run {
  systemPath: (path: string) => string;
  tellingLines: (output: string) => string;
  looksOffline: (output: string) => boolean;
}

async function load<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(join(root, 'scripts/setup', name)).href)) as T;
}

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-setup-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A checkout with a lock file of these packages, of which npm noted the others as installed. */
async function checkout(name: string, locked: object, installed: object | undefined): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, 'node_modules'), { recursive: true });
  await writeFile(join(path, 'package-lock.json'), JSON.stringify({ packages: locked }));
  if (installed !== undefined) {
    await writeFile(join(path, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  }
  return path;
}

test('packages that a person installed are taken as they are, when they are those of the lock file', async () => {
  const { installedByHand } = await load<Dependencies>('dependencies.js');
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const elsewhere = { version: '1.0.0', integrity: 'sha512-b', optional: true, os: ['nowhere'] };
  const here = { version: '1.0.0', integrity: 'sha512-c', optional: true, os: [process.platform] };
  const cases: [string, object, object | undefined, boolean][] = [
    ['same', { '': {}, protocol: {}, 'node_modules/a': a }, { 'node_modules/a': a }, true],
    ['other version', { 'node_modules/a': a }, { 'node_modules/a': { ...a, version: '2.0.0' } }, false],
    ['other content', { 'node_modules/a': a }, { 'node_modules/a': { ...a, integrity: 'sha512-x' } }, false],
    ['one missing', { 'node_modules/a': a, 'node_modules/b': a }, { 'node_modules/a': a }, false],
    ['nothing installed', { 'node_modules/a': a }, undefined, false],
    [
      'optional for elsewhere',
      { 'node_modules/a': a, 'node_modules/b': elsewhere },
      { 'node_modules/a': a },
      true,
    ],
    ['optional for here', { 'node_modules/a': a, 'node_modules/b': here }, { 'node_modules/a': a }, false],
    ['link', { 'node_modules/w': { link: true } }, { 'node_modules/w': { link: true } }, true],
    // A part of a package for elsewhere names no platform of its own.
    ['part', { 'node_modules/b/node_modules/c': { ...a, optional: true } }, {}, true],
  ];
  for (const [name, locked, installed, expected] of cases) {
    assert.equal(installedByHand(await checkout(name, locked, installed)), expected, name);
  }
});

test('a stamp holds until the lock file changes', async () => {
  const { dependenciesAreFresh } = await load<Dependencies>('dependencies.js');
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const path = await checkout('stamp', { 'node_modules/a': a }, { 'node_modules/a': a });
  assert.equal(dependenciesAreFresh(path), true);
  await rm(join(path, 'node_modules/.package-lock.json'));
  assert.equal(dependenciesAreFresh(path), true, 'the stamp alone is enough');
  await writeFile(join(path, 'package-lock.json'), JSON.stringify({ packages: { 'node_modules/b': a } }));
  assert.equal(dependenciesAreFresh(path), false);
});

test('a Node in node_modules that does not run is told, with what to do', async () => {
  const { nodeProblem } = await load<Dependencies>('dependencies.js');
  const path = await checkout('node', {}, {});
  await mkdir(join(path, 'node_modules/.bin'));
  await writeFile(join(path, 'node_modules/.bin/node'), '#!/bin/sh\necho v20.1.0\n', { mode: 0o755 });
  assert.match(nodeProblem(path) ?? '', /is v20\.1\.0, and 24\.15 or newer is needed: delete/);
  await writeFile(join(path, 'node_modules/.bin/node'), 'no program', { mode: 0o755 });
  assert.match(nodeProblem(path) ?? '', /does not run on this system/);
  assert.equal(nodeProblem(root), undefined);
});

test('two set-ups of one checkout take turns, and a lock whose owner is gone is taken over', async () => {
  const { withLock } = await load<Lock>('lock.js');
  const path = await checkout('lock', {}, {});
  await mkdir(join(path, '.cache'));
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  await writeFile(join(path, '.cache/setup-x.lock'), `${dead} 1\n`);
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} in`);
    await new Promise((done) => setImmediate(done));
    events.push(`${name} out`);
  };
  await Promise.all([withLock(path, 'x', work('a')), withLock(path, 'x', work('b'))]);
  assert.equal(events.length, 4);
  assert.equal(events[0]?.split(' ')[0], events[1]?.split(' ')[0], 'nobody came in between');
  await assert.rejects(readFile(join(path, '.cache/setup-x.lock')), { code: 'ENOENT' });
  await assert.rejects(
    withLock(path, 'x', () => Promise.reject(new Error('no'))),
    /no/,
  );
  await assert.rejects(readFile(join(path, '.cache/setup-x.lock')), { code: 'ENOENT' });
});

test('an old npm and an unknown option are told in one sentence', () => {
  const setUp = (args: string[], agent: string) =>
    spawnSync(process.execPath, [join(root, 'scripts/setup.js'), ...args], {
      encoding: 'utf8',
      env: { ...process.env, npm_config_user_agent: agent },
    });
  const old = setUp([], 'npm/9.2.0 node/v20.20.2 linux x64');
  assert.equal(old.status, 1);
  assert.match(old.stderr, /^Cuadro needs npm 10 or newer \(this is 9\.2\.0\)\. Install [^\n]*\n$/);
  const unknown = setUp(['--tset'], 'npm/11.0.0');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /Unknown option --tset/);
});

test('each program can be installed somewhere, and its absence says what goes on without it', async () => {
  const { PROGRAMS, adviceFor } = await load<System>('system.js');
  for (const program of PROGRAMS) {
    assert.ok(program.packages['apt-get'], program.name);
    for (const manager of [undefined, 'apt-get', 'brew', 'pacman']) {
      assert.match(adviceFor(program, manager), /^\S+ is missing\. Install it with .+\. Without it .+\.$/);
    }
  }
});

test('what only some tests need is asked for by their own command, and by no other', async () => {
  const { PROGRAMS, missingPrograms } = await load<System>('system.js');
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const path = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    const missing = (...purposes: string[]) => missingPrograms(purposes, 'linux').map(({ name }) => name);
    const onlyForTests = missing('test').filter((name) => !missing().includes(name));
    assert.ok(onlyForTests.includes('strace'));
    assert.ok(!missing('lan').includes('strace'));
  } finally {
    process.env['PATH'] = path;
  }
  for (const purpose of new Set(PROGRAMS.flatMap((program) => program.purpose ?? []))) {
    assert.ok(
      Object.values(scripts).some((line) => line.includes(`setup.js --${purpose}`)),
      `a command sets up what is for ${purpose}`,
    );
  }
});

test('every command asks the set-up only for what it knows', async () => {
  const { OPTIONS } = await load<{ OPTIONS: string[] }>('main.js');
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const asked = Object.values(scripts).flatMap(
    (line) => /setup\.js(.*)$/.exec(line)?.[1]?.match(/--\S+/g) ?? [],
  );
  assert.deepEqual([...new Set(asked)].sort(), [...OPTIONS].sort());
});

test('npm runs with the Node of the system, and a failure shows its telling lines', async () => {
  const { systemPath, tellingLines, looksOffline } = await load<Run>('run.js');
  const path = ['/a/node_modules/.bin', '/usr/bin', '/b/node_modules/npm/bin/node-gyp-bin', '/bin'].join(
    delimiter,
  );
  assert.equal(systemPath(path), ['/usr/bin', '/bin'].join(delimiter));
  assert.equal(
    tellingLines('Reading…\nE: Unable to locate package x\nDone'),
    '  E: Unable to locate package x',
  );
  assert.equal(tellingLines('one\n\ntwo\n'), '  one\n  two');
  assert.equal(looksOffline('npm error code EAI_AGAIN'), true);
  assert.equal(looksOffline('npm error code EINTEGRITY'), false);
});
