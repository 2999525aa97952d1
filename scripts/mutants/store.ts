import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant } from './mutate.ts';
import type { Observed, Workload } from './observe.ts';
import type { Verdict } from './verdicts.ts';

/** Folders whose every byte may change a verdict. */
export const DECISIVE = [
  'protocol/src',
  'node/src',
  'test/sim',
  'test/unit/core',
  'test/unit/protocol',
  'scripts/mutants',
];

interface Kept {
  readonly mutant: string;
  /** The same without what stands elsewhere in its file. */
  readonly place?: string;
  readonly fingerprint: string;
  readonly verdict: Verdict;
}

/** What is known from runs that were ended early, or came before a test was added. */
export class Store {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #killedBefore = new Map<string, Verdict>();

  constructor(load: Workload) {
    this.#folder = join(load.root, '.cache', 'mutants');
    this.#fingerprint = fingerprintOf(load);
    mkdirSync(this.#folder, { recursive: true });
    if (!existsSync(this.#path)) return;
    for (const line of readFileSync(this.#path, 'utf8').split('\n')) {
      // The last line of a run that was ended may be cut.
      if (!line.endsWith('}')) continue;
      this.#learn(JSON.parse(line) as Kept);
    }
  }

  get #path(): string {
    return join(this.#folder, 'verdicts.jsonl');
  }

  /**
   * With `again`, what was killed before a test was added, or another line of its file was changed, stays so: more tests
   * revive nothing.
   */
  verdictOf(mutant: Mutant, sourceText: string, again: boolean): Verdict | undefined {
    const known = this.#verdicts.get(keyOf(mutant, sourceText));
    return known ?? (again ? this.#killedBefore.get(placeOf(mutant)) : undefined);
  }

  keep(mutant: Mutant, sourceText: string, verdict: Verdict): void {
    const place = placeOf(mutant);
    const kept: Kept = { mutant: keyOf(mutant, sourceText), place, fingerprint: this.#fingerprint, verdict };
    this.#learn(kept);
    appendFileSync(this.#path, `${JSON.stringify(kept)}\n`);
  }

  #learn({ mutant, place, fingerprint, verdict }: Kept): void {
    if (fingerprint === this.#fingerprint) this.#verdicts.set(mutant, verdict);
    if (verdict.state === 'killed' && place !== undefined) this.#killedBefore.set(place, verdict);
  }

  observed(): Observed | undefined {
    const path = this.#observedPath;
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Observed) : undefined;
  }

  keepObserved(observed: Observed): void {
    writeFileSync(this.#observedPath, JSON.stringify(observed));
  }

  get #observedPath(): string {
    return join(this.#folder, `observed-${this.#fingerprint}.json`);
  }
}

/** A mutant by its place within its file's text. */
function keyOf({ file, line, change, ordinal }: Mutant, sourceText: string): string {
  const hash = createHash('sha256').update(sourceText).digest('hex').slice(0, 12);
  return `${file}@${hash}:${line}:${change}#${ordinal}`;
}

/** And by its line's text alone. */
function placeOf({ file, lineText, change, ordinal }: Mutant): string {
  return [file, lineText, `${change}#${ordinal}`].join('\n');
}

function fingerprintOf({ root, tests, seeds, files }: Workload): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([tests, seeds, [...files.keys()]]));
  for (const folder of DECISIVE) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((one) => one.endsWith('.ts')).sort())
      hash.update(name).update(readFileSync(join(root, folder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
