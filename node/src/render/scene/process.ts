import { spawn } from 'node:child_process';
import { SceneError } from './errors.ts';
import { sceneLimits } from './limits.ts';
import type { SceneTools } from './tracer.ts';

/** How a run of Blender ended, and the last of what it printed. */
export interface BlenderRun {
  exitCode: number | null;
  log: string;
}

/**
 * Runs Blender to its end as its own process group. The first of abort, time limit and exit wins; the first
 * two kill the whole group at once, because Blender takes up to 20 s to act on a gentler signal.
 */
export async function runBlender(
  tools: SceneTools,
  args: readonly string[],
  options: { timeoutMs: number; temporary: string; signal?: AbortSignal },
): Promise<BlenderRun> {
  const { signal } = options;
  const child = spawn(tools.blender, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Blender leaves its own temporary folder behind when it is killed: it goes with ours.
    env: { ...process.env, TMPDIR: options.temporary, TEMP: options.temporary },
  });
  let log = '';
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString('utf8')).slice(-sceneLimits.logBytes);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const { promise, resolve, reject } = Promise.withResolvers<BlenderRun>();
  let stopped: { reason: unknown } | undefined;
  const stop = (reason: unknown): void => {
    stopped ??= { reason };
    killGroup(child.pid);
  };
  const aborted = (): void => stop(signal?.reason);
  const cancelTimer = tools.clock.after(options.timeoutMs, () =>
    stop(
      new SceneError('trace-timeout', `Blender did not answer within ${options.timeoutMs / 60_000} minutes.`),
    ),
  );
  signal?.addEventListener('abort', aborted, { once: true });
  child.once('error', (cause) => reject(noBlender(tools.blender, cause)));
  child.once('close', (exitCode) => {
    // Only now is its folder free to be removed.
    if (stopped) reject(stopped.reason);
    else resolve({ exitCode, log });
  });
  try {
    return await promise;
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', aborted);
  }
}

function noBlender(blender: string, cause: Error): SceneError {
  return new SceneError(
    'no-blender',
    `Blender could not be started (${blender}): install it, or set its path with \`cuadro config blender\`.`,
    { cause },
  );
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
