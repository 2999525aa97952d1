import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Random } from '../../system/interface.ts';
import { FrameLog } from '../blender/frame-log.ts';
import { tellingLines } from '../blender/telling-lines.ts';
import { type GroupEnding, startProcessGroup } from '../process/group.ts';
import { inModestSession, modestly } from '../process/modest.ts';
import { killMarked } from './descendants.ts';
import { findProgram } from './find-program.ts';
import { CommandError, type CommandOptions, type CommandRequest, type CommandResult } from './interface.ts';
import { type CommandLimits, commandLimits } from './limits.ts';
import { LineCutter } from './lines.ts';
import { listOutputs } from './outputs.ts';

interface Components {
  readonly clock: Clock;
  readonly random: Random;
}

/** Inherited by all that the program starts, and so their mark. */
const MARK = 'CUADRO_RUN';
type Cause = 'aborted' | 'timeout';

/**
 * Runs one allowed program to its end, and takes what it left in the output folder. When this settles, the program
 * and all that it started are gone. Rejects with a `CommandError` or the signal's reason.
 */
export async function runCommand(
  components: Components,
  request: CommandRequest,
  options: CommandOptions,
  changedLimits: Partial<CommandLimits> = {},
): Promise<CommandResult> {
  const limits = { ...commandLimits, ...changedLimits };
  options.signal?.throwIfAborted();
  const path = await resolveProgram(request);
  for (const directory of [request.workingDirectory, request.outputDirectory]) await requireFolder(directory);
  const own = request.temporaryDirectory === undefined;
  const temporary = request.temporaryDirectory ?? (await mkdtemp(join(tmpdir(), 'cuadro-command-')));
  const log = new FrameLog({ file: options.logFile, logBytes: limits.logBytes, keptLines: limits.keptLines });
  const startedAt = components.clock.now();
  try {
    const ending = await runGroup(components, { request, path, temporary, log, limits }, options);
    judge(ending, request, log.lines, limits);
    const files = await listOutputs(request.outputDirectory, limits);
    return { exitCode: 0, files, elapsedMs: components.clock.now() - startedAt };
  } finally {
    await log.close();
    if (own) await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function resolveProgram({ program, allowed }: CommandRequest): Promise<string> {
  if (!allowed.includes(program)) {
    throw new CommandError(
      'command-not-allowed',
      `This machine doesn't allow the program "${program}". Its owner allows it with \`cuadro config set programs ${program}\`.`,
    );
  }
  const path = await findProgram(program);
  if (path !== undefined) return path;
  throw new CommandError(
    'command-not-found',
    `The program "${program}" is allowed on this machine, but not installed. Install it, or allow it by its whole path.`,
  );
}

async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new CommandError('command-bad-request', `There is no folder ${path} for the program to run in.`);
  }
}

interface Run {
  readonly request: CommandRequest;
  readonly path: string;
  readonly temporary: string;
  readonly log: FrameLog;
  readonly limits: CommandLimits;
}

async function runGroup(
  components: Components,
  { request, path, temporary, log, limits }: Run,
  { signal, onProgress }: CommandOptions,
): Promise<GroupEnding<'timeout'>> {
  const mark = components.random.name();
  const command = [path, ...request.args];
  const [file, ...args] = request.confine?.(command) ?? command;
  const environment = { ...environmentOf(request, temporary), [MARK]: mark };
  const group = startProcessGroup<Cause>(
    components,
    modestly(
      inModestSession({
        file: file ?? path,
        arguments: args,
        environment,
        directory: request.workingDirectory,
      }),
    ),
    { killWaitMs: limits.killWaitMs },
  );
  const sweep = () => killMarked(MARK, mark, limits.sweepRounds);
  const end = (cause: Cause) => {
    group.end(cause);
    void sweep();
  };
  const abort = () => end('aborted');
  signal?.addEventListener('abort', abort, { once: true });
  const cancelTimeout = components.clock.after(request.timeoutMs ?? limits.timeoutMs, () => end('timeout'));
  const progress = new Progress(onProgress);
  const cutters = [group.output, group.errors].map((stream) => {
    const cutter = new LineCutter(limits.lineCharacters, (line) => {
      if (!progress.hear(line)) log.write(line);
    });
    stream.on('data', (data: Buffer) => cutter.add(data));
    return cutter;
  });
  // It knows nothing of this descriptor; what arrives is dropped.
  group.channel.resume();
  try {
    const ending = await group.ended;
    for (const cutter of cutters) cutter.end();
    if (ending.kind !== 'ended') return ending;
    if (ending.cause === 'aborted') throw signal?.reason;
    return { kind: 'ended', cause: ending.cause };
  } finally {
    cancelTimeout();
    signal?.removeEventListener('abort', abort);
    await sweep();
    for (const stream of [group.output, group.errors, group.channel]) stream.destroy();
  }
}

/** `cuadro-progress 0.42 text` on a line of its own; the fraction never falls. */
export class Progress {
  readonly #onProgress: CommandOptions['onProgress'];
  #fraction = 0;

  constructor(onProgress: CommandOptions['onProgress']) {
    this.#onProgress = onProgress;
  }

  /** Whether the line was one of progress, and so none of the log. */
  hear(line: string): boolean {
    const match = /^cuadro-progress (\d(?:\.\d+)?)(?: (.*))?$/.exec(line);
    if (match === null) return false;
    this.#fraction = Math.max(this.#fraction, Math.min(1, Number(match[1])));
    this.#onProgress?.({ fraction: this.#fraction, text: (match[2] ?? '').slice(0, 200) });
    return true;
  }
}

function environmentOf(request: CommandRequest, temporary: string): Record<string, string> {
  const { SystemRoot: systemRoot } = process.env;
  return {
    ...request.environment,
    PATH: process.env['PATH'] ?? '',
    HOME: temporary,
    TMPDIR: temporary,
    LANG: 'C.UTF-8',
    ...(systemRoot !== undefined && { SystemRoot: systemRoot, TEMP: temporary, TMP: temporary }),
    CUADRO_OUTPUT: request.outputDirectory,
    ...(request.frame !== undefined && { CUADRO_FRAME: String(request.frame) }),
  };
}

function judge(
  ending: GroupEnding<'timeout'>,
  { program, timeoutMs }: CommandRequest,
  log: readonly string[],
  limits: CommandLimits,
): void {
  const lines = tellingLines(log);
  switch (ending.kind) {
    case 'exited': {
      if (ending.code === 0) return;
      const last = lines.at(-1);
      throw new CommandError(
        'command-failed',
        `${program} failed with exit code ${ending.code}${last === undefined ? '.' : `: ${last}`}`,
        { lines, exitCode: ending.code },
      );
    }
    case 'signaled':
      throw new CommandError('command-failed', `${program} was ended by ${ending.signal}.`, { lines });
    case 'not-started':
      throw new CommandError('command-not-found', `${program} can't be started: ${ending.error.message}.`, {
        cause: ending.error,
      });
    case 'ended': {
      const seconds = Math.round((timeoutMs ?? limits.timeoutMs) / 1000);
      throw new CommandError('command-timeout', `${program} took longer than ${seconds} s and was ended.`, {
        lines,
      });
    }
  }
}
