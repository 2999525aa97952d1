import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ableMachines } from '../../../node/src/jobs/able-machines.ts';
import { preflight } from '../../../node/src/render/scene/preflight.ts';
import { facts, trace } from '../scene/traces.ts';

const laptop = { blenderVersion: '3.4.1', engines: ['CYCLES'], denoisers: [] };
const told = (capabilities: { blender?: string; denoisers?: string[] }, here = false) => ({
  here,
  live: {
    capabilities: {
      engines: { node: '1', ...(capabilities.blender !== undefined && { blender: capabilities.blender }) },
      renderEngines: ['CYCLES', 'LUX'],
      denoisers: capabilities.denoisers ?? [],
    },
  },
});

test('what another machine of the farm can do is no error of a scene', () => {
  const scene = facts({ engine: 'LUX', denoiser: 'OPENIMAGEDENOISE' });
  const judge = (nodes: Parameters<typeof ableMachines>[1]) =>
    preflight(trace({ scenes: [scene] }), {}, ableMachines([laptop], nodes)).map(({ code }) => code);
  assert.deepEqual(judge([]), ['engine-unavailable', 'denoiser-unavailable']);
  assert.deepEqual(judge([told({ blender: '3.4.1', denoisers: ['openimagedenoise'] })]), []);
  assert.deepEqual(judge([told({ blender: '3.4.1' })]), ['denoiser-unavailable']);
});

test('a machine without Blender, or that has told nothing yet, can do nothing, and this one counts once', () => {
  const nodes = [told({}), { here: false, live: {} }, told({ blender: '3.4.1' }, true)];
  assert.deepEqual(ableMachines([laptop], nodes), [laptop]);
  assert.deepEqual(ableMachines([], nodes), []);
});
