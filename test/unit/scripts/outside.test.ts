import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { isSyntaxNode, projectFiles, type SourceFile, walkSyntax } from '../../../scripts/check/sources.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const CHECKERS = 'test/sim/checkers/';
/** Bytes to records, and where these stand: how disks are read. What decides anything the checkers have of their own. */
const READING: ReadonlySet<string> = new Set(['decode', 'encode', 'recordKey']);

/** Names that a file takes from others to run, by where it takes them from; types decide nothing. */
function takenBy(source: SourceFile): { from: string; name: string }[] {
  const taken: { from: string; name: string }[] = [];
  walkSyntax(source, (node) => {
    if (!/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$/.test(node.type)) return;
    const { source: literal, specifiers } = node;
    const from = isSyntaxNode(literal) ? literal['value'] : undefined;
    if (typeof from !== 'string' || [node['importKind'], node['exportKind']].includes('type')) return;
    const named = Array.isArray(specifiers) ? specifiers.filter(isSyntaxNode) : [];
    // All of it where no names are given.
    if (named.length === 0) taken.push({ from, name: '*' });
    for (const specifier of named) {
      const { imported, importKind } = specifier;
      if (importKind === 'type') continue;
      taken.push({ from, name: isSyntaxNode(imported) ? String(imported['name']) : '*' });
    }
  });
  return taken;
}

/** What of the product runs in these files and in all that they take from the simulator. */
function productIn(files: readonly SourceFile[]): string[] {
  const reached = new Map(files.map((file) => [file.path, file]));
  const found: string[] = [];
  for (const [path, file] of reached) {
    for (const { from, name } of takenBy(file)) {
      const target = from.startsWith('.') ? posix.join(posix.dirname(path), from) : from;
      if (target.startsWith('test/sim/')) {
        const text = readFileSync(join(ROOT, target), 'utf8');
        if (!reached.has(target)) reached.set(target, { path: target, text });
      } else if (!target.startsWith('node:') && !(target === '@cuadro/protocol' && READING.has(name)))
        found.push(`${path}: ${name} of ${target}`);
    }
  }
  return found;
}

describe('the checkers of the simulator', () => {
  it('run no code of what they judge, but what reads a disk', () => {
    const paths = projectFiles(ROOT).filter((path) => path.startsWith(CHECKERS));
    assert.ok(paths.length > 10, `${paths.length} files`);
    const files = paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
    assert.deepEqual(productIn(files), []);
  });

  it('would be found where they did', () => {
    const text = [
      "import { compareEpochs, type Message } from '@cuadro/protocol';",
      "import type { Core } from '../../../node/src/core/interface.ts';",
      "import { decode } from '@cuadro/protocol';",
      "import { isHeld } from './rules.ts';",
      "import * as all from '../../../node/src/core/options.ts';",
      "import { leftMs } from '../bound.ts';",
    ].join('\n');
    const found = productIn([{ path: `${CHECKERS}x.ts`, text }]);
    assert.deepEqual(found.slice(0, 2), [
      `${CHECKERS}x.ts: compareEpochs of @cuadro/protocol`,
      `${CHECKERS}x.ts: * of node/src/core/options.ts`,
    ]);
    assert.ok(found.includes('test/sim/bound.ts: defaultOptions of node/src/core/options.ts'));
  });
});
