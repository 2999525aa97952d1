import type { Finding, SourceFile } from './sources.ts';

/** No file is longer: what does not fit has a second responsibility that deserves a name. */
const LINE_LIMIT = 400;

/** Everything that may stand at the top level (DESIGN.md section 2, and what the tools demand). */
const TOP_LEVEL = new Set(
  [
    'package.json protocol node ui scripts test README.md LICENSE',
    'package-lock.json tsconfig.json biome.json .ci .gitignore .gitattributes .oxlintrc.json',
  ].flatMap((line) => line.split(' ')),
);

/** Objects to source files over the limit of lines. */
export function checkLength(sources: SourceFile[]): Finding[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    if (lines <= LINE_LIMIT) return [];
    return [
      {
        file: path,
        line: LINE_LIMIT + 1,
        sentence: `This file has ${lines} lines; ${LINE_LIMIT} are the limit: divide it.`,
      },
    ];
  });
}

/** Objects to entries at the top level that the plan of the house does not know. */
export function checkTopLevel(paths: string[]): Finding[] {
  const entries = new Set(paths.map((path) => path.split('/')[0] ?? path));
  return [...entries]
    .filter((entry) => !TOP_LEVEL.has(entry))
    .map((entry) => ({
      file: entry,
      line: 0,
      sentence: `${entry} may not stand at the top level, which DESIGN.md section 2 fixes.`,
    }));
}

/** Objects to a lock file that names where packages come from: each machine has its own registry. */
export function checkLockFile(lock: SourceFile): Finding[] {
  return lock.text.split('\n').flatMap((line, index) => {
    const url = /"(?:resolved|registry)":\s*"([^"]*:\/\/[^"]*)"/.exec(line)?.[1];
    if (url === undefined) return [];
    return [
      {
        file: lock.path,
        line: index + 1,
        sentence: `The lock file names a host (${url}): write it with omit-lockfile-registry-resolved.`,
      },
    ];
  });
}

export interface RuleCheck {
  findings: Finding[];
  /** Rules that no test cites, as `R12`. */
  uncited: string[];
}

/** Objects to citations of rules that SPEC.md does not have, and to rules that it numbers twice. */
export function checkRules(spec: SourceFile, tests: SourceFile[]): RuleCheck {
  const findings: Finding[] = [];
  const rules = new Set<string>();
  for (const [index, line] of spec.text.split('\n').entries()) {
    for (const match of line.matchAll(/\*\*(R\d+)\.(?: [^*]+)?\*\*/g)) {
      const rule = match[1] ?? '';
      if (rules.has(rule))
        findings.push({ file: spec.path, line: index + 1, sentence: `Rule ${rule} is numbered twice.` });
      rules.add(rule);
    }
  }
  const cited = new Set<string>();
  for (const test of tests) {
    for (const [index, line] of test.text.split('\n').entries()) {
      for (const [rule] of line.matchAll(/\bR\d+\b/g)) {
        cited.add(rule);
        if (!rules.has(rule))
          findings.push({ file: test.path, line: index + 1, sentence: `${spec.path} has no rule ${rule}.` });
      }
    }
  }
  return { findings, uncited: [...rules].filter((rule) => !cited.has(rule)) };
}
