import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PlanView } from '@cuadro/protocol';
import { framesPlan } from '../core/farm.ts';

it('finds a negative frame by its number, as any other (its log, its detail)', () => {
  const view = new PlanView(framesPlan('-5-5'));
  assert.equal(view.find('frame -3'), 2);
  assert.equal(view.find('-3'), 2);
  assert.equal(view.find('frame-3'), 2);
});
