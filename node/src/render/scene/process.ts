import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../system/interface.ts';
import { readLines } from '../blender/channel.ts';
import { type GroupEnding, type ProcessGroup, startProcessGroup } from '../process/group.ts';
import { SceneError } from './errors.ts';
import { sceneLimits } from './limits.ts';

/** Where the Python that runs inside Blender lies. */
const script = fileURLToPath(new URL('../../../blender/trace.py', import.meta.url));

interface Cause {
  reason: unknown;
}

/**
 * A Blender that opens scenes without running their scripts, one question after the other, as its own process group.
 * A question may be asked before it has started.
 */
export class TraceProcess {
  readonly blender: string;
  /** Resolves once it and its folder are gone. */
  readonly ended: Promise<GroupEnding<Cause>>;
  /** Memory that it holds with no scene in it, in bytes; 0 before the first was forgotten. */
  restingBytes = 0;
  /** No question was put to it yet. */
  fresh = true;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #group: ProcessGroup<Cause>;
  #log = '';
  #answered: (() => void) | undefined;
  #onRest: () => void = () => undefined;

  private constructor(tools: { blender: string; clock: Pick<Clock, 'after'> }, folder: string) {
    this.blender = tools.blender;
    this.#clock = tools.clock;
    this.#group = startProcessGroup<Cause>(tools, commandOf(tools.blender, folder), {
      killWaitMs: sceneLimits.killWaitMs,
    });
    for (const stream of [this.#group.output, this.#group.errors]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString('utf8')).slice(-sceneLimits.logBytes);
      });
    }
    if (this.#group.pid !== undefined)
      readLines(this.#group.channel, sceneLimits.lineBytes, (line) => this.#hear(line));
    this.ended = this.#group.ended.then(async (ending) => {
      this.#group.channel?.destroy();
      // Only now is its folder free to be removed.
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      return ending;
    });
  }

  static async start(tools: { blender: string; clock: Pick<Clock, 'after'> }): Promise<TraceProcess> {
    return new TraceProcess(tools, await mkdtemp(join(tmpdir(), 'cuadro-trace-')));
  }

  /** The group's leader; undefined when the program could not be started. */
  get pid(): number | undefined {
    return this.#group.pid;
  }

  /** The last of what it printed. */
  get log(): string {
    return this.#log;
  }

  /** Called whenever it has forgotten a scene. */
  onRest(listener: () => void): void {
    this.#onRest = listener;
  }

  /**
   * Puts one question, which the caller wrote to a file. The first of answer, abort, time limit and exit wins; abort
   * and time limit kill the whole group at once, because Blender takes up to 20 s to act on a gentler signal. False
   * when it ended by itself. Rejects with a SceneError, or the signal's reason.
   */
  async ask(
    files: { request: string; result: string },
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<boolean> {
    const { timeoutMs, signal } = options;
    this.fresh = false;
    const aborted = (): void => this.#group.end({ reason: signal?.reason });
    const cancelTimer = this.#clock.after(timeoutMs, () => this.#group.end({ reason: timeout(timeoutMs) }));
    signal?.addEventListener('abort', aborted, { once: true });
    if (signal?.aborted) aborted();
    try {
      const answer = new Promise<'answered'>((resolve) => {
        this.#answered = () => resolve('answered');
      });
      this.#group.channel?.write(`${JSON.stringify([files.request, files.result])}\n`);
      const outcome = await Promise.race([answer, this.ended]);
      if (outcome === 'answered') return true;
      if (outcome.kind === 'not-started') throw noBlender(this.blender, outcome.error);
      if (outcome.kind === 'ended') throw outcome.cause.reason;
      return false;
    } finally {
      this.#answered = undefined;
      cancelTimer();
      signal?.removeEventListener('abort', aborted);
    }
  }

  /** Kills it; resolves when it is gone. */
  async end(): Promise<void> {
    this.#group.end({ reason: new SceneError('trace-failed', 'The Blender that reads scenes was ended.') });
    await this.ended;
  }

  #hear(line: string): void {
    const { answered, restingBytes } = parseTraceLine(line);
    if (answered) this.#answered?.();
    if (restingBytes === undefined) return;
    this.restingBytes = restingBytes;
    this.#onRest();
  }
}

/** What a line of the channel says; nothing for one that isn't ours: whatever runs in Blender can write there. */
export function parseTraceLine(line: string): { answered: boolean; restingBytes?: number } {
  try {
    const value = JSON.parse(line) as { answered?: unknown; restingBytes?: unknown } | null;
    const bytes = value?.restingBytes;
    const isCount = typeof bytes === 'number' && Number.isFinite(bytes) && bytes >= 0;
    return { answered: value?.answered === true, ...(isCount && { restingBytes: bytes }) };
  } catch {
    return { answered: false };
  }
}

function commandOf(blender: string, folder: string) {
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const args = ['-b', '--factory-startup', '--disable-autoexec', '-noaudio', '--python-exit-code', '7'];
  return {
    file: blender,
    arguments: [...args, '--python', script],
    // Blender leaves its own temporary folder behind when it is killed: it goes with ours.
    environment: { ...environment, TMPDIR: folder, TEMP: folder },
    directory: folder,
  };
}

function timeout(timeoutMs: number): SceneError {
  return new SceneError('trace-timeout', `Blender did not answer within ${timeoutMs / 60_000} minutes.`);
}

function noBlender(blender: string, cause: Error): SceneError {
  return new SceneError(
    'no-blender',
    `Blender could not be started (${blender}): install it, or set its path with \`cuadro config blender\`.`,
    { cause },
  );
}
