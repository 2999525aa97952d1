/** Puts blobs for ever, and prints the hash of each when it is acknowledged; the test kills it at any moment. */
import { writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contentOf, newStore } from './helpers.ts';

const [folder = '', seedText = '1'] = process.argv.slice(2);
const store = newStore(folder);
await store.start();
// Puts wait until it is known what is here; a kill before that meets no put.
await store.usage();
writeSync(1, 'ready\n');
let seed = Number(seedText);
const lane = async (name: string): Promise<never> => {
  for (;;) {
    const content = contentOf(seed, [900, 40_000, 300_000, 1_500_000][seed % 4] ?? 1);
    seed += 1;
    const source = join(folder, `source-${name}`);
    const way = seed % 3;
    if (way !== 0) await writeFile(source, content);
    const { hash } =
      way === 0
        ? await store.putBytes(content, { pin: `job-${name}` })
        : await store.putFile(source, { mode: way === 1 ? 'copy' : 'move', pin: `job-${name}` });
    writeSync(1, `${hash} job-${name}\n`);
  }
};
await Promise.all(['a', 'b', 'c', 'd'].map(lane));
