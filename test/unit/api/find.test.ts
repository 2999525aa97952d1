import assert from 'node:assert/strict';
import { it } from 'node:test';
import { findNode } from '../../../node/src/api/find.ts';
import { nodeView } from './fakes.ts';

it('tells which machines have a name in common, and finds each by its id', () => {
  const named = (peer: string, name: string) => ({ ...nodeView(), peer, name });
  const nodes = [named('12D3a', 'render'), named('12D3b', 'Render'), named('12D3c', 'attic')];
  const queries = { self: '12D3c', nodes: () => nodes };
  for (const [text, matches] of [
    ['render', '12D3a, 12D3b'],
    ['12D3', '12D3a, 12D3b, 12D3c'],
  ] as const)
    assert.throws(() => findNode(queries, text), {
      code: 'node-ambiguous',
      details: { node: text, matches },
    });
  assert.equal(findNode(queries, '12D3b'), '12D3b');
  assert.equal(findNode(queries, 'attic'), '12D3c');
  assert.throws(() => findNode(queries, 'cellar'), { code: 'node-not-found' });
});
