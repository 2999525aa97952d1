/**
 * `npm run sim:plants [-- WORD…]`: puts each planted mistake, or those whose name holds a word, into a copy of the
 * sources and runs the simulator on it until it finds something. Ends with code 1 where it finds nothing.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Edit, PLANTS, type Plant } from './plants.ts';

/** No plant may hold up the others: a mistake may make a run endless. */
const LIMIT_MS = 240_000;

const root = resolve(import.meta.dirname, '../../..');

/** A copy of all that the simulator runs; the packages are those of the house. */
function copySources(): string {
  const copy = mkdtempSync(join(tmpdir(), 'cuadro-plants-'));
  for (const folder of ['protocol', 'node', 'test/sim'])
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
  return copy;
}

/** Puts a change into the copy; what comes back takes it out again. */
function edit(copy: string, name: string, { file, from, to }: Edit): () => void {
  const path = join(copy, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`"${name}" has no place in ${file} any more.`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  return () => writeFileSync(path, text);
}

/** What the simulator says about it; undefined where it finds nothing, or not in time. */
function tryPlant(copy: string, plant: Plant): string | undefined {
  const { name, also, within } = plant;
  const takenOut = [edit(copy, name, plant), ...(also === undefined ? [] : [edit(copy, name, also)])];
  try {
    const { stdout, status } = spawnSync(
      process.execPath,
      [join(copy, 'test/sim/main.ts'), '--seeds', String(within), '--until-failure'],
      { cwd: copy, encoding: 'utf8', timeout: LIMIT_MS },
    );
    if (status === 0 || status === null) return undefined;
    return stdout.split('\n')[0] || 'the program ends';
  } finally {
    for (const takeOut of takenOut) takeOut();
  }
}

const words = process.argv.slice(2);
const chosen = PLANTS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const copy = copySources();
let missed = 0;
try {
  for (const plant of chosen) {
    const found = tryPlant(copy, plant);
    if (found === undefined) missed += 1;
    console.log(
      `${found === undefined ? '✖' : '✔'} ${plant.name}: ${(found ?? `not within ${plant.within} seeds`).slice(0, 160)}`,
    );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${chosen.length - missed} of ${chosen.length} planted mistakes found.`);
process.exitCode = missed === 0 && chosen.length > 0 ? 0 : 1;
