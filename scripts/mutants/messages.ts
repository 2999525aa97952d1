/** What the parent and a judge tell each other. */
export interface JudgeInit {
  readonly copy: string;
  /** The sources that hold mutants, and the test files. */
  readonly sources: readonly string[];
  readonly tests: readonly string[];
  /** How many mutants there are. */
  readonly mutants: number;
  /** The mutant that is awake while the copy is loaded; -1 for none. */
  readonly id: number;
}

export interface Loaded {
  readonly kind: 'loaded';
  readonly tests: string[];
  /** Of a recording copy: the mutants that made a difference while the sources were loaded, and while the tests were. */
  readonly seenBySources: number[];
  readonly seenByTests: number[];
}

export interface Trial {
  readonly id: number;
  /** A test, or `seed 7`. */
  readonly name: string;
  readonly ticksMax?: number;
  readonly isRecorded?: boolean;
}

export interface Outcome {
  readonly kind: 'outcome';
  /** Why it failed; undefined where it passed. */
  readonly error: string | undefined;
  readonly ms: number;
  readonly ticks: number;
  /** Of a recording copy: the mutants that would have made a difference. */
  readonly seen: number[];
}

export interface Broken {
  readonly kind: 'broken';
  readonly error: string;
}
