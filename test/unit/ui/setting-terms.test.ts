import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JOB_TYPES } from '@cuadro/protocol';
import type { z } from 'zod';
import { settingName, settingText } from '../../../ui/src/setting-terms.ts';

describe('the settings of a job on its page', () => {
  it('have a name each, of every job type', () => {
    for (const { settings } of JOB_TYPES.values())
      for (const setting of Object.keys((settings as unknown as z.ZodObject).shape))
        assert.notEqual(settingName(setting), setting, setting);
  });

  const table: [setting: string, value: unknown, text: string][] = [
    ['frames', '1-24', '1-24'],
    ['film', true, 'yes'],
    ['allowScripts', false, 'no'],
    ['rate', { numerator: 24, denominator: 1 }, '24 frames/s'],
    ['rate', { numerator: 30, denominator: 1.001 }, '29.97 frames/s'],
    ['rate', { numerator: 24 }, '{"numerator":24}'],
    ['rate', null, 'null'],
    ['resolutionPercent', 50, '50 %'],
    ['sleepMs', 4_000, '4 s'],
    ['failFrames', [3, 6], '3, 6'],
    ['args', ['in.png', 'a b'], '["in.png","a b"]'],
    ['samples', 64, '64'],
  ];
  for (const [setting, value, text] of table)
    it(`${setting}: ${text}`, () => assert.equal(settingText(setting, value), text));

  it('of a newer node are called as they are written', () => assert.equal(settingName('glow'), 'glow'));
});
