import { FarAway } from './content/far-away.ts';
import type { Fetched } from './content/member.ts';
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
    'the same to a node that is near; the ratio, far ÷ near, shows what distance costs. A round trip for each file would take ' +
    `${Math.round((FILES * 2 * ONE_WAY_MS) / 1_000)} s more.`,
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
    return {
      value: rounded(away.seconds, 2),
      unit: 's',
      baseline: rounded(near.seconds, 2),
      ratio: rounded(away.seconds / near.seconds, 3),
      /** Round trips that would explain the difference, for each thousand files. */
      tripsPerThousand: rounded(
        Math.max(0, away.seconds - near.seconds) / ((2 * ONE_WAY_MS) / 1_000) / (FILES / 1_000),
        1,
      ),
      filesPerSecond: rounded(FILES / near.seconds),
      /** As many bytes as one file, to a node that is near. */
      oneFileS: rounded(one.seconds, 2),
      loopDelayP99Ms: rounded(near.loopDelayP99Ms, 1),
      residentMB: rounded(near.residentMB),
      files: FILES,
    };
  } finally {
    far.close();
  }
}

/** Two fresh members: one makes the files, the other fetches them. */
async function fetchedBy(context: BenchContext, { files, fileBytes }: Made, far?: FarAway): Promise<Fetched> {
  const [from, to] = await startMembers(context, {
    count: 2,
    listen: () => '127.0.0.1',
    ...(far !== undefined && { reachedAt: (address: string) => far.addressOf(address) }),
  });
  if (from === undefined || to === undefined) throw new CouldNotMeasure('Two members are needed.');
  const { bundle } = await from.ask<{ bundle: string }>({ do: 'make', seed: 1, files, fileBytes });
  const fetched = await to.ask<Fetched>({ do: 'fetch', bundle, holders: [from.number] });
  await Promise.all([from.end(), to.end()]);
  return fetched;
}
