import { CommanderError } from 'commander';
import { EXIT, type ExitCode } from '@cuadro/protocol/errors';
import { type Failure, failureOf } from './failure.ts';
import { COMMANDS } from './help.ts';
import { type CommandLine, Output, plain } from './output.ts';
import { createProgram } from './program.ts';

/** Runs one command line (without the program's name) and gives its exit code; never throws. */
export async function runCommandLine(args: readonly string[], line: CommandLine): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  try {
    const program = createProgram(line, (code) => (exit = code));
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = error instanceof CommanderError ? usageFailure(error) : failureOf(error);
    report(failure, error, args, line);
    return failure.exit;
  }
}

function usageFailure(error: CommanderError): Failure {
  // Commander writes `error: unknown command 'jbos'`, and a guess on a second line.
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s+/g, ' ')
    .trim();
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  const message = /[.?!)]$/.test(sentence) ? sentence : `${sentence}.`;
  return { code: 'usage', message, details: {}, exit: EXIT.usage };
}

function report(failure: Failure, error: unknown, args: readonly string[], line: CommandLine): void {
  const output = new Output(line, wantsJson(args));
  const { code, message, details } = failure;
  if (output.json) {
    output.printJson({ error: { code, message, details } });
    return;
  }
  output.note(`${output.style('red', 'cuadro:', 'stderr')} ${plain(message)}`);
  if (code === 'usage') output.note(`See: ${helpOf(args)}`);
  // An unknown failure is a defect of ours; whoever wants to report it needs to see where.
  if (code === 'internal' && line.env['CUADRO_DEBUG'] && error instanceof Error)
    output.note(error.stack ?? '');
}

/** The help of the command that was meant, where there is one of that name. */
function helpOf([first]: readonly string[]): string {
  const command = COMMANDS.find(({ name }) => name === first);
  return command === undefined ? 'cuadro --help' : `cuadro ${command.name} --help`;
}

function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}
