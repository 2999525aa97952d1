import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Why the set-up cannot go on, in a sentence for the user. */
export class SetupError extends Error {}

/** How many characters of a command's output are kept, so that a chatty one cannot fill the memory. */
const OUTPUT_LIMIT = 1_000_000;

/** How many telling lines of a failed command are shown. */
const TELLING_LINES = 12;

/** Set-up speaks on standard error: standard output belongs to the command that follows. */
export function say(sentence) {
  process.stderr.write(`${sentence}\n`);
}

/** PATH without the folders of installed npm packages, which npm puts first and `npm ci` deletes. */
export function systemPath(path = process.env.PATH ?? '') {
  return path
    .split(delimiter)
    .filter((folder) => !/node_modules[\\/]\.bin[\\/]?$/.test(folder) && !/node-gyp-bin[\\/]?$/.test(folder))
    .join(delimiter);
}

/** The first of `commands` that stands in `path` as an executable file, or undefined. */
export function findCommand(commands, path = systemPath()) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const command of commands) {
    for (const folder of path.split(delimiter).filter((entry) => entry !== '')) {
      for (const suffix of suffixes) {
        const file = join(folder, command + suffix);
        try {
          accessSync(file, constants.X_OK);
          return file;
        } catch {
          // Not in this folder: the next one is tried.
        }
      }
    }
  }
  return undefined;
}

/**
 * Runs a command silently.
 * @returns {Promise<{ code: number, output: string }>} its exit code (127: it could not be started) and its
 * standard output and error, mixed as they came.
 */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_LIMIT);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, output: signal ? `${output}${signal}\n` : output }),
    );
  });
}

/** The lines that say why a command failed: those that name an error, else the last ones. */
export function tellingLines(output) {
  const lines = output.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const named = lines.filter((line) =>
    /\b(error|err!|failed|fatal|cannot|unable|no space)\b|^E: /i.test(line),
  );
  const chosen = named.length > 0 ? named : lines;
  return chosen
    .slice(-TELLING_LINES)
    .map((line) => `  ${line.slice(0, 300)}`)
    .join('\n');
}

/** Whether a command's output shows that the network could not be reached. */
export function looksOffline(output) {
  return /ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT|Temporary failure resolving|Could not resolve|Network is unreachable|Could not connect/i.test(
    output,
  );
}
