import { EXIT, type ExitCode, type RetentionView } from '@cuadro/protocol';
import type { Context } from '../context.ts';
import { type Output, plain } from '../output.ts';
import { count, size, table } from '../text.ts';

/** `cuadro tidy`: shows what done and collected jobs keep in the stores, and frees it where a person agrees. */
export async function tidy(
  context: Context,
  { days = 0, yes }: { days?: number; yes?: boolean },
): Promise<ExitCode> {
  const { output, line } = context;
  const node = context.client();
  const plan = await node.call('retention', { query: { days } });
  const going = plan.jobs.filter(({ goes }) => goes).length;
  if (!output.json) printPlan(output, plan);
  const question = `Delete ${count(going, 'job')} from the farm? Collected files stay. [y/N] `;
  const agrees =
    yes === true || (going > 0 && !output.json && line.ask !== undefined && (await line.ask(question)));
  if (going === 0 || !agrees) {
    if (output.json) output.printJson(plan);
    else if (going > 0) output.note('Nothing was freed; --yes frees it.');
    return EXIT.ok;
  }
  const freed = await node.call('tidy', { body: { days }, signal: line.signal });
  if (output.json) {
    output.printJson(freed);
    return EXIT.ok;
  }
  const gone = freed.jobs.filter(({ goes }) => goes).length;
  output.print(`${count(gone, 'job')} deleted, ${size(freed.freesBytes)} freed on this machine.`);
  for (const { order, name, goes, why } of freed.jobs)
    if (!goes) output.note(`#${order} ${plain(name)} stays: ${plain(why ?? '')}`);
  return EXIT.ok;
}

function printPlan(output: Output, { jobs, freesBytes }: RetentionView): void {
  if (jobs.length === 0) {
    output.note('No job that was submitted here is done.');
    return;
  }
  const rows = jobs.map(({ order, name, sizeBytes, goes, why }) => [
    `#${order}`,
    size(sizeBytes),
    goes ? 'goes' : 'stays',
    plain(name),
    plain(why ?? ''),
  ]);
  output.print(table(output, ['#', 'KEEPS HERE', '', 'NAME', 'WHY'], rows));
  output.print(
    `${size(freesBytes)} would be freed on this machine, and as much on each other one that holds a copy.`,
  );
}
