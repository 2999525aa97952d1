/**
 * `npm run check`: format, lint, types and the rules of the house. Prints only what is wrong, each with its
 * place; ends with code 1 when anything is.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { checkArrows } from './check/arrows.ts';
import { checkLength, checkLockFile, checkRules, checkTopLevel } from './check/house.ts';
import { checkLoop } from './check/loop.ts';
import { checkPurity } from './check/purity.ts';
import { type Finding, formatFinding, projectFiles, readSources } from './check/sources.ts';

const SOURCES = /^(protocol|node|ui|scripts|test)\/.*\.(ts|js|mjs|py|css)$/;
const TYPESCRIPT = /\.ts$/;

interface Outcome {
  name: string;
  ok: boolean;
  output: string;
  ms: number;
}

/** Runs every check and prints its outcome. Resolves to whether all are content. */
export async function check(root: string): Promise<boolean> {
  const outcomes: Outcome[] = [];
  const report = (outcome: Outcome): void => {
    outcomes.push(outcome);
    console.log(`${outcome.ok ? '✔' : '✖'} ${outcome.name} (${(outcome.ms / 1000).toFixed(1)} s)`);
    if (outcome.output !== '') console.log(outcome.output);
  };
  const tools = [
    tool(root, 'format', '@biomejs/biome/bin/biome', ['format', '.', '--max-diagnostics=50']),
    tool(root, 'rules', 'oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '--format=unix']),
    tool(root, 'types', 'typescript/bin/tsc', ['-p', 'tsconfig.json']),
  ];
  if (existsSync(join(root, 'ui/tsconfig.json'))) {
    tools.push(
      tool(root, 'types of the dashboard', 'typescript/bin/tsc', ['-p', 'ui/tsconfig.json', '--noEmit']),
    );
  }
  report(house(root));
  for (const outcome of tools) report(await outcome);
  return outcomes.every((outcome) => outcome.ok);
}

function tool(root: string, name: string, script: string, args: string[]): Promise<Outcome> {
  const started = performance.now();
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) =>
      done({ name, ok: false, output: error.message, ms: performance.now() - started }),
    );
    child.on('close', (code) => {
      const ok = code === 0;
      done({ name, ok, output: ok ? '' : output.trim(), ms: performance.now() - started });
    });
  });
}

/** The rules that no tool knows, each a function of its own. */
function house(root: string): Outcome {
  const started = performance.now();
  const paths = projectFiles(root);
  const sources = readSources(root, paths, SOURCES);
  const typescript = sources.filter((source) => TYPESCRIPT.test(source.path));
  const findings: Finding[] = [
    ...checkTopLevel(paths),
    ...checkLength(sources),
    ...checkLockFile({
      path: 'package-lock.json',
      text: readFileSync(join(root, 'package-lock.json'), 'utf8'),
    }),
    ...checkArrows(typescript),
    ...checkPurity(typescript),
    ...checkLoop(typescript),
  ];
  const notes: string[] = [];
  if (existsSync(join(root, 'protocol/SPEC.md'))) {
    const spec = { path: 'protocol/SPEC.md', text: readFileSync(join(root, 'protocol/SPEC.md'), 'utf8') };
    const tests = typescript.filter((source) => /^test\/(?!unit\/scripts\/)/.test(source.path));
    const rules = checkRules(spec, tests);
    findings.push(...rules.findings);
    if (rules.uncited.length > 0)
      notes.push(`note: no test cites ${rules.uncited.join(', ')} of ${spec.path}.`);
  }
  const output = [...findings.map(formatFinding), ...notes].join('\n');
  return { name: 'house', ok: findings.length === 0, output, ms: performance.now() - started };
}

if (import.meta.main) {
  process.exitCode = (await check(resolve(import.meta.dirname, '..'))) ? 0 : 1;
}
