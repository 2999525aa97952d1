import type { Clock } from '../../system/interface.ts';
import { CommandError } from './interface.ts';

export interface EchoSleepRequest {
  /** Placeholders are already replaced. */
  readonly message: string;
  readonly sleepMs: number;
  /** Fails after sleeping, for trying what a failure looks like. */
  readonly fail?: boolean;
}

/**
 * Says something and sleeps: for trying a farm, and for measuring it. Rejects with the signal's reason, or a
 * `CommandError` `failed-on-purpose`.
 */
export async function runEchoSleep(
  { message, sleepMs, fail = false }: EchoSleepRequest,
  { clock, signal, log }: { clock: Clock; signal?: AbortSignal; log: (line: string) => void },
): Promise<void> {
  signal?.throwIfAborted();
  log(message);
  // Without a sleep it must not cost a turn of the timers: dispatch is measured with it.
  if (sleepMs > 0) await clock.sleep(sleepMs, signal === undefined ? {} : { signal });
  if (fail) throw new CommandError('failed-on-purpose', 'This task was asked to fail.', { lines: [message] });
}
