/**
 * The `cuadro` command. This file, `compiled-code.ts` and `help.ts` import nothing of weight, so that the first help
 * stands on the screen within 100 ms; the rest is loaded when it is needed.
 */
import { keepCompiledCode } from './compiled-code.ts';
import type { CommandLine } from './output.ts';

const args = process.argv.slice(2);

// A reader that has seen enough (`cuadro jobs | head -1`) is no failure.
let outputMatters = true;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (outputMatters) process.exit(error.code === 'EPIPE' ? (process.exitCode ?? 0) : 1);
  });
}

if (args.length === 0 || (args.length === 1 && ['--help', '-h', 'help'].includes(args[0] as string))) {
  const { helpText } = await import('./help.ts');
  process.stdout.write(helpText());
} else {
  if (args[0] === 'up') {
    const { startAgain } = await import('./start-again.ts');
    startAgain(args);
  }
  keepCompiledCode();
  const { runCommandLine } = await import('./run.ts');
  process.exitCode = await runCommandLine(args, processLine());
}

function processLine(): CommandLine {
  let controller: AbortController | undefined;
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
    ignoreLostOutput: () => {
      outputMatters = false;
    },
    // Made when a command asks for it: until then Ctrl-C ends the process as it does any other.
    get signal() {
      if (controller === undefined) {
        const made = new AbortController();
        controller = made;
        process.once('SIGINT', () => made.abort());
      }
      return controller.signal;
    },
  };
}

async function ask(question: string): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
