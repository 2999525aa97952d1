import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Broken, JudgeInit, Loaded, Outcome, Trial } from './messages.ts';

/** A mutant that eats memory ends its judge, not the machine. */
const MEMORY_MB = 1_500;

/** Of the test that draws whole farms at random: a survivor's last judge costs as much as all others. */
const RUNS = '40';

/** Loading is a second's work; a busy machine may take a hundred times as long. */
const LOAD_LIMIT_MS = 300_000;

/** A judge that ended or had to be ended: what was tried there did it. */
export class JudgeLost extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'JudgeLost';
  }
}

/** One judge in a process of its own. */
export class Judge {
  readonly tests: readonly string[];
  /** What made a difference while a recording copy's sources were loaded, and its tests. */
  readonly seenBySources: readonly number[];
  readonly seenByTests: readonly number[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { tests, seenBySources, seenByTests }: Loaded) {
    this.#child = child;
    this.tests = tests;
    this.seenBySources = seenBySources;
    this.seenByTests = seenByTests;
  }

  static async start(init: JudgeInit): Promise<Judge> {
    const child = fork(join(import.meta.dirname, 'judge.ts'), {
      execArgv: [`--max-old-space-size=${MEMORY_MB}`, '--max-semi-space-size=64'],
      env: { ...process.env, CUADRO_RUNS: RUNS },
      // What a test prints is not this program's output.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    child.send(init);
    return new Judge(child, await answer<Loaded>(child, LOAD_LIMIT_MS));
  }

  async try(trial: Trial, limitMs: number): Promise<Outcome> {
    const answered = answer<Outcome>(this.#child, limitMs);
    this.#child.send(trial);
    return answered;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The child's next word. Rejects with JudgeLost where it ends, takes too long, or could not load. */
function answer<T extends Loaded | Outcome>(child: ChildProcess, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      child.off('message', take);
      child.off('exit', lose);
    };
    const lose = (): void => {
      settle();
      reject(new JudgeLost('it ends the process'));
    };
    const take = (message: T | Broken): void => {
      settle();
      if (message.kind === 'broken') reject(new JudgeLost(message.error));
      else resolve(message);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      settle();
      reject(new JudgeLost('it takes too long'));
    }, limitMs);
    child.on('message', take);
    child.on('exit', lose);
  });
}
