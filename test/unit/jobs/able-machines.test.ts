import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ableMachines, versionToUse } from '../../../node/src/jobs/able-machines.ts';
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

test('a job of a farm with older Blenders keeps to one that is new enough, the most common', () => {
  const farm = (...versions: string[]) => versions.map((blenderVersion) => ({ ...laptop, blenderVersion }));
  const cases: [[number, number, number], string[], string | undefined][] = [
    [[4, 5, 0], ['3.4.1', '4.5.2', '4.5.15', '4.5.15', '5.0.1'], '4.5.15'],
    [[4, 5, 3], ['3.4.1', '4.5.2'], '4.5.2'],
    [[4, 2, 0], ['4.10.0', '4.1.9'], '4.10.0'],
    [[3, 4, 1], ['3.4.1', '4.5.2'], undefined],
    [[5, 0, 0], ['3.4.1', '4.5.2'], undefined],
    [[4, 5, 0], [], undefined],
  ];
  for (const [savedWith, versions, expected] of cases)
    assert.equal(
      versionToUse(savedWith, farm(...versions)),
      expected,
      `${savedWith.join('.')} of ${versions.join()}`,
    );
});
