/** Picks the few lines of a Blender log that say why a frame failed. Pure. */

/** As many as fit a table row that was opened; a Python traceback's last frames fit too. */
const MAX_LINES = 8;
/** Longer lines are cut: paths are long, dumps of data are longer. */
const MAX_LENGTH = 400;

const NOISE =
  /^(Fra:-?\d+ Mem:|\[cuadro\]|Blender \d|Blender quit|Read prefs|Saved: |Time: |\s*$|found bundled python|Warning: property '|Color management: |Info: Total |Timer '|unregister)/;

/** Strongest first: what names the reason outright, then what sounds like trouble. */
const REASONS: readonly RegExp[] = [
  /bad_alloc|out of memory|cannot allocate|failed to allocate|malloc returns null/i,
  /segmentation fault|EXCEPTION_ACCESS|SIGSEGV|SIGABRT|abort|Writing: .*crash\.txt/i,
  /^(\w+\.)*\w*(Error|Exception|Interrupt)\b.*/,
  /\berror\b|\bfailed\b|\bfailure\b|unable to|cannot |can't |could not|not found|no camera|not a blend file|missing|denied|no such file|no space left/i,
];
const TRACEBACK_START = /^Traceback \(most recent call last\):/;
const TRACEBACK_BODY = /^\s/;

/** At most eight lines in the log's order, each once; the log's last words when nothing sounds like trouble. */
export function tellingLines(log: string | readonly string[]): string[] {
  const all = (typeof log === 'string' ? log.split(/\r?\n/) : log).map((line) => line.trimEnd());
  const lines = all.filter((line) => !NOISE.test(line));
  const ranks = rankLines(lines);
  const chosen = new Set<number>();
  const seen = new Set<string>();
  for (let rank = 0; rank <= REASONS.length; rank++) {
    // From the end: the last trouble is the nearest to the failure.
    for (let index = lines.length - 1; index >= 0 && chosen.size < MAX_LINES; index--) {
      const line = lines[index] as string;
      if (ranks[index] !== rank || seen.has(line)) continue;
      seen.add(line);
      chosen.add(index);
    }
  }
  const indices =
    chosen.size > 0 ? [...chosen].sort((a, b) => a - b) : lastIndices(lines.length, MAX_LINES / 2);
  return indices.map((index) => cut((lines[index] as string).trim()));
}

/** Rank per line, `REASONS.length` for the places inside a traceback, and one more for all the rest. */
function rankLines(lines: readonly string[]): number[] {
  let insideTraceback = false;
  return lines.map((line) => {
    if (TRACEBACK_START.test(line)) {
      insideTraceback = true;
      return REASONS.length + 1;
    }
    const body = insideTraceback && TRACEBACK_BODY.test(line);
    if (!body) insideTraceback = false;
    if (body) return REASONS.length;
    const rank = REASONS.findIndex((reason) => reason.test(line));
    return rank === -1 ? REASONS.length + 1 : rank;
  });
}

function lastIndices(length: number, count: number): number[] {
  const first = Math.max(0, length - count);
  return Array.from({ length: length - first }, (_, offset) => first + offset);
}

function cut(line: string): string {
  return line.length <= MAX_LENGTH ? line : `${line.slice(0, MAX_LENGTH - 1)}…`;
}
