import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';

/** One thing that a check objects to: where it stands, and one sentence that says what is wrong. */
export interface Finding {
  /** Path from the checkout's root, with forward slashes. */
  file: string;
  /** Line from 1; 0 when the finding is about the file as a whole. */
  line: number;
  sentence: string;
}

/** A file as a check sees it; tests make their own. */
export interface SourceFile {
  path: string;
  text: string;
}

/** A node of the syntax tree, as far as the checks look at it. */
export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

/** The line, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (
    let index = text.indexOf('\n');
    index !== -1 && index < position;
    index = text.indexOf('\n', index + 1)
  ) {
    line += 1;
  }
  return line;
}

/** `file:line: sentence`, which terminals and editors make clickable. */
export function formatFinding(finding: Finding): string {
  return `${finding.file}:${Math.max(1, finding.line)}: ${finding.sentence}`;
}

/** All files that belong to the checkout (tracked or about to be), without what git ignores. */
export function projectFiles(root: string): string[] {
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return [...new Set(listing.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .sort();
}

/** Reads those of `paths` that `wanted` accepts. */
export function readSources(root: string, paths: string[], wanted: RegExp): SourceFile[] {
  return paths
    .filter((path) => wanted.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** Visits every node of a file's syntax tree with its parent. A file that does not parse is left to tsc. */
export function walkSyntax(
  source: SourceFile,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined, key: string) => void,
): void {
  const { program } = parseSync(source.path, source.text);
  const descend = (value: unknown, parent: SyntaxNode | undefined, key: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) descend(item, parent, key);
    } else if (isSyntaxNode(value)) {
      visit(value, parent, key);
      for (const [name, child] of Object.entries(value)) {
        if (typeof child === 'object' && child !== null) descend(child, value, name);
      }
    }
  };
  descend(program, undefined, 'program');
}

export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
  );
}
