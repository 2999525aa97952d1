import { startProcessGroup } from '../process/group.ts';
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
  const { signal, timeoutMs, temporary } = options;
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry) => entry[1] !== undefined),
  );
  const group = startProcessGroup<{ reason: unknown }>(
    tools,
    {
      file: tools.blender,
      arguments: args,
      // Blender leaves its own temporary folder behind when it is killed: it goes with ours.
      environment: { ...(environment as Record<string, string>), TMPDIR: temporary, TEMP: temporary },
      directory: temporary,
    },
    { killWaitMs: sceneLimits.killWaitMs },
  );
  let log = '';
  for (const stream of [group.output, group.errors]) {
    stream?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-sceneLimits.logBytes);
    });
  }
  const aborted = (): void => group.end({ reason: signal?.reason });
  const cancelTimer = tools.clock.after(timeoutMs, () => group.end({ reason: timeout(timeoutMs) }));
  signal?.addEventListener('abort', aborted, { once: true });
  try {
    const ending = await group.ended;
    if (ending.kind === 'not-started') throw noBlender(tools.blender, ending.error);
    // Only now is its folder free to be removed.
    if (ending.kind === 'ended') throw ending.cause.reason;
    return { exitCode: ending.kind === 'exited' ? ending.code : null, log };
  } finally {
    cancelTimer();
    signal?.removeEventListener('abort', aborted);
  }
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
