import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyMode, MutatedFile } from './mutate.ts';

/** All that the unit tests of core and protocol and the simulator run. */
const COPIED = ['protocol', 'node', 'test/sim', 'test/unit', 'test/contract'];

/** A copy of the sources in which the given files hold their mutants; the packages are those of the house. */
export function makeCopy(root: string, files: ReadonlyMap<string, MutatedFile>, mode: CopyMode): string {
  const copy = mkdtempSync(join(tmpdir(), 'cuadro-mutants-'));
  for (const folder of COPIED)
    cpSync(join(root, folder), join(copy, folder), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  mkdirSync(join(copy, 'node_modules', '@cuadro'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '@cuadro') symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
  for (const name of ['protocol', 'node'])
    symlinkSync(join(copy, name), join(copy, 'node_modules', '@cuadro', name));
  for (const [path, { textFor }] of files) writeFileSync(join(copy, path), textFor(mode));
  return copy;
}

export function removeCopy(copy: string): void {
  rmSync(copy, { recursive: true, force: true });
}
