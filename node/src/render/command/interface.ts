/**
 * The engines of the job types `command` and `echo-sleep`: `runCommand` (`command.ts`) and `runEchoSleep`
 * (`echo-sleep.ts`). Failures are `CommandError`s.
 */

export interface CommandRequest {
  /** As the job names it; must be one of `allowed`. */
  readonly program: string;
  /** Placeholders are already replaced. */
  readonly args: readonly string[];
  /** What this machine's owner allowed: exact names, found on PATH, or exact absolute paths. */
  readonly allowed: readonly string[];
  /** An existing folder that the program runs in. */
  readonly workingDirectory: string;
  /** An empty, existing folder; every file in it afterwards is a result. Also the program's CUADRO_OUTPUT. */
  readonly outputDirectory: string;
  /** An existing folder for HOME and TMPDIR; one is made, and removed afterwards, without. */
  readonly temporaryDirectory?: string;
  /** Added to the minimal environment (PATH, HOME, TMPDIR, LANG, CUADRO_OUTPUT, CUADRO_FRAME), which wins. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The task's number, as CUADRO_FRAME. */
  readonly frame?: number;
  /** Undefined means the room's own bound (`limits.ts`). */
  readonly timeoutMs?: number;
  /** Puts the program into confinement: gets program and arguments, returns what to run instead. */
  readonly confine?: (command: readonly string[]) => readonly string[];
}

export interface CommandOptions {
  /** Aborting kills the program and all that it started; the reason is thrown once they are gone. */
  readonly signal?: AbortSignal;
  /** What the program prints is appended here, up to a bound; the folder exists. */
  readonly logFile: string;
  /** Called for each line `cuadro-progress 0.42 text` that the program prints; the fraction never falls. */
  readonly onProgress?: (progress: CommandProgress) => void;
}

export interface CommandProgress {
  /** 0 to 1. */
  readonly fraction: number;
  readonly text: string;
}

export interface CommandFile {
  /** Absolute path, inside the request's `outputDirectory`. */
  readonly path: string;
  /** Relative to it, with forward slashes. */
  readonly name: string;
  readonly sizeBytes: number;
}

export interface CommandResult {
  readonly exitCode: 0;
  /** Regular files, sorted by name; symbolic links are not followed and not listed. */
  readonly files: readonly CommandFile[];
  readonly elapsedMs: number;
}

export type CommandErrorCode =
  | 'command-not-allowed'
  /** Allowed, but not installed here. */
  | 'command-not-found'
  /** A working or output folder that isn't there. */
  | 'command-bad-request'
  /** Ended with an exit code other than 0, or by a signal of someone else; `lines` are its last words. */
  | 'command-failed'
  | 'command-timeout'
  /** More files than a task may have. */
  | 'command-too-many-files'
  /** `echo-sleep` that was asked to fail. */
  | 'failed-on-purpose';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: CommandErrorCode;
  /** Telling lines of the program's output, at most eight. */
  readonly lines: readonly string[];
  readonly exitCode: number | undefined;

  constructor(
    code: CommandErrorCode,
    message: string,
    details: { lines?: readonly string[]; exitCode?: number; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.lines = details.lines ?? [];
    this.exitCode = details.exitCode;
  }
}
