/** Started by a test and killed by it: renders a long frame, and says when Blender is at it. */

import { createBench } from './harness.ts';

const bench = await createBench();
const sessions = await bench.sessions({ confine: process.argv[2] === 'confined' });
const request = await bench.request(1, ['heavy']);
await sessions.render(
  request,
  bench.options({
    onProgress: (progress) => {
      if ((progress.sample ?? 0) > 0) process.stdout.write(`${bench.root}\n`);
    },
  }),
);
