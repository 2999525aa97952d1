import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Neighbours } from '../../../node/src/farm/neighbours.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';

it('asks where a neighbour is said to be now before all places at which it was', () => {
  const neighbours = new Neighbours(new ManualClock());
  const at = (index: number): string => `/ip4/10.0.0.${index}/tcp/7790`;
  for (let index = 1; index <= 20; index++)
    neighbours.remember('a', { lobby: [at(index)], mesh: [at(index)] });
  const [a] = neighbours.all();
  assert.equal(a?.lobby[0], at(20));
  assert.equal(a.mesh[0], at(20));
  neighbours.remember('a', { lobby: [at(19)], mesh: [] });
  assert.deepEqual(a.lobby.slice(0, 2), [at(19), at(20)]);
  assert.equal(a.mesh[0], at(20));
});
