/** One thread of `spread.ts`: runs the seeds that it is given, one after the other, and tells how each went. */
import { parentPort } from 'node:worker_threads';
import { simulate } from './run.ts';
import { summaryOf, type Stretch } from './spread.ts';

const port = parentPort;
port?.on('message', ({ from, count }: Stretch) => {
  void (async () => {
    for (let seed = from; seed < from + BigInt(count); seed += 1n)
      port.postMessage(summaryOf(await simulate(seed)));
  })();
});
