import { EXIT, type ExitCode, type NightEvent, type NightView } from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { type Output, plain } from '../output.ts';

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const DEFAULT_HOURS = 12;

/** `cuadro night`: what happened, in the sentences that the dashboard shows, what needs a person first. */
export async function night(
  { client, output }: Context,
  options: { hours?: number; since?: string },
): Promise<ExitCode> {
  if (options.hours !== undefined && options.since !== undefined)
    throw new UsageError('Give --hours or --since, not both.');
  const hours =
    options.since === undefined ? (options.hours ?? DEFAULT_HOURS) : hoursSince(options.since, new Date());
  const view = await client().call('night', { query: { hours } });
  if (output.json) output.printJson(view);
  else for (const line of linesOf(output, view)) output.print(line);
  return EXIT.ok;
}

/** Hours since the last time that a clock showed this. */
export function hoursSince(text: string, now: Date): number {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  const [hour, minute] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)];
  if (!(hour <= 23 && minute <= 59)) throw new UsageError(`"${text}" is no time; write it like 22:00.`);
  const then = new Date(now);
  then.setHours(hour, minute, 0, 0);
  const hours = (now.getTime() - then.getTime()) / HOUR_MS;
  return Math.max(0.1, hours > 0 ? hours : hours + DAY_HOURS);
}

function* linesOf(
  output: Output,
  { summary, needs, jobs, machines, events, leftOut }: NightView,
): Iterable<string> {
  const heading = (text: string): string => `\n${output.style('dim', text)}`;
  yield plain(summary);
  if (needs.length > 0) yield heading('NEEDS YOU');
  for (const { sentence } of needs) yield `${output.style('yellow', '!')} ${plain(sentence)}`;
  if (jobs.length > 0) yield heading('JOBS');
  for (const { order, name, sentence } of jobs) yield `#${order} ${plain(name)}: ${plain(sentence)}`;
  yield heading('MACHINES');
  for (const { name, sentence } of machines) yield `${plain(name)}: ${plain(sentence)}`;
  yield heading('WHAT HAPPENED');
  if (leftOut > 0) yield `${leftOut} earlier events are left out.`;
  if (events.length === 0) yield 'Nothing.';
  let day = '';
  for (const event of events) {
    const date = new Date(event.at).toLocaleDateString();
    if (date !== day) yield output.style('dim', date);
    day = date;
    yield `${time(event.at)}  ${styled(output, event)}`;
  }
}

const time = (at: number): string =>
  new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });

const COLORS = { good: 'green', odd: 'yellow', bad: 'red' } as const;

function styled(output: Output, { tone, sentence }: NightEvent): string {
  const text = plain(sentence);
  return tone === 'note' ? text : output.style(COLORS[tone], text);
}
