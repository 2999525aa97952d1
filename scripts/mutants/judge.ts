/**
 * The process in which mutants are judged: loads a copy of the sources with its tests and simulator, and runs one test
 * or one seed at a time with one mutant awake, as the parent asks. It may hang or end; the parent starts another.
 */
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import type { RunReport } from '../../test/sim/run.ts';
import { choice, record } from './choice.ts';
import { beginFile, kept, type KeptTest } from './harness.ts';
import type { JudgeInit, Loaded, Outcome, Trial } from './messages.ts';

type Simulate = (seed: bigint) => Promise<RunReport>;

const SEED = /^seed (\d+)$/;

/** Drawn values are the same in every run, and a failure is enough: nobody reads the smallest example. */
const DRAWN = { seed: 20_230_601, endOnFailure: true };

async function load(
  init: JudgeInit,
): Promise<{ loaded: Loaded; tests: Map<string, KeptTest>; simulate: Simulate }> {
  const copyUrl = pathToFileURL(`${init.copy}/`).href;
  const harnessUrl = new URL('./harness.ts', import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'node:test' && context.parentURL?.startsWith(copyUrl) === true
        ? { url: harnessUrl, shortCircuit: true }
        : next(specifier, context),
  });
  fc.configureGlobal(DRAWN);
  record.seen = new Uint8Array(init.mutants);
  choice.id = init.id;
  const open = (path: string): Promise<unknown> => import(pathToFileURL(join(init.copy, path)).href);
  // Entered where everybody does, as those that import each other in a ring must be.
  await open('node/src/core/core.ts');
  for (const path of init.sources) await open(path);
  const seenBySources = seenNow();
  record.seen.fill(0);
  for (const path of init.tests) {
    beginFile(path);
    await open(path);
  }
  const { simulate } = (await open('test/sim/run.ts')) as { simulate: Simulate };
  const tests = new Map(kept.map((test) => [test.name, test]));
  return {
    loaded: { kind: 'loaded', tests: [...tests.keys()], seenBySources, seenByTests: seenNow() },
    tests,
    simulate,
  };
}

function seenNow(): number[] {
  const seen: number[] = [];
  record.seen.forEach((isSeen, id) => {
    if (isSeen === 1) seen.push(id);
  });
  return seen;
}

async function attempt(
  name: string,
  tests: Map<string, KeptTest>,
  simulate: Simulate,
): Promise<string | undefined> {
  const seed = SEED.exec(name)?.[1];
  try {
    if (seed === undefined) await tests.get(name)?.run();
    else {
      const { failure } = await simulate(BigInt(seed));
      if (failure !== undefined) return `${failure.rule}: ${failure.sentence}`;
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A static mutant was chosen before the copy was loaded, and stays awake. */
async function attend(init: JudgeInit): Promise<void> {
  const { loaded, tests, simulate } = await load(init);
  process.on('message', (trial: Trial) => {
    void (async () => {
      choice.id = trial.id;
      choice.ticks = 0;
      choice.ticksMax = trial.ticksMax ?? Number.POSITIVE_INFINITY;
      choice.isOver = false;
      record.seen.fill(0);
      const begun = performance.now();
      const error = await attempt(trial.name, tests, simulate);
      const outcome: Outcome = {
        kind: 'outcome',
        error: choice.isOver ? 'it runs on and on' : error,
        ms: performance.now() - begun,
        ticks: choice.ticks,
        seen: trial.isRecorded === true ? seenNow() : [],
      };
      process.send?.(outcome);
    })();
  });
  process.send?.(loaded);
}

process.once('message', (init: JudgeInit) => {
  attend(init).catch((error: unknown) => {
    process.send?.({ kind: 'broken', error: String(error) }, () => process.exit(1));
  });
});
process.on('disconnect', () => process.exit(0));
