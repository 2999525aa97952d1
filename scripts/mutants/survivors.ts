/** A mutant that no test can kill, and why. Found by its text, so that edits elsewhere leave it where it is. */
export interface Survivor {
  readonly file: string;
  /** The line where the changed expression begins. */
  readonly line: string;
  /** As `npm run mutants` prints it. */
  readonly changes: readonly string[];
  /** One sentence. */
  readonly reason: string;
}

export const SURVIVORS: readonly Survivor[] = [];
