import { type Delays, RestingLoop, saidOf } from './content/delays.ts';
import { FarAway } from './content/far-away.ts';
import type { Fetched, Looked } from './content/member.ts';
import { startMembers } from './content/members.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, rounded } from './harness.ts';

const FILES = Number(process.env['CUADRO_BENCH_FILES'] ?? 20_000);
/** As caches of particles and layered textures are: most of a tree's files fit into few packets. */
const FILE_BYTES = 4_096;
/** As between two buildings; within one it is a tenth of that, and each round trip costs as much as a small file. */
const ONE_WAY_MS = 10;

export const bench: Bench = {
  name: 'small-files',
  measures:
    `seconds for a bundle of ${FILES.toLocaleString('en-US')} files of ${FILE_BYTES / 1_024} KiB from one node to another that is ${2 * ONE_WAY_MS} ms ` +
    'away and back, until all are verified and durable there: real mesh, transfer and store in processes of their own. The baseline is ' +
    'the same to a node that is near; the ratio, far ÷ near, shows what distance costs. The requests that the fetching node made are ' +
    `counted, for each thousand files. A round trip for each file would be 1,000 of them, and take ${Math.round((FILES * 2 * ONE_WAY_MS) / 1_000)} s more. ` +
    'Beside it how late the loops of both nodes ran, and the memory of who fetched.',
  run,
};

type Made = { readonly files: number; readonly fileBytes: number };

async function run(context: BenchContext): Promise<Measured> {
  const small: Made = { files: FILES, fileBytes: FILE_BYTES };
  const far = new FarAway({ oneWayMs: ONE_WAY_MS });
  try {
    const near = await fetchedBy(context, small);
    context.say(`Near: ${near.seconds.toFixed(1)} s.`);
    const away = await fetchedBy(context, small, far);
    context.say(`Far away: ${away.seconds.toFixed(1)} s.`);
    const one = await fetchedBy(context, { files: 1, fileBytes: FILES * FILE_BYTES });
    const requests = Object.values(away.requests).reduce((sum, count) => sum + count, 0);
    const kinds = Object.entries(away.requests).filter(([, count]) => count > 0);
    context.say(`Requests made: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(', ')}.`);
    for (const { delays } of [near, away]) context.say(saidOf(delays));
    const ownDelays = [near, away].flatMap(({ delays }) => delays.ownDelayP99Ms ?? []);
    return {
      value: rounded(away.seconds, 2),
      unit: 's',
      baseline: rounded(near.seconds, 2),
      ratio: rounded(away.seconds / near.seconds, 3),
      /** Every request of the far node, also those that ask who else fetches the bundle, one a second at most. */
      requestsPerThousand: rounded(requests / (FILES / 1_000), 2),
      requests: away.requests,
      /** Round trips that would explain the difference, for each thousand files; below 0 where the far one was faster. */
      tripsPerThousand: rounded(
        (away.seconds - near.seconds) / ((2 * ONE_WAY_MS) / 1_000) / (FILES / 1_000),
        1,
      ),
      filesPerSecond: rounded(FILES / near.seconds),
      /** As many bytes as one file, to a node that is near. */
      oneFileS: rounded(one.seconds, 2),
      /** Of all four nodes, with their files near and far; of this process meanwhile, the longer one. */
      loopDelayP99Ms: Math.max(near.delays.loopDelayP99Ms, away.delays.loopDelayP99Ms),
      ...(ownDelays.length > 0 && { ownDelayP99Ms: Math.max(...ownDelays) }),
      idleDelayP99Ms: Math.max(near.delays.idleDelayP99Ms, away.delays.idleDelayP99Ms),
      /** Of the nodes that fetched, the highest. */
      highestMB: rounded(Math.max(near.highestMB, away.highestMB)),
      files: FILES,
    };
  } finally {
    far.close();
  }
}

/** Two fresh members: one makes the files, the other fetches them. */
async function fetchedBy(
  context: BenchContext,
  { files, fileBytes }: Made,
  far?: FarAway,
): Promise<Fetched & { readonly delays: Delays }> {
  const [from, to] = await startMembers(context, {
    count: 2,
    listen: () => '127.0.0.1',
    ...(far !== undefined && { reachedAt: (address: string) => far.addressOf(address) }),
  });
  if (from === undefined || to === undefined) throw new CouldNotMeasure('Two members are needed.');
  const { bundle } = await from.ask<{ bundle: string }>({ do: 'make', seed: 1, files, fileBytes });
  const resting = new RestingLoop();
  await resting.start();
  await from.ask({ do: 'look' });
  const fetched = await to.ask<Fetched>({ do: 'fetch', bundle, holders: [from.number] });
  const delays = resting.beside([fetched, await from.ask<Looked>({ do: 'look' })]);
  await resting.stop();
  await Promise.all([from.end(), to.end()]);
  return { ...fetched, delays };
}
