import type { WorkingHours } from './records.ts';

/** Hours of the week in which a machine works: as people write them, and as the machine's own clock judges them. */

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const DAY_MINUTES = 1_440;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** Minutes since Monday 00:00 by the clock of the machine that asks. */
export function minuteOfWeek(at: Date): number {
  return ((at.getDay() + 6) % 7) * DAY_MINUTES + at.getHours() * 60 + at.getMinutes();
}

/** Whether a machine of these hours works at this minute of the week. Without hours, or without any span, always. */
export function isWithinHours(hours: WorkingHours | undefined, minute: number): boolean {
  if (hours === undefined || hours.spans.length === 0) return true;
  return hours.spans.some(({ start, end }) =>
    // A span that ends before it starts goes over the end of the week.
    start < end ? minute >= start && minute < end : minute >= start || minute < end,
  );
}

/**
 * Reads `Mon-Fri 19:00-07:00, Sat Sun`: days and times, parts with commas between. Without days it is every day,
 * without times the whole day; a time that ends before it starts goes over midnight. Undefined where it is none.
 */
export function parseHours(text: string): WorkingHours | undefined {
  const spans: WorkingHours['spans'] = [];
  for (const part of text.split(',')) {
    const words = part
      .trim()
      .replaceAll('–', '-')
      .replace(/\s*-\s*/g, '-')
      .split(/\s+/)
      .filter(Boolean);
    const last = words.at(-1) ?? '';
    const times = /\d/.test(last) ? parseTimes(last) : { start: 0, length: DAY_MINUTES };
    const named = /\d/.test(last) ? words.slice(0, -1) : words;
    const days = named.length === 0 ? [...DAYS.keys()] : named.flatMap((word) => parseDays(word) ?? [-1]);
    if (words.length === 0 || times === undefined || days.includes(-1)) return undefined;
    for (const day of days) {
      const start = day * DAY_MINUTES + times.start;
      const end = start + times.length;
      spans.push({ start, end: end > WEEK_MINUTES ? end - WEEK_MINUTES : end });
    }
  }
  return { spans };
}

function parseDays(word: string): number[] | undefined {
  const [first, last, ...more] = word.split('-').map((name) => {
    const short = name.slice(0, 3).toLowerCase();
    return name.length < 3 ? -1 : DAYS.findIndex((day) => day.toLowerCase() === short);
  });
  if (first === undefined || first < 0 || more.length > 0 || (last !== undefined && last < 0))
    return undefined;
  const days = [first];
  for (let day = first; last !== undefined && day !== last; days.push(day)) day = (day + 1) % DAYS.length;
  return days;
}

/** `19:00-07:00`, `9-17`. */
function parseTimes(word: string): { start: number; length: number } | undefined {
  const match = /^(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?$/.exec(word);
  if (match === null) return undefined;
  const start = Number(match[1]) * 60 + Number(match[2] ?? 0);
  const end = Number(match[3]) * 60 + Number(match[4] ?? 0);
  const wrong =
    start >= DAY_MINUTES || end > DAY_MINUTES || Number(match[2] ?? 0) > 59 || Number(match[4] ?? 0) > 59;
  if (wrong) return undefined;
  return { start, length: end > start ? end - start : end - start + DAY_MINUTES };
}

/** The same in words: `Mon–Fri 19:00–07:00, Sat–Sun`; empty for always. */
export function formatHours(hours: WorkingHours | undefined): string {
  const spans = [...(hours?.spans ?? [])].sort((a, b) => a.start - b.start);
  const groups: { days: number[]; times: string }[] = [];
  for (const { start, end } of spans) {
    const day = Math.floor(start / DAY_MINUTES) % DAYS.length;
    const times = timesOf(start, end);
    const known = groups.find((group) => group.times === times && group.days.at(-1) === day - 1);
    if (known === undefined) groups.push({ days: [day], times });
    else known.days.push(day);
  }
  return groups.map(({ days, times }) => [daysOf(days), times].filter(Boolean).join(' ')).join(', ');
}

function daysOf(days: readonly number[]): string {
  const name = (day: number | undefined): string => DAYS[day ?? 0] ?? '';
  return days.length === 1 ? name(days[0]) : `${name(days[0])}–${name(days.at(-1))}`;
}

/** Nothing for a whole day. Longer spans, which people don't write, name the day on which they end. */
function timesOf(start: number, end: number): string {
  const length = (end - start + WEEK_MINUTES) % WEEK_MINUTES || WEEK_MINUTES;
  if (length === DAY_MINUTES && start % DAY_MINUTES === 0) return '';
  const endDay = length > DAY_MINUTES ? `${DAYS[Math.floor(end / DAY_MINUTES) % DAYS.length]} ` : '';
  return `${clock(start)}–${endDay}${clock(end)}`;
}

function clock(minute: number): string {
  const ofDay = minute % DAY_MINUTES;
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${two(Math.floor(ofDay / 60))}:${two(ofDay % 60)}`;
}
