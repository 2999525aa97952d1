import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkChoices, completeSettings } from '../../../node/src/jobs/scene-settings.ts';
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

describe('the engine that a machine must have', () => {
  const asked = (engine: string) => completeSettings(facts({ engine }), {})['renderEngine'];

  it('is the scene’s', () => {
    assert.equal(asked('CYCLES'), 'CYCLES');
    assert.equal(asked('LUX'), 'LUX');
  });

  it('is none for Eevee, which each Blender has by the name of its time', () => {
    assert.equal(asked('BLENDER_EEVEE'), undefined);
    assert.equal(asked('BLENDER_EEVEE_NEXT'), undefined);
  });

  it('is what the user says', () => {
    const settings = completeSettings(facts({ engine: 'BLENDER_EEVEE' }), {
      renderEngine: 'BLENDER_EEVEE_NEXT',
    });
    assert.equal(settings['renderEngine'], 'BLENDER_EEVEE_NEXT');
  });
});
