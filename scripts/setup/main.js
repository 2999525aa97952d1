import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDashboard } from './dashboard.js';
import { dependenciesAreFresh, installDependencies, nodeProblem } from './dependencies.js';
import { withLock } from './lock.js';
import { SetupError, say } from './run.js';
import { installPrograms, missingPrograms, PROGRAMS } from './system.js';

/** The checkout that this file belongs to. */
export const root = resolve(fileURLToPath(import.meta.url), '../../..');

/** One for each purpose that a program beside Node can have. */
export const OPTIONS = [
  ...new Set(PROGRAMS.flatMap(({ purpose }) => (purpose === undefined ? [] : [`--${purpose}`]))),
];

/**
 * Does whatever is not done yet, and nothing else: with a finished set-up it only reads a few files.
 * Ends the process with code 1, after a sentence, when the commands cannot run at all. A missing Blender is
 * not such a case: the node runs without, and its own commands say what needs it.
 *
 * @param {string[]} args `--test` asks for what only the tests need as well, `--lan` for what those in network
 * namespaces need, `--bench` for what stands beside Cuadro in its benches.
 */
export async function main(args) {
  const unknown = args.find((argument) => !OPTIONS.includes(argument));
  if (unknown !== undefined) {
    say(`Unknown option ${unknown}: the set-up knows only ${OPTIONS.join(', ')}.`);
    process.exit(2);
  }
  const purposes = args.map((argument) => argument.slice('--'.length));
  try {
    if (!dependenciesAreFresh(root)) {
      await withLock(root, 'dependencies', async () => {
        // Another set-up may have done it while this one waited for the lock.
        if (!dependenciesAreFresh(root)) await installDependencies(root);
      });
    }
    const problem = nodeProblem(root);
    if (problem !== undefined) throw new SetupError(problem);
    if (missingPrograms(purposes).length > 0) {
      await withLock(root, 'system', () => installPrograms(purposes));
    }
    await buildDashboard(root, purposes.includes('test'));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
