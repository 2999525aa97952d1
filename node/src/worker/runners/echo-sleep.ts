import { appendFile } from 'node:fs/promises';
import type { EchoSleepWork } from '@cuadro/protocol';
import { runEchoSleep } from '../../render/command/echo-sleep.ts';
import type { Clock } from '../../system/interface.ts';
import type { TaskRunner } from '../interface.ts';

/** Says something and sleeps. */
export function createEchoSleepRunner(components: { clock: Clock }): TaskRunner {
  return async (context) => {
    const work = context.task.work as EchoSleepWork;
    const message = work.message.replaceAll('{frame}', String(context.task.number));
    // A message is worth a log file, nothing is not: a farm is also measured with silent tasks.
    const startedMs = components.clock.now();
    const fail = work.failFrames?.includes(context.task.number) ?? false;
    if (message !== '')
      await appendFile(
        context.logFile,
        `${message}
`,
      );
    const log = (): void => undefined;
    await runEchoSleep(
      { message, sleepMs: work.sleepMs, fail },
      { clock: components.clock, signal: context.signal, log },
    );
    return { files: [], renderMs: components.clock.now() - startedMs };
  };
}
