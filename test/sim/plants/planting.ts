import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { copyOfHouse } from '../../../scripts/copy-of-house.ts';
import type { Edit, Plant } from './plant.ts';

/** No plant may hold up the others: a mistake may make a run endless. */
const LIMIT_MS = 900_000;

const PROGRAM = { farm: 'test/sim/main.ts', power: 'test/sim/power/main.ts' } as const;

const root = resolve(import.meta.dirname, '../../..');

/** What the simulator says about a planted mistake. */
export interface Finding {
  readonly plant: Plant;
  /** The first seed that shows it, and the promise that breaks; undefined where none does within the stated number. */
  readonly found: { readonly seed: number; readonly rule: string; readonly sentence: string } | undefined;
}

interface Seeds {
  readonly from: number;
  readonly count: number;
}

/** A copy of all that the simulator runs, into which mistakes are put; the packages are those of the house. */
export class Bed {
  readonly #copy = copyOfHouse(root, { label: 'plants', tests: ['test/sim'] });

  remove(): void {
    rmSync(this.#copy, { recursive: true, force: true });
  }

  /** Simulates farms with the mistake in them until one shows it. */
  async try(plant: Plant): Promise<Finding> {
    const edits = [plant, ...(plant.also === undefined ? [] : [plant.also])];
    const takenOut = edits.map((edit) => this.#edit(plant.name, edit));
    let found: Finding['found'];
    try {
      found = await this.#firstFailure(plant, { from: 1, count: plant.within });
    } finally {
      for (const takeOut of takenOut.reverse()) takeOut();
    }
    // A seed that fails anyhow proves nothing about the mistake.
    const anyhow = found && (await this.#firstFailure(plant, { from: found.seed, count: 1 }));
    if (anyhow !== undefined)
      throw new Error(`Seed ${anyhow.seed} fails without "${plant.name}" as well: ${anyhow.sentence}`);
    return { plant, found };
  }

  async #firstFailure(plant: Plant, seeds: Seeds): Promise<Finding['found']> {
    const { status, text } = await this.#simulate(plant, seeds);
    if (status === 0 || status === null) return undefined;
    const [first = ''] = text.split('\n');
    const told = /^seed (\d+): [^:]*: ([^:]+): (.*)$/.exec(first);
    if (told === null) throw new Error(`"${plant.name}" ends the simulator: ${text.slice(0, 2_000)}`);
    const [, seed, rule = '', sentence = ''] = told;
    return { seed: Number(seed), rule, sentence };
  }

  #simulate(
    { profile, simulator = 'farm' }: Plant,
    { from, count }: Seeds,
  ): Promise<{ status: number | null; text: string }> {
    const {
      promise,
      resolve: answer,
      reject,
    } = Promise.withResolvers<{ status: number | null; text: string }>();
    // Each was measured with clocks that never learn of a sleep.
    const wanted = simulator === 'farm' ? { addsSleep: false, ...profile } : profile;
    const child = spawn(
      process.execPath,
      [
        '--max-semi-space-size=64',
        join(this.#copy, PROGRAM[simulator]),
        ...['--from', String(from), '--seeds', String(count)],
        ...(wanted === undefined ? [] : ['--profile', JSON.stringify(wanted)]),
        '--until-failure',
      ],
      { cwd: this.#copy, timeout: LIMIT_MS, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    child.on('error', reject);
    child.on('close', (status) => answer({ status, text }));
    return promise;
  }

  /** Puts a change into the copy; what comes back takes it out again. */
  #edit(name: string, edit: Edit): () => void {
    const path = join(this.#copy, edit.file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, planted(name, edit, text));
    return () => writeFileSync(path, text);
  }
}

/** The text of a file with a plant's change in it. Throws where it has no place there, or several. */
export function planted(name: string, { file, from, to }: Edit, text: string): string {
  const places = text.split(from).length - 1;
  if (places !== 1) throw new Error(`"${name}" has ${places} places in ${file}.`);
  return text.replace(from, () => to);
}

/** Tries plants on so many beds at once, and tells each as soon as it is known. */
export async function tryAll(
  plants: readonly Plant[],
  init: { readonly beds: number; readonly tell?: (finding: Finding) => void },
): Promise<Finding[]> {
  const queue = [...plants];
  const findings: Finding[] = [];
  const work = async (): Promise<void> => {
    const bed = new Bed();
    try {
      for (let plant = queue.shift(); plant !== undefined; plant = queue.shift()) {
        const finding = await bed.try(plant);
        findings.push(finding);
        init.tell?.(finding);
      }
    } finally {
      bed.remove();
    }
  };
  await Promise.all(Array.from({ length: Math.min(init.beds, plants.length) }, work));
  return findings.sort((a, b) => plants.indexOf(a.plant) - plants.indexOf(b.plant));
}

/** What a mistake breaks, as a table says it: a promise by its number in DESIGN.md section 1, or a rule by its name. */
export const brokenBy = ({ breaks }: Pick<Plant, 'breaks'>): string =>
  typeof breaks === 'number' ? `promise ${breaks}` : breaks;

/** One line of the table: name, what it breaks, seed, and what the simulator says. */
export const row = ({ plant, found }: Finding): string =>
  found === undefined
    ? `✖ ${plant.name} (${brokenBy(plant)}) · not within ${plant.within} seeds`
    : `✔ ${plant.name} (${brokenBy(plant)}) · seed ${found.seed} of ${plant.within} · ${found.rule}: ${found.sentence.slice(0, 100)}`;
