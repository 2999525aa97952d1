import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runFile } from '../../../scripts/test/file-run.ts';
import { readRequest, rowsOf } from '../../../scripts/lan-figures.ts';
import { figureIn, tellFigure } from '../../../scripts/test/figures.ts';
import { countTests, describeFile, describeRun } from '../../../scripts/test/summary.ts';
import { chooseFiles, inOrder, LONGEST } from '../../../scripts/test.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cuadro-runner-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Runs a test file with this text and generous limits, unless said otherwise. */
async function runText(text: string, limits = { fileMs: 60_000, lingerMs: 30_000 }) {
  await writeFile(
    join(folder, 'a.test.ts'),
    `import { beforeEach, describe, test } from 'node:test';\n${text}`,
  );
  return runFile(folder, 'a.test.ts', limits);
}

test('passes, skips with their reason and failures are told and counted as node counts them', async () => {
  const result = await runText(`
    test('good', () => {});
    test('away', { skip: 'no Blender here' }, () => {});
    test('bad', () => { throw new Error('boo'); });
    describe('group', () => { test('inner', async (t) => { await t.test('sub', () => {}); }); });
  `);
  const counts = countTests([result]);
  assert.deepEqual(counts, { tests: 5, suites: 1, pass: 3, fail: 1, cancelled: 0, skipped: 1, todo: 0 });
  const text = describeFile(result);
  assert.match(text, /away # SKIP no Blender here/);
  assert.match(text, /✖ bad \(a\.test\.ts:\d+\)/);
  assert.match(text, /boo/);
  const end = describeRun([result], counts, 12);
  assert.match(
    end,
    /ℹ tests 5\nℹ suites 1\nℹ pass 3\nℹ fail 1\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\nℹ duration_ms 12\.000$/,
  );
});

test('a file that leaves a server open is ended, and told what is open', async () => {
  const limits = { fileMs: 60_000, lingerMs: 300 };
  const result = await runText(
    `import net from 'node:net'; net.createServer().listen(0); test('x', () => {});`,
    limits,
  );
  assert.match(result.trouble ?? '', /leaves handles open \(still open: TCPServerWrap/);
  assert.equal(countTests([result]).fail, 1);
});

test('a file that hangs is ended at its limit, the test named', async () => {
  const text = `test('stuck', () => new Promise((resolve) => setTimeout(resolve, 1e8)));`;
  let trouble = '';
  // The test has to have begun by then, which a busy machine may take longer for.
  for (const fileMs of [1_500, 6_000, 24_000]) {
    if (trouble.includes('stuck')) break;
    trouble = (await runText(text, { fileMs, lingerMs: 30_000 })).trouble ?? '';
    assert.match(trouble, /did not end within [\d.]+ s/);
  }
  assert.match(trouble, / in "stuck"/);
  const limits = { fileMs: 1_500, lingerMs: 30_000 };
  // A loop that never yields can neither tell its test's name nor be asked to end: it is killed.
  const blocked = await runText(`test('blocked', () => { for (;;); });`, limits);
  assert.match(blocked.trouble ?? '', /did not end within 1\.5 s/);
});

test('a file that does not load, that holds no test, or whose hook throws has failed', async () => {
  const broken = await runText(`import './missing.ts';`);
  assert.match(broken.trouble ?? '', /ended with code 1/);
  assert.match(describeFile(broken), /missing\.ts/);
  assert.match((await runText('')).trouble ?? '', /no test/);
  const hook = await runText(`import { after } from 'node:test';
    describe('g', () => { after(() => { throw new Error('late'); }); test('x', () => {}); });`);
  assert.equal(countTests([hook]).fail, 1);
  assert.match(describeFile(hook), /late/);
});

test('an error that nobody caught is told of the test that brought it about, and of no other', async () => {
  const result = await runText(`
    import { readFile } from 'node:fs/promises';
    import { setTimeout as after } from 'node:timers/promises';
    const lost = () => { throw new Error('lost'); };
    test('waits', () => after(20));
    test('at once', async () => { void Promise.reject(new Error('lost')); await after(50); });
    test('after a wait', async () => { void after(1).then(lost); await after(50); });
    test('after reading', async () => { void readFile('/').catch(lost); await after(50); });
    test('in a timer', async () => { await after(1); setTimeout(lost, 1); await after(50); });
    describe('group', () => {
      beforeEach(() => after(1));
      test('within', async (t) => {
        await t.test('sub', async () => { void after(1).then(lost); await after(50); });
      });
      test('beside', () => after(20));
    });
    test('waits again', () => after(20));
  `);
  const failed = result.tests.filter(({ outcome, error }) => outcome === 'fail' && error !== '');
  assert.deepEqual(
    failed.map(({ name }) => name),
    ['at once', 'after a wait', 'after reading', 'in a timer', 'sub'],
  );
  for (const { error } of failed) assert.match(error, /^Error: lost/);
  // Whatever holds the one that failed has failed with it.
  const all = result.tests.filter(({ outcome }) => outcome !== 'pass').map(({ name }) => name);
  assert.deepEqual(new Set(all), new Set([...failed.map(({ name }) => name), 'within', 'group']));
});

test('what a test tells of itself is kept and shown, and what node tells of the run is not', async () => {
  const result = await runText(`
    test('good', (t) => { t.diagnostic('time until it rang: 12 ms'); });
    test('other', (t) => { t.diagnostic('a sentence'); });
  `);
  assert.deepEqual(result.told, ['time until it rang: 12 ms', 'a sentence']);
  assert.match(describeFile(result), /ℹ time until it rang: 12 ms\n {2}ℹ a sentence$/);
  assert.deepEqual(rowsOf('test/lan/bell.test.ts', result.told), ['| bell | time until it rang | 12 ms |']);
});

const onLinux = process.platform === 'linux' ? {} : { skip: 'only Linux tells what a process took' };
test(
  'the processor time of a file counts what it started, and the most costly are named',
  onLinux,
  async () => {
    const spin = `for (const end = process.cpuUsage().user + 3e5; process.cpuUsage().user < end; );`;
    const result = await runText(`
    import { spawnSync } from 'node:child_process';
    test('spins twice', () => { ${spin} spawnSync(process.execPath, ['-e', ${JSON.stringify(spin)}]); });
  `);
    assert.ok((result.cpuMs ?? 0) >= 550, `${result.cpuMs} ms`);
    const end = describeRun(
      [
        { ...result, cpuMs: 700 },
        { ...result, file: 'b.test.ts', cpuMs: 5_000 },
      ],
      countTests([result]),
      12,
    );
    assert.match(
      end,
      /Of 5\.7 s of processor time, most went to:\n +5\.0 s {2}b\.test\.ts\n +700 ms {2}a\.test\.ts\n/,
    );
  },
);

test('a figure that a test tells is read as it was told', () => {
  const told: string[] = [];
  const t = { diagnostic: (text: string) => void told.push(text) };
  tellFigure(t, 'farm of 5, lost: all', 3.6, '');
  tellFigure(t, 'until it rang', 1_234.4);
  assert.deepEqual(told.map(figureIn), [
    { what: 'farm of 5, lost: all', value: 4, unit: '' },
    { what: 'until it rang', value: 1234, unit: 'ms' },
  ]);
  assert.equal(figureIn('it rang twice'), undefined);
});

test('the figures of networks take ten minutes of pegged cores unless said otherwise, and files by words', () => {
  assert.deepEqual(readRequest([]), { minutes: 10, words: [] });
  assert.deepEqual(readRequest(['60', 'pegged']), { minutes: 60, words: ['pegged'] });
  assert.deepEqual(readRequest(['loss', 'clock']), { minutes: 10, words: ['loss', 'clock'] });
  assert.equal(readRequest(['0']), undefined);
});

test('paths choose files; sim and lan are chosen only by their phase', () => {
  const paths = [
    'test/unit/core/a.test.ts',
    'test/unit/core/help.ts',
    'test/e2e/b.test.ts',
    'test/lan/c.test.ts',
  ];
  assert.deepEqual(chooseFiles(paths, ['unit'], []), ['test/unit/core/a.test.ts']);
  assert.deepEqual(chooseFiles(paths, ['unit', 'e2e'], ['e2e/']), ['test/e2e/b.test.ts']);
  assert.deepEqual(chooseFiles(paths, ['unit'], ['nothing']), []);
});

test('files that take long are begun first, and are there', () => {
  const [first = '', second = ''] = LONGEST;
  const short = ['test/e2e/a.test.ts', 'test/e2e/z.test.ts'];
  assert.deepEqual(inOrder([...short, second, first]), [first, second, ...short]);
  for (const file of LONGEST) assert.ok(existsSync(join(import.meta.dirname, '../../..', file)), file);
});
