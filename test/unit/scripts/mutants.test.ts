import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { argumentFor, readArguments, staleArguments } from '../../../scripts/mutants/argued.ts';
import { choice, record } from '../../../scripts/mutants/choice.ts';
import { mutate } from '../../../scripts/mutants/mutate.ts';
import { judgeFiles, mutatedPaths, mutateFiles } from '../../../scripts/mutants/run.ts';
import { DECISIVE, Store } from '../../../scripts/mutants/store.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** The mutants of one expression of `a`, `b` and `c`, and its copies as functions. */
async function mutantsOf(expression: string) {
  const text = `export const f = (a: any, b: any, c: any): unknown => ${expression};\n`;
  const runtime = new URL('../../../scripts/mutants/choice.ts', import.meta.url).href;
  const { mutants, textFor } = mutate({ path: 'x.ts', text }, 0, runtime);
  const load = async (mode: 'choose' | 'record') => {
    const code = stripTypeScriptTypes(textFor(mode));
    const { f } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { f: Copy };
    return f;
  };
  return {
    changes: mutants.map(({ change }) => change),
    choose: await load('choose'),
    recorded: await load('record'),
  };
}

type Copy = (...values: unknown[]) => unknown;

/** What the expression gives under each of its mutants in turn. */
async function underEach(expression: string, values: unknown[]): Promise<Record<string, unknown>> {
  const { changes, choose } = await mutantsOf(expression);
  const results: Record<string, unknown> = {};
  for (const [id, change] of changes.entries()) {
    choice.id = id;
    results[change] = choose(...values);
  }
  choice.id = -1;
  return results;
}

/** The changes that a recording copy says these values would tell. */
async function noticed(expression: string, values: unknown[]): Promise<string[]> {
  const { changes, recorded } = await mutantsOf(expression);
  record.seen = new Uint8Array(changes.length);
  recorded(...values);
  return changes.filter((_, id) => record.seen[id] === 1);
}

