/** One thread of `spread.ts`: runs the seeds that it is given, one after the other, and tells how each went. */
import { parentPort } from 'node:worker_threads';
import { simulate } from './run.ts';
import { summaryOf, type Stretch } from './spread.ts';

// Cut connections are the everyday life of a run, and nobody reads where their errors were made; of a run that failed
// the seed is told, which shows it again alone.
Error.stackTraceLimit = 0;

const port = parentPort;
port?.on('message', ({ from, count, profile = {} }: Stretch) => {
  void (async () => {
    for (let seed = from; seed < from + BigInt(count); seed += 1n)
      port.postMessage(summaryOf(await simulate(seed, { profile })));
  })();
});
