import { readFileSync } from 'node:fs';
import type { Mutant } from './mutate.ts';

/** Mutants of one line that nothing can notice, and why. Found by text: edits elsewhere leave them where they are. */
export interface Survivors {
  /** The line where the changed expression begins. */
  readonly line: string;
  /** As `npm run mutants` prints them. */
  readonly changes: readonly string[];
  /** One sentence. */
  readonly reason: string;
}

export type Arguments = Readonly<Record<string, readonly Survivors[]>>;

/** All that are argued, by file. */
export function readArguments(): Arguments {
  return JSON.parse(readFileSync(new URL('./survivors.json', import.meta.url), 'utf8')) as Arguments;
}

/** Why a mutant may survive; undefined where nobody says. */
export function argumentFor({ file, lineText, change }: Mutant, known: Arguments): string | undefined {
  return known[file]?.find(({ line, changes }) => line === lineText && changes.includes(change))?.reason;
}

/** Arguments about text that is not there any more, as sentences. */
export function staleArguments(mutants: readonly Mutant[], known: Arguments): string[] {
  const there = new Set(mutants.map(({ file, lineText, change }) => [file, lineText, change].join('\n')));
  return Object.entries(known).flatMap(([file, survivors]) =>
    survivors.flatMap(({ line, changes }) =>
      changes
        .filter((change) => !there.has([file, line, change].join('\n')))
        .map((change) => `${file} has no "${change}" in the line "${line}" any more.`),
    ),
  );
}
