import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { carriedBody, carriedSettings, fieldsOf } from '../../../ui/src/data/submit-again.ts';
import { JOB_A, JOB_B } from '../api/fakes.ts';
import { jobView } from '../api/views.ts';

const job = jobView(JOB_A, 1, {
  name: 'shot 01',
  priority: 70,
  outputFolder: '/renders/shot 01',
  machineLimit: 3,
  after: [JOB_B, 'gone'],
  settings: {
    frames: '1-48',
    samples: 64,
    film: false,
    order: 'coarse-to-fine',
    allowScripts: false,
    engineVersion: '4.5.3',
    camera: 'Close',
    tags: ['gpu'],
    rate: { numerator: 25, denominator: 1 },
    sound: '_cuadro/sound.flac',
    renderEngine: 'CYCLES',
    denoiser: 'openimagedenoise',
    filmName: 'shot.mp4',
  },
  live: { running: 0, scene: '/scenes/shot.blend' },
});

describe('a job that is submitted once more', () => {
  test('fills the fields as it was', () => {
    assert.deepEqual(fieldsOf(job, true), {
      path: '/scenes/shot.blend',
      frames: '1-48',
      name: 'shot 01',
      samples: '64',
      percent: '',
      version: '4.5.3',
      priority: '70',
      output: '/renders/shot 01',
      film: false,
      coarse: true,
      scripts: false,
    });
  });

  test('has no output folder on a machine that is not its own', () => {
    const { output, path } = fieldsOf({ ...job, live: { running: 0 } }, false);
    assert.deepEqual([output, path], ['', '']);
  });

  test('takes along what has no field, but nothing that the scene says itself', () => {
    assert.deepEqual(carriedSettings(job), { camera: 'Close', tags: ['gpu'] });
  });

  test('takes along all settings of a type without a scene', () => {
    const command = {
      ...job,
      type: 'command',
      settings: { frames: '1-3', program: 'tool', order: 'sequential' },
    };
    assert.deepEqual(carriedSettings(command), { program: 'tool', order: 'sequential' });
  });

  test('waits only for jobs that have not ended', () => {
    const of = (awaited: string[]) => carriedBody(job, (id) => awaited.includes(id));
    assert.deepEqual(of([JOB_B]), { type: 'blender-animation', machineLimit: 3, after: [JOB_B] });
    assert.deepEqual(of([]), { type: 'blender-animation', machineLimit: 3 });
    assert.deepEqual(
      carriedBody({ ...job, machineLimit: 0 }, () => false),
      { type: 'blender-animation' },
    );
  });

  test('a first submission is filled with nothing', () => {
    assert.equal(fieldsOf(undefined, true).frames, '');
    assert.equal(fieldsOf(undefined, true).film, true);
    assert.deepEqual([carriedSettings(undefined), carriedBody(undefined, () => true)], [{}, {}]);
  });
});
