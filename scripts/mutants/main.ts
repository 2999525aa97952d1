/**
 * `npm run mutants`: changes every comparison, connective, condition and constant of the core and of what decides
 * merges, one at a time, and asks the unit tests and simulated farms to notice. Ends with code 1 where one survives that
 * survivors.json does not argue. `--file node/src/core/leases.ts` (again and again) judges only these files, `--sample N`
 * only so many mutants, the same each time; `--tests` names the test files that judge, `--seeds` how many farms do. What was judged before on the same sources and tests is not judged again;
 * `--again` trusts kills of earlier tests, too; `--fresh` trusts nothing.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Arguments, argumentFor, readArguments, staleArguments } from './argued.ts';
import type { Mutant } from './mutate.ts';
import { judgeFiles, type Judged, mutatedPaths, mutateFiles } from './run.ts';

/** Simulated farms that a mutant must get past, of those that can notice it at all. */
const SEEDS = 24;
/** The machine that the bars name has two cores. */
const LANES = 2;

/** The first so many by a hash of their place: the same each time, from everywhere. */
function sampleOf(count: number): (mutants: readonly Mutant[]) => Mutant[] {
  const rank = ({ file, lineText, change, ordinal }: Mutant): string =>
    createHash('sha256').update([file, lineText, change, ordinal].join('\n')).digest('hex');
  return (mutants) => {
    const ranked = mutants.map((mutant) => ({ mutant, at: rank(mutant) }));
    ranked.sort((a, b) => (a.at < b.at ? -1 : 1));
    return ranked
      .slice(0, count)
      .map(({ mutant }) => mutant)
      .sort((a, b) => a.id - b.id);
  };
}

export function describe({ mutant, verdict }: Judged): string {
  const { file, line, change, lineText } = mutant;
  const place = `${file}:${line}: ${change}`;
  if (verdict.state === 'killed') return `${place}: killed by ${verdict.by}`;
  const noticed =
    verdict.tests + verdict.seeds === 0
      ? 'nothing could notice it'
      : `${verdict.tests} tests and ${verdict.seeds} seeds could notice it`;
  return `${place} (${noticed})\n    ${lineText}`;
}

interface Counts {
  mutants: number;
  byTests: number;
  bySeeds: number;
  argued: number;
  open: number;
}

function countByFile(judged: readonly Judged[], known: Arguments): Map<string, Counts> {
  const files = new Map<string, Counts>();
  for (const { mutant, verdict } of judged) {
    const counts = files.get(mutant.file) ?? { mutants: 0, byTests: 0, bySeeds: 0, argued: 0, open: 0 };
    files.set(mutant.file, counts);
    counts.mutants += 1;
    if (verdict.state === 'killed') counts[verdict.by.startsWith('seed ') ? 'bySeeds' : 'byTests'] += 1;
    else counts[argumentFor(mutant, known) === undefined ? 'open' : 'argued'] += 1;
  }
  return files;
}

function report(judged: readonly Judged[], known: Arguments): number {
  const lines = [...countByFile(judged, known)].map(
    ([file, { mutants, byTests, bySeeds, argued, open }]) =>
      `${file}: ${mutants} mutants, ${byTests} killed by tests, ${bySeeds} by simulated farms, ${argued} argued, ${open} open`,
  );
  console.log(lines.join('\n'));
  const isOpen = ({ mutant, verdict }: Judged): boolean =>
    verdict.state === 'survived' && argumentFor(mutant, known) === undefined;
  const open = judged.filter(isOpen);
  for (const one of open) console.log(`✖ ${describe(one)}`);
  // One text may stand in several places, of which some can be told.
  const placeOf = ({ mutant: { file, lineText, change } }: Judged): string =>
    [file, lineText, change].join('\n');
  const surviving = new Set(judged.filter(({ verdict }) => verdict.state === 'survived').map(placeOf));
  const needless = judged.filter(
    (one) => !surviving.has(placeOf(one)) && argumentFor(one.mutant, known) !== undefined,
  );
  for (const one of needless) console.log(`✖ argued, but ${describe(one)}`);
  const killed = judged.filter(({ verdict }) => verdict.state === 'killed').length;
  console.log(
    `${judged.length} mutants: ${killed} killed, ${judged.length - killed - open.length} argued, ${open.length} open.`,
  );
  return open.length + needless.length;
}

async function main(root: string): Promise<number> {
  const { values } = parseArgs({
    options: {
      file: { type: 'string', multiple: true },
      sample: { type: 'string' },
      seeds: { type: 'string', default: String(SEEDS) },
      lanes: { type: 'string', default: String(LANES) },
      again: { type: 'boolean', default: false },
      tests: { type: 'string', multiple: true },
      fresh: { type: 'boolean', default: false },
    },
  });
  const judged = await judgeFiles({
    root,
    files: mutatedPaths(root),
    seeds: Number(values.seeds),
    ...(values.tests !== undefined && { tests: values.tests }),
    lanes: Number(values.lanes),
    again: values.again,
    isFresh: values.fresh,
    choose: (all) => {
      const within = all.filter(({ file }) => values.file === undefined || values.file.includes(file));
      return values.sample === undefined ? within : sampleOf(Number(values.sample))(within);
    },
    tell: (one, done, of) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of} `);
      if (one.verdict.state === 'survived') console.log(`survived: ${describe(one)}`);
    },
  });
  const known = readArguments();
  const everything = [...mutateFiles(root, mutatedPaths(root)).values()].flatMap(({ mutants }) => mutants);
  const stale = staleArguments(everything, known);
  for (const sentence of stale) console.log(`✖ ${sentence}`);
  return report(judged, known) + stale.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(resolve(import.meta.dirname, '../..'));