describe('mutants', () => {
  it('are a comparison’s neighbour and its negation', async () => {
    assert.deepEqual(await underEach('a < b', [1, 1]), { 'a < b → <=': true, 'a < b → >=': true });
    assert.deepEqual(await underEach('a >= b', [1, 1]), { 'a >= b → >': false, 'a >= b → <': false });
    assert.deepEqual(await underEach('a === b', [1, 1]), { 'a === b → !==': false });
    assert.equal((await mutantsOf('a < b')).choose(1, 1), false, 'asleep they change nothing');
  });

  it('are the other connective, each condition’s negation, and both halves of a default', async () => {
    assert.deepEqual(await underEach('a && b', [true, false]), { 'a && b → ||': true });
    assert.deepEqual(await underEach('a && b ? "x" : "y"', [true, true]), {
      'a && b → ||': 'x',
      'a → its negation': 'y',
      'b → its negation': 'y',
    });
    assert.deepEqual(await underEach('!a', [true]), { '!a → without its negation': true });
    assert.deepEqual(await underEach('a ?? b', [undefined, 2]), {
      'a ?? b → without its default': undefined,
      'a ?? b → its default': 2,
    });
  });

  it('are other constants, signs, and the other of min and max', async () => {
    assert.deepEqual(await underEach('a + 2', [1]), { 'a + 2 → -': -1, 'a + 2: 2 → 3': 4 });
    assert.deepEqual(await underEach('a + 1', [1]), { 'a + 1 → -': 0, 'a + 1: 1 → 2': 3, 'a + 1: 1 → 0': 1 });
    assert.deepEqual(await underEach('[500]', []), { '[500]: 500 → 5000': [5_000], '[500]: 500 → 50': [50] });
    assert.deepEqual(await underEach('[true]', []), { '[true]: true → false': [false] });
    assert.deepEqual(await underEach('-a', [1]), { '-a → without its sign': 1 });
    assert.deepEqual(await underEach('Math.max(a, b)', [1, 2]), { 'Math.max → Math.min': 1 });
    assert.deepEqual(await underEach('a + "x"', ['y']), {}, 'texts are joined, not added');
    assert.deepEqual(await underEach('(a as 5)', [1]), {}, 'a type has no value');
  });

  it('are told from those that could make no difference', async () => {
    assert.deepEqual(await noticed('a < b', [1, 2]), ['a < b → >=']);
    assert.deepEqual(await noticed('a < b', [2, 2]), ['a < b → <=', 'a < b → >=']);
    assert.deepEqual(await noticed('a && b', [true, true]), []);
    assert.deepEqual(await noticed('a && b', [true, false]), ['a && b → ||']);
    assert.deepEqual(await noticed('a && b', [false, true]), ['a && b → ||']);
    assert.deepEqual(await noticed('a || b', [false, false]), []);
    assert.deepEqual(await noticed('a ?? b', [null, 1]), ['a ?? b → without its default']);
    assert.equal(
      (await mutantsOf('a && (b ?? c)')).recorded(true, undefined, 3),
      3,
      'it gives what it is a copy of',
    );
  });

  it('that never end are told by their rounds', () => {
    const text = 'export const f = () => { for (let at = 0; at < 3; at++); };\n';
    const { textFor } = mutate({ path: 'x.ts', text }, 0, 'x');
    assert.equal(textFor('choose').split('++__m.ticks').length, 3, 'the function and its loop are counted');
    Object.assign(choice, { ticks: 0, ticksMax: 5 });
    assert.throws(() => {
      for (;;) if (++choice.ticks > choice.ticksMax) choice.over();
    }, /runs on and on/);
    assert.equal(choice.isOver, true);
    Object.assign(choice, { ticksMax: Number.POSITIVE_INFINITY, isOver: false });
  });

  it('that were killed stay so, where that is trusted, through changes of tests and of other lines', () => {
    const root = mkdtempSync(join(tmpdir(), 'cuadro-store-'));
    try {
      for (const folder of DECISIVE) mkdirSync(join(root, folder), { recursive: true });
      const load = { root, tests: [], seeds: 0, files: new Map(), mutants: 2 };
      const mutant = {
        id: 0,
        file: 'x.ts',
        line: 3,
        lineText: 'if (a) b();',
        change: 'a → its negation',
        ordinal: 0,
      };
      const killed = { state: 'killed', by: 'a test', error: 'x' } as const;
      new Store(load).keep(mutant, 'text', killed);
      const survivor = { ...mutant, ordinal: 1 };
      new Store(load).keep(survivor, 'text', { state: 'survived', tests: 1, seeds: 0 });
      assert.deepEqual(new Store(load).verdictOf(mutant, 'text', false), killed);
      assert.equal(new Store(load).verdictOf(survivor, 'text', false)?.state, 'survived');
      writeFileSync(join(root, 'test/sim/new.ts'), '// Another test.');
      const moved = { ...mutant, line: 4 };
      assert.equal(new Store(load).verdictOf(moved, 'another text', false), undefined);
      assert.deepEqual(new Store(load).verdictOf(moved, 'another text', true), killed);
      assert.equal(new Store(load).verdictOf(survivor, 'text', true), undefined, 'a new test may kill it');
      const changed = { ...mutant, lineText: 'if (a) c();' };
      assert.equal(new Store(load).verdictOf(changed, 'text', true), undefined);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('that are argued stand in the text, and each argument is one sentence', () => {
    const files = mutateFiles(ROOT, mutatedPaths(ROOT));
    const known = readArguments();
    assert.deepEqual(
      staleArguments(
        [...files.values()].flatMap(({ mutants }) => mutants),
        known,
      ),
      [],
    );
    for (const { reason } of Object.values(known).flat()) assert.match(reason, /^\p{Lu}.*\.$/u);
    const gone = { 'node/src/core/order.ts': [{ line: 'x', changes: ['a → b'], reason: 'None.' }] };
    assert.equal(staleArguments([], gone).length, 1);
  });

  it('of one file are all killed but those that are argued, which all survive', async () => {
    const file = 'node/src/core/order.ts';
    const judged = await judgeFiles({
      root: ROOT,
      files: [file],
      tests: ['test/unit/core/order.test.ts'],
      seeds: 0,
      lanes: 2,
      again: false,
      isFresh: true,
    });
    const known = readArguments();
    const told = ({ mutant }: (typeof judged)[number]) => `${mutant.line}: ${mutant.change}`;
    const isArgued = ({ mutant }: (typeof judged)[number]) => argumentFor(mutant, known) !== undefined;
    assert.deepEqual(
      judged.filter(({ verdict }) => verdict.state === 'survived').map(told),
      judged.filter(isArgued).map(told),
    );
    assert.ok(judged.filter(({ verdict }) => verdict.state === 'killed').length > 30);
    assert.ok(judged.some(({ verdict }) => verdict.state === 'killed' && /on and on/.test(verdict.error)));
  });
});
