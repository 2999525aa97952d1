import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { checkModel, isAsExpected, missingForModels, MODEL_RUNS, verdictOf } from '../../scripts/model.ts';

const root = resolve(import.meta.dirname, '../..');
const models = join(root, 'test/model');
const missing = missingForModels();

describe('the models', () => {
  for (const one of MODEL_RUNS) {
    // Smaller bounds than those of `npm run model`, which searches some ten times the states.
    if (one.bounds === undefined) continue;
    it(`${one.model}, ${one.name}`, { skip: missing ?? false }, () => {
      const verdict = checkModel(root, one, one.bounds);
      assert.ok(isAsExpected(one, verdict), verdict.output);
    });
  }

  for (const model of readdirSync(models).filter((name) => name.endsWith('.pml'))) {
    it(`${model} names only functions that exist`, () => {
      const named = [...readFileSync(join(models, model), 'utf8').matchAll(/mirrors (\S+\.ts): (\w+)/g)];
      assert.ok(named.length >= 10, 'each step names what it mirrors');
      for (const [, file = '', name = ''] of named) {
        const source = readFileSync(join(root, file), 'utf8');
        assert.match(source, new RegExp(`(function |^  #?)${name}\\(`, 'm'), `${file} has no ${name}`);
      }
    });
  }

  it('each property of the models is violated by a planted fault', () => {
    for (const model of new Set(MODEL_RUNS.map((one) => one.model))) {
      const source = readFileSync(join(models, model), 'utf8');
      const asked = new Set(Array.from(source.matchAll(/\brequire\((\w+), /g), ([, name = '']) => name));
      asked.delete('property');
      const violated = MODEL_RUNS.filter((one) => one.model === model).map(({ violates }) => violates);
      assert.ok(asked.size >= 4, `${model} asks for something`);
      assert.deepEqual(
        [...asked].filter((name) => !violated.includes(name)),
        [],
        `nothing violates it in ${model}`,
      );
    }
  });

  it('a search that was cut short proves nothing', () => {
    const cut = verdictOf(
      'error: max search depth too small\nState-vector 9 byte, depth reached 5, errors: 0',
    );
    assert.equal(cut.complete, false);
    assert.equal(isAsExpected({ name: 'x', model: 'x', switches: [], bounds: [] }, cut), false);
  });
});
