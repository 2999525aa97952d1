import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatHours, isWithinHours, minuteOfWeek, parseHours, type WorkingHours } from '@cuadro/protocol';
import fc from 'fast-check';

const WEEK = 10_080;

describe('hours as people write them', () => {
  const table: [text: string, written: string][] = [
    ['Mon-Fri 19:00-07:00, Sat-Sun', 'Mon–Fri 19:00–07:00, Sat–Sun'],
    ['19:00 - 7', 'Mon–Sun 19:00–07:00'],
    ['sat sunday 10:30-18:00', 'Sat–Sun 10:30–18:00'],
    ['Fri-Mon', 'Mon, Fri–Sun'],
    ['Tue 0:00-24:00', 'Tue'],
    ['Wed 09:00-17:00, Wed 20-22', 'Wed 09:00–17:00, Wed 20:00–22:00'],
    ['Sun 22:00-06:00', 'Sun 22:00–06:00'],
  ];
  for (const [text, written] of table) {
    test(text, () => assert.equal(formatHours(parseHours(text)), written));
  }
  for (const text of [
    '',
    'Mon,',
    'Foo 9-17',
    '25:00-26:00',
    '9:60-10',
    'Mon 9',
    'Mo 9-17',
    '9-17 Mon',
    'Mon-Tue-Wed',
  ]) {
    test(`not "${text}"`, () => assert.equal(parseHours(text), undefined));
  }
});

describe('R108: hours as the clock judges them', () => {
  const night = parseHours('Mon-Fri 19:00-07:00');
  const sunday = parseHours('Sun 22:00-06:00');
  const table: [hours: WorkingHours | undefined, at: string, works: boolean][] = [
    [undefined, '2026-11-23T12:00', true],
    [{ spans: [] }, '2026-11-23T12:00', true],
    [night, '2026-11-23T18:59', false],
    [night, '2026-11-23T19:00', true],
    [night, '2026-11-24T06:59', true],
    [night, '2026-11-24T07:00', false],
    // Saturday until 7: the night of Friday. Monday's morning belongs to Sunday, which has none.
    [night, '2026-11-28T06:00', true],
    [night, '2026-11-23T06:00', false],
    [sunday, '2026-11-22T23:00', true],
    [sunday, '2026-11-23T05:59', true],
    [sunday, '2026-11-23T06:00', false],
  ];
  for (const [hours, at, works] of table) {
    test(`${formatHours(hours) || 'always'} at ${at}: ${works ? 'works' : 'rests'}`, () => {
      assert.equal(isWithinHours(hours, minuteOfWeek(new Date(at))), works);
    });
  }
});

test('hours that were written and read again are the same minutes of the week', () => {
  const part = fc
    .record({ day: fc.nat(6), start: fc.nat(1_439), length: fc.integer({ min: 1, max: 1_440 }) })
    .map(({ day, start, length }) => {
      const from = day * 1_440 + start;
      return { start: from, end: from + length > WEEK ? from + length - WEEK : from + length };
    });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(WEEK - 1), (spans, minute) => {
      const again = parseHours(formatHours({ spans }));
      assert.equal(isWithinHours(again, minute), isWithinHours({ spans }, minute));
    }),
  );
});
