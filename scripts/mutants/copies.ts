import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyOfHouse } from '../copy-of-house.ts';
import type { CopyMode, MutatedFile } from './mutate.ts';

/** What the unit tests of core and protocol and the simulator run beside the sources. */
const TESTS = ['test/sim', 'test/unit', 'test/contract'];

/** A copy of the sources in which the given files hold their mutants; the packages are those of the house. */
export function makeCopy(root: string, files: ReadonlyMap<string, MutatedFile>, mode: CopyMode): string {
  const copy = copyOfHouse(root, { label: 'mutants', tests: TESTS });
  for (const [path, { textFor }] of files) writeFileSync(join(copy, path), textFor(mode));
  return copy;
}

export function removeCopy(copy: string): void {
  rmSync(copy, { recursive: true, force: true });
}
