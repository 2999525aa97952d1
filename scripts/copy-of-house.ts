import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Our own packages, which a copy holds itself; all others are those of the house. */
const OWN = ['protocol', 'node'];

/** A copy of our sources with these folders of tests, in a new folder: mistakes can be put into it and run. */
export function copyOfHouse(
  root: string,
  init: { readonly label: string; readonly tests: readonly string[] },
): string {
  const copy = mkdtempSync(join(tmpdir(), `cuadro-${init.label}-`));
  for (const folder of [...OWN, ...init.tests])
    cpSync(join(root, folder), join(copy, folder), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  mkdirSync(join(copy, 'node_modules', '@cuadro'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== '@cuadro') symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
  for (const name of OWN) symlinkSync(join(copy, name), join(copy, 'node_modules', '@cuadro', name));
  return copy;
}
