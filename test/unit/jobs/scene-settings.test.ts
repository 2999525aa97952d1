import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkChoices } from '../../../node/src/jobs/scene-settings.ts';
import { facts, trace } from '../scene/traces.ts';

describe('what is chosen of a scene', () => {
  const check = (settings: Record<string, unknown>): void =>
    checkChoices(trace(), facts({ cameras: ['Camera', 'Top'] }), settings);

  it('may be a camera that it has and a format that Blender writes', () => {
    check({});
    check({ camera: 'Top', format: 'OPEN_EXR' });
  });

  it('is refused where the scene has no such camera, with those that it has', () => {
    assert.throws(() => check({ camera: 'top' }), {
      code: 'settings-invalid',
      message: /the scene "Scene" has no camera "top"; it has "Camera", "Top"\./,
    });
    assert.throws(() => checkChoices(trace(), facts({ cameras: [] }), { camera: 'Top' }), /it has none\./);
  });

  it('is refused where Blender writes no such format, with those that it writes and no movie', () => {
    assert.throws(() => check({ format: 'BMPX' }), {
      code: 'settings-invalid',
      message: /this Blender writes no BMPX; it writes PNG, JPEG, OPEN_EXR\./,
    });
  });
});
