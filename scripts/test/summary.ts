import type { FileResult, TestEnd } from './file-run.ts';

const SLOWEST = 10;

export interface Counts {
  tests: number;
  suites: number;
  pass: number;
  fail: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

/** Counts as node's own runner does: suites apart, a file that fails as a whole as one failed test. */
export function countTests(results: FileResult[]): Counts {
  const counts: Counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  for (const result of results) {
    for (const test of result.tests) {
      if (test.isSuite) {
        counts.suites += 1;
      } else {
        counts.tests += 1;
        counts[test.outcome] += 1;
      }
    }
    if (result.trouble !== undefined || hasOnlySuiteFailures(result)) {
      counts.tests += 1;
      counts.fail += 1;
    }
  }
  return counts;
}

/** A hook that throws fails its suite and perhaps no test: that must not pass unseen. */
function hasOnlySuiteFailures(result: FileResult): boolean {
  const failed = result.tests.filter((test) => test.outcome === 'fail' || test.outcome === 'cancelled');
  return failed.length > 0 && failed.every((test) => test.isSuite);
}

/** The lines for one finished file: its outcome, its failures in full, its skips with their reasons, and what its tests told. */
export function describeFile(result: FileResult): string {
  const failed = failuresOf(result);
  const bad = failed.length > 0 || result.trouble !== undefined;
  const count = result.tests.filter((test) => !test.isSuite).length;
  const lines = [
    `${bad ? '✖' : '✔'} ${result.file} (${count} ${count === 1 ? 'test' : 'tests'}, ${seconds(result.ms)})`,
  ];
  for (const test of result.tests) {
    if (test.outcome !== 'skipped' && test.outcome !== 'todo') continue;
    const word = test.outcome === 'skipped' ? 'SKIP' : 'TODO';
    lines.push(`  ﹣ ${test.name} # ${word} ${test.reason || '(no reason given)'}`);
  }
  for (const text of result.told) lines.push(`  ℹ ${text}`);
  for (const test of failed)
    lines.push(`  ✖ ${test.name} (${result.file}:${test.line})`, indent(test.error, 4));
  if (result.trouble !== undefined) lines.push(`  ✖ ${result.file}: ${result.trouble}.`);
  if (bad && result.output.trim() !== '') lines.push('  it printed:', indent(result.output.trimEnd(), 4));
  return lines.filter((line) => line.trim() !== '').join('\n');
}

function failuresOf(result: FileResult): TestEnd[] {
  return result.tests.filter(
    (test) => (test.outcome === 'fail' || test.outcome === 'cancelled') && test.error !== '',
  );
}

/** What ends the run: the slowest tests, the failures once more by name, and node's own closing lines. */
export function describeRun(results: FileResult[], counts: Counts, durationMs: number): string {
  const lines: string[] = [];
  const timed = results.flatMap((result) => {
    // Only the innermost level counts: a test that waits for its subtests is not slow by itself.
    const leaves = result.tests.filter((test, index) => !test.isSuite && !holdsSubtests(result.tests, index));
    return leaves.map((test) => ({ file: result.file, test }));
  });
  timed.sort((a, b) => b.test.ms - a.test.ms);
  lines.push('', `The ${Math.min(SLOWEST, timed.length)} slowest tests:`);
  for (const { file, test } of timed.slice(0, SLOWEST))
    lines.push(`  ${seconds(test.ms).padStart(8)}  ${test.name} (${file}:${test.line})`);
  const costly = results.filter(({ cpuMs = 0 }) => cpuMs > 0);
  costly.sort((a, b) => (b.cpuMs ?? 0) - (a.cpuMs ?? 0));
  if (costly.length > 0) {
    const sumMs = costly.reduce((sum, { cpuMs = 0 }) => sum + cpuMs, 0);
    lines.push('', `Of ${seconds(sumMs)} of processor time, most went to:`);
    for (const { file, cpuMs = 0 } of costly.slice(0, SLOWEST))
      lines.push(`  ${seconds(cpuMs).padStart(8)}  ${file}`);
  }
  const bad = results.filter((result) => failuresOf(result).length > 0 || result.trouble !== undefined);
  if (bad.length > 0) lines.push('', 'Failed:');
  for (const result of bad) {
    for (const test of failuresOf(result)) lines.push(`  ✖ ${test.name} (${result.file}:${test.line})`);
    if (result.trouble !== undefined) lines.push(`  ✖ ${result.file}: ${result.trouble}.`);
  }
  lines.push('');
  for (const [name, value] of Object.entries(counts)) lines.push(`ℹ ${name} ${value}`);
  lines.push(`ℹ duration_ms ${durationMs.toFixed(3)}`);
  return lines.join('\n');
}

/** Tests are reported after their subtests, which stand before them one level deeper. */
function holdsSubtests(tests: TestEnd[], index: number): boolean {
  const before = tests[index - 1];
  const own = tests[index];
  return before !== undefined && own !== undefined && before.nesting > own.nesting;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function indent(text: string, width: number): string {
  return text.replaceAll(/^/gm, ' '.repeat(width));
}
