/**
 * `npm run fuzz -- --coverage [--inputs N]`: which lines of the decoders' sources their inputs reach, by V8's own
 * counts of blocks. Ends with code 1 below the bar.
 */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { stripTypeScriptTypes } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const LINES_SHARE_MIN = 0.9;
const ROOT = resolve(import.meta.dirname, '../..');

interface Block {
  startOffset: number;
  endOffset: number;
  count: number;
}
interface FunctionBlocks {
  functionName: string;
  ranges: Block[];
}

interface Source {
  file: string;
  /** Only these; all of the file where it is undefined. */
  functions: Set<string> | undefined;
}

interface Line {
  /** Counted from 1. */
  number: number;
  start: number;
  end: number;
}

/** Lines that hold code once types and comments are gone; both leave blanks, so that places stay the same. */
function linesOf(text: string): Line[] {
  const code = stripTypeScriptTypes(text, { mode: 'strip' }).replace(
    /\/\*[^]*?\*\/|^\s*\/\/.*$/gm,
    (comment) => comment.replace(/[^\n]/g, ' '),
  );
  let start = 0;
  const lines: Line[] = [];
  for (const [index, line] of code.split('\n').entries()) {
    const first = line.search(/\S/);
    if (first >= 0 && /[\w]/.test(line))
      lines.push({ number: index + 1, start: start + first, end: start + line.trimEnd().length });
    start += line.length + 1;
  }
  return lines;
}

/** Whether a line ran: of the blocks that hold all of it, the innermost decides. */
function hasRun({ start, end }: Line, functions: readonly FunctionBlocks[]): boolean {
  let inner: Block | undefined;
  for (const { ranges } of functions) {
    for (const block of ranges) {
      if (block.startOffset > start || block.endOffset < end) continue;
      if (inner === undefined || block.endOffset - block.startOffset < inner.endOffset - inner.startOffset)
        inner = block;
    }
  }
  return inner === undefined || inner.count > 0;
}

function within(
  { start, end }: Line,
  names: Set<string> | undefined,
  functions: readonly FunctionBlocks[],
): boolean {
  if (names === undefined) return true;
  return functions.some(({ functionName, ranges: [whole] }) => {
    return (
      whole !== undefined && names.has(functionName) && whole.startOffset <= start && end <= whole.endOffset
    );
  });
}

function merged(sources: readonly (string | { file: string; functions: readonly string[] })[]): Source[] {
  const all = new Map<string, Source>();
  for (const source of sources) {
    const file = typeof source === 'string' ? source : source.file;
    const known = all.get(file);
    if (typeof source === 'string') all.set(file, { file, functions: undefined });
    else if (known === undefined) all.set(file, { file, functions: new Set(source.functions) });
    else for (const name of source.functions) known.functions?.add(name);
  }
  return [...all.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Reads so many inputs with each decoder and prints each source's share; resolves to an exit code. */
export async function measureCoverage(inputs: number, seed: number): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  // Only now: what is loaded before is not counted.
  const { DECODERS } = await import('./decoders.ts');
  const { runDecoder } = await import('./run.ts');
  let failed = 0;
  for (const decoder of DECODERS) {
    const { failures } = await runDecoder(decoder, { seed, inputs });
    for (const { input, why } of failures) console.log(`${decoder.name} fails: ${why}\n  input: ${input}`);
    failed += failures.length;
  }
  const { result } = await session.post('Profiler.takePreciseCoverage');
  session.disconnect();
  const scripts = new Map(
    result
      .filter(({ url }) => url.startsWith('file:'))
      .map(({ url, functions }) => [fileURLToPath(url), functions]),
  );
  let [all, ran] = [0, 0];
  for (const { file, functions: names } of merged(DECODERS.flatMap(({ sources }) => sources))) {
    const path = join(ROOT, file);
    const blocks = scripts.get(path) ?? [];
    const lines = linesOf(readFileSync(path, 'utf8')).filter((line) => within(line, names, blocks));
    const missed = lines.filter((line) => !hasRun(line, blocks));
    const share = lines.length === 0 ? 0 : 1 - missed.length / lines.length;
    const places = missed
      .slice(0, 12)
      .map(({ number }) => number)
      .join(' ');
    console.log(
      `${(100 * share).toFixed(1).padStart(6)} %  ${file}${names === undefined ? '' : ` (${[...names].join(', ')})`}${places === '' ? '' : `  not: ${places}${missed.length > 12 ? ' …' : ''}`}`,
    );
    all += lines.length;
    ran += lines.length - missed.length;
  }
  const share = ran / all;
  console.log(
    `${(100 * share).toFixed(1)} % of ${all} lines of the decoders ran; ${100 * LINES_SHARE_MIN} % are asked for.`,
  );
  return failed === 0 && share >= LINES_SHARE_MIN ? 0 : 1;
}
