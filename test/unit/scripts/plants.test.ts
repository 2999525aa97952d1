import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { planted } from '../../sim/plants/planting.ts';
import { PLANTS } from '../../sim/plants/plants.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

describe('planted mistakes', () => {
  it('each have their one place in the sources as they are now, and leave a file that can be run', () => {
    for (const { also, ...plant } of PLANTS) {
      for (const edit of [plant, ...(also === undefined ? [] : [also])]) {
        const text = planted(plant.name, edit, readFileSync(resolve(ROOT, edit.file), 'utf8'));
        assert.ok(text.includes(edit.to), plant.name);
        assert.doesNotThrow(() => stripTypeScriptTypes(text), plant.name);
      }
    }
  });

  it('have names of their own', () => {
    assert.equal(new Set(PLANTS.map(({ name }) => name)).size, PLANTS.length);
  });

  it('each break a promise, or a rule that a checker watches', () => {
    const folder = resolve(ROOT, 'test/sim/checkers');
    const checkers = readdirSync(folder).map((name) => readFileSync(resolve(folder, name), 'utf8'));
    for (const { name, breaks } of PLANTS) {
      const isKnown =
        typeof breaks === 'number'
          ? breaks >= 1 && breaks <= 6
          : checkers.some((text) => text.includes(`'${breaks}'`));
      assert.ok(isKnown, `${name}: ${breaks}`);
    }
  });

  it('are refused where their place is gone, or is not the only one', () => {
    const edit = { file: 'x.ts', from: 'a < b', to: 'a > b' };
    assert.equal(planted('x', edit, 'if (a < b) c();'), 'if (a > b) c();');
    assert.throws(() => planted('x', edit, 'if (a <= b) c();'), /"x" has 0 places in x\.ts/);
    assert.throws(() => planted('x', edit, 'a < b || a < b'), /2 places/);
  });
});
