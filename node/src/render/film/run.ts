import { tmpdir } from 'node:os';
import type { Clock } from '../../system/interface.ts';
import { startProcessGroup } from '../process/group.ts';
import { inModestSession, modestly } from '../process/modest.ts';
import { KEPT_LINES, KILL_WAIT_MS } from './limits.ts';

/** How a tool's run ended. An abort is thrown instead, as the signal's reason. */
export type ToolEnding =
  | { readonly kind: 'not-found' }
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'exited';
      /** Undefined when a signal that we did not send ended it. */
      readonly code: number | undefined;
      readonly complaints: readonly string[];
    };

interface ToolOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ended when it says nothing on either pipe for so long, in milliseconds. */
  readonly silenceMs: number;
  readonly onOutput?: (text: string) => void;
  /** What it writes to its descriptor 3. */
  readonly onChannel?: (text: string) => void;
}

/** Runs ffmpeg or ffprobe as a process group that is killed as a whole. */
export async function runTool(
  components: { readonly clock: Clock },
  file: string,
  args: readonly string[],
  { signal, silenceMs, onOutput, onChannel }: ToolOptions,
): Promise<ToolEnding> {
  signal?.throwIfAborted();
  const group = startProcessGroup<'aborted' | 'silent'>(
    components,
    modestly(inModestSession({ file, arguments: args, environment: toolEnvironment(), directory: tmpdir() })),
    { killWaitMs: KILL_WAIT_MS },
  );
  const abort = () => group.end('aborted');
  let cancelSilence = () => {};
  const heard = () => {
    cancelSilence();
    cancelSilence = components.clock.after(silenceMs, () => group.end('silent'));
  };
  heard();
  signal?.addEventListener('abort', abort, { once: true });
  const complaints = new Complaints();
  try {
    group.output.setEncoding('utf8').on('data', (text: string) => (heard(), onOutput?.(text)));
    group.errors.setEncoding('utf8').on('data', (text: string) => (heard(), complaints.add(text)));
    group.channel.setEncoding('utf8').on('data', (text: string) => (heard(), onChannel?.(text)));
    const ending = await group.ended;
    if (ending.kind === 'not-started') return { kind: 'not-found' };
    if (ending.kind === 'ended') {
      if (ending.cause === 'aborted') throw signal?.reason;
      return { kind: 'silent' };
    }
    const code = ending.kind === 'exited' ? ending.code : undefined;
    return { kind: 'exited', code, complaints: complaints.lines() };
  } finally {
    cancelSilence();
    signal?.removeEventListener('abort', abort);
  }
}

/** Of each line: a file may have ffmpeg repeat what it holds, and the telling ones are shown with less. */
const LINE_MAX = 2_000;

/** The first and the last lines: the cause stands first, what came of it last. */
export class Complaints {
  readonly #first: string[] = [];
  #last: string[] = [];
  #rest = '';

  add(text: string): void {
    const lines = (this.#rest + text).slice(-1_000_000).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#keep(line.slice(0, LINE_MAX));
  }

  lines(): string[] {
    const rest = this.#rest.slice(0, LINE_MAX);
    return [...this.#first, ...this.#last, rest].filter((line) => line.trim() !== '');
  }

  #keep(line: string): void {
    if (this.#first.length < KEPT_LINES / 2) this.#first.push(line);
    else this.#last = [...this.#last.slice(1 - KEPT_LINES / 2), line];
  }
}

function toolEnvironment(): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'TEMP', 'TMP', 'HOME', 'SystemRoot', 'LD_LIBRARY_PATH'];
  const kept = names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  return { ...Object.fromEntries(kept), LANG: 'C.UTF-8', AV_LOG_FORCE_NOCOLOR: '1' };
}
