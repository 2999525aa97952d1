import type { Mutant } from './mutate.ts';
import type { Survivor } from './survivors.ts';

/** The argument that a list has for a mutant's survival. */
export function argumentFor(mutant: Mutant, survivors: readonly Survivor[]): Survivor | undefined {
  return survivors.find(
    ({ file, line, changes }) =>
      file === mutant.file && line === mutant.lineText && changes.includes(mutant.change),
  );
}

/** Arguments about text that is not there any more, as sentences. */
export function staleArguments(mutants: readonly Mutant[], survivors: readonly Survivor[]): string[] {
  const there = new Set(mutants.map(({ file, lineText, change }) => [file, lineText, change].join('\n')));
  return survivors.flatMap(({ file, line, changes }) =>
    changes
      .filter((change) => !there.has([file, line, change].join('\n')))
      .map((change) => `${file} has no "${change}" in the line "${line}" any more.`),
  );
}
