import { EXIT, type ExitCode, type SwarmComing, type SwarmView } from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { count, size, table } from '../text.ts';

/** `cuadro swarm`: how scenes and frames travel at the moment, as the dashboard's page shows it. */
export async function swarm({ client, output }: Context): Promise<ExitCode> {
  const view = await client().call('swarm', {});
  if (output.json) output.printJson(view);
  else for (const line of linesOf(output, view)) output.print(line);
  return EXIT.ok;
}

const rate = (bytesPerSecond: number): string => `${size(bytesPerSecond)}/s`;
const rateOrNone = (bytesPerSecond: number): string => (bytesPerSecond === 0 ? '–' : rate(bytesPerSecond));

function* linesOf(output: Output, view: SwarmView): Iterable<string> {
  const { machines, bundles, single } = view;
  yield table(
    output,
    ['MACHINE', 'RECEIVES', 'SENDS', 'COPIES TO GIVE', 'NOTE'],
    machines.map(({ name, here, told, receivesPerSecond, sendsPerSecond, copies, notes }) => [
      `${plain(name)}${here ? ' (here)' : ''}`,
      ...[rateOrNone(receivesPerSecond), rateOrNone(sendsPerSecond)],
      String(copies.results + copies.jobs + copies.logs),
      told ? plain(notes.join(' ')) : 'tells nothing',
    ]),
  );
  const heading = (text: string): string => `\n${output.style('dim', text)}`;
  if (bundles.length > 0) yield heading('SCENES');
  for (const { jobs, whole, coming } of bundles) {
    const names = jobs.map(({ order, name }) => `#${order} ${plain(name)}`).join(', ');
    yield `${names === '' ? 'of a job that has ended' : names}: whole on ${count(whole.machines, 'machine')}`;
    for (const each of coming) {
      yield `  ${plain(each.name)}: ${comingText(each)}`;
      if (each.why !== undefined) yield `  ${output.style('yellow', '!')} ${plain(each.why)}`;
    }
  }
  if (single.length > 0) yield heading('ON ONE MACHINE ONLY');
  for (const { order, name, results, scene, on } of single) {
    const what = [
      ...(scene ? ['the scene or the plan'] : []),
      ...(results > 0 ? [count(results, 'result')] : []),
    ];
    yield `#${order} ${plain(name)}: ${what.join(' and ')}${on.length === 0 ? '' : `, on ${plain(on.join(', '))}`}`;
  }
}

function comingText({ sizeBytes, doneBytes, files, doneFiles, from }: SwarmComing): string {
  const sources = from.map(({ name, bytesPerSecond }) => `${rate(bytesPerSecond)} from ${plain(name)}`);
  if (files === 0) return sources.join(', ') || 'about to come';
  const here = `${size(doneBytes)} of ${size(sizeBytes)}, ${count(files - doneFiles, 'file')} missing`;
  return [here, ...(sources.length === 0 ? ['nothing comes at the moment'] : sources)].join(', ');
}
