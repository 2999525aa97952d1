/**
 * A child process that leads a process group of its own. It is ended as a whole and at once: Blender takes up to
 * 20 s to act on SIGINT, and rendering is repeatable, so there is nothing to ask for.
 */

import type { ChildProcess } from 'node:child_process';
import type { Duplex, Readable } from 'node:stream';
import { execa } from 'execa';
import type { Clock } from '../../system/interface.ts';
import { dieWithNode } from './die-with-node.ts';

export interface GroupCommand {
  readonly file: string;
  readonly arguments: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
}

/** How a process ended: by a cause of ours (the first one that was given), or by itself. */
export type GroupEnding<Cause> =
  | { readonly kind: 'ended'; readonly cause: Cause }
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: string }
  | { readonly kind: 'not-started'; readonly error: Error };

export interface ProcessGroup<Cause> {
  /** The group's leader; undefined when the program could not be started. */
  readonly pid: number | undefined;
  readonly output: Readable;
  readonly errors: Readable;
  /** The two-way pipe that the child knows as descriptor 3. */
  readonly channel: Duplex;
  /** Resolves, never rejects, once no process of the group holds our pipes any more. */
  readonly ended: Promise<GroupEnding<Cause>>;
  /** Kills the whole group. The first cause wins; further calls change nothing. */
  end(cause: Cause): void;
}

/** Shells and bubblewrap report a child that died of signal N as exit code 128 + N. */
const SIGNALS_BY_EXIT_CODE: Readonly<Record<number, string>> = {
  132: 'SIGILL',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  143: 'SIGTERM',
};

export function startProcessGroup<Cause>(
  components: { readonly clock: Pick<Clock, 'after'> },
  command: GroupCommand,
  options: { readonly killWaitMs: number },
): ProcessGroup<Cause> {
  // Execa finds programs as each system's shells do; ending them as a group, at once, is this file's business.
  const { file, arguments: words } = dieWithNode(command);
  const { nodeChildProcess: child } = execa(file, [...words], {
    cwd: command.directory,
    env: { ...command.environment },
    extendEnv: false,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
    buffer: false,
    reject: false,
    cleanup: false,
  });
  const [, output, errors, channel] = child.stdio as unknown as [null, Readable, Readable, Duplex];
  let cause: { readonly value: Cause } | undefined;
  const ended = new Promise<GroupEnding<Cause>>((resolve) => {
    const settle = (ending: GroupEnding<Cause>) =>
      resolve(cause === undefined ? ending : { kind: 'ended', cause: cause.value });
    child.once('error', (error) => {
      if (child.pid === undefined) settle({ kind: 'not-started', error });
    });
    child.once('exit', (code, signal) => {
      // A stray descendant must not outlive its leader.
      killGroup(child);
      const cancel = components.clock.after(options.killWaitMs, () => settle(endingOf(code, signal)));
      child.once('close', () => {
        cancel();
        settle(endingOf(code, signal));
      });
    });
  });
  for (const stream of [output, errors, channel]) stream?.on('error', () => {});
  return {
    pid: child.pid,
    output,
    errors,
    channel,
    ended,
    end(value) {
      if (cause !== undefined || child.pid === undefined) return;
      // What ended by itself keeps its own ending.
      if (child.exitCode !== null || child.signalCode !== null) return;
      cause = { value };
      killGroup(child);
    },
  };
}

function endingOf(code: number | null, signal: NodeJS.Signals | null): GroupEnding<never> {
  if (signal !== null) return { kind: 'signaled', signal };
  const reported = SIGNALS_BY_EXIT_CODE[code ?? 0];
  return reported === undefined
    ? { kind: 'exited', code: code ?? 0 }
    : { kind: 'signaled', signal: reported };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    void execa('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore', reject: false });
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is already gone, which is what was wanted.
  }
}
