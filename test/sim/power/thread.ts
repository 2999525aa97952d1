import { carryOut } from '../../../node/src/blobs/hash-jobs.ts';
import type { HashJob, HashReply, HashThread } from '../../../node/src/blobs/hasher.ts';
import type { ProcessFiles } from './calls.ts';

/** A thread that hashes on a simulated disk, each job within one turn. */
export function threadOn(files: ProcessFiles): HashThread {
  const listeners: ((reply: HashReply) => void)[] = [];
  let onExit = (): void => undefined;
  let isEnded = false;
  return {
    postMessage: (job: HashJob) => {
      void files
        .ofThread(() => (isEnded ? undefined : carryOut(job, files.sync)))
        .then((reply) => {
          if (reply !== undefined && !isEnded) for (const listener of listeners) listener(reply);
        });
    },
    on: (event: string, listener: (value: never) => void) => {
      if (event === 'message') listeners.push(listener as (reply: HashReply) => void);
      if (event === 'exit') onExit = listener as () => void;
    },
    ref: () => undefined,
    unref: () => undefined,
    terminate: async () => {
      isEnded = true;
      onExit();
    },
  };
}
