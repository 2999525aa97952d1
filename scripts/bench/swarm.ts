import { availableParallelism } from 'node:os';
import { type Host, Lan, whyNoHosts } from '../../test/lan/support/hosts.ts';
import { byBitTorrent } from './content/bittorrent.ts';
import { RestingLoop, saidOf } from './content/delays.ts';
import type { Fetched, Looked } from './content/member.ts';
import { type Member, startMembers } from './content/members.ts';
import { overWire } from './content/over-wire.ts';
import { type Bench, type BenchContext, CouldNotMeasure, type Measured, median, rounded } from './harness.ts';

const MEGABYTES = Number(process.env['CUADRO_BENCH_MEGABYTES'] ?? 1_000);
const TAKERS = 8;
const LINK_MEGABITS = 100;
/** As a scene with its textures: several files, of which each is cut into pieces. */
const FILES = 20;

export const bench: Bench = {
  name: 'swarm',
  measures:
    `seconds for a bundle of ${MEGABYTES} MB in ${FILES} files from one node to ${TAKERS} that all want it at once, the slowest: ` +
    `real mesh, transfer and store, each on a host of its own in network namespaces, each link limited to ${LINK_MEGABITS} Mbit/s ` +
    'both ways. The baseline is one copy of as many bytes by raw TCP between two of the hosts. The ratio is slowest ÷ baseline. ' +
    'Beside it the same by aria2, a BitTorrent client, where that is installed. All hosts are this one machine, so the nodes wait ' +
    'for its processors: how late their loops ran is told with that wait and without it, beside the loop of a process at rest.',
  run,
};

async function run(context: BenchContext): Promise<Measured> {
  const why = whyNoHosts();
  if (why !== undefined) throw new CouldNotMeasure(why);
  const lan = new Lan();
  try {
    const hosts = Array.from({ length: TAKERS + 1 }, (_, i) =>
      lan.host({ name: `h${i + 1}`, networks: [1] }),
    );
    for (const host of hosts) {
      host.limit('eth0', LINK_MEGABITS);
      host.limitIncoming('eth0', LINK_MEGABITS);
    }
    const [source, taker] = hosts;
    if (source === undefined || taker === undefined) throw new CouldNotMeasure('Two hosts are needed.');
    const { seconds: ideal } = await overWire(context, {
      wire: 'tcp',
      bytes: MEGABYTES * 1_000_000,
      from: { address: source.addressOn(1), inside: source.inside },
      to: taker,
    });
    context.say(`One copy by raw TCP: ${ideal.toFixed(1)} s.`);
    const members = await startMembers(context, {
      count: TAKERS + 1,
      listen: (number) => hosts[number - 1]?.addressOn(1) ?? '',
      before: (number) => hosts[number - 1]?.inside ?? [],
    });
    const measured = await swarm(context, members, ideal);
    return { ...measured, ...(await besideIt(context, hosts, ideal)) };
  } finally {
    await lan.remove();
  }
}

/** A BitTorrent client with as many bytes in one file, on the same hosts. */
async function besideIt(
  context: BenchContext,
  hosts: readonly Host[],
  ideal: number,
): Promise<Record<string, number>> {
  const bytes = MEGABYTES * 1_000_000;
  const by = await byBitTorrent(context, { hosts, bytes, limitMs: ideal * 20 * 1_000 });
  if (by === undefined) {
    context.say('aria2 is not installed here, so there is no BitTorrent client beside it.');
    return {};
  }
  const slowest = Math.max(...by.seconds);
  context.say(`aria2, each: ${by.seconds.map((one) => one.toFixed(1)).join(', ')} s.`);
  return {
    bitTorrentS: rounded(slowest, 1),
    bitTorrentRatio: rounded(slowest / ideal, 3),
    bitTorrentSourceCopies: rounded(by.sourceCopies, 3),
  };
}

async function swarm(context: BenchContext, members: readonly Member[], ideal: number): Promise<Measured> {
  const [source, ...takers] = members;
  if (source === undefined) throw new CouldNotMeasure('No member was started.');
  const fileBytes = Math.ceil((MEGABYTES * 1_000_000) / FILES);
  const { bundle } = await source.ask<{ bundle: string }>({ do: 'make', seed: 1, files: FILES, fileBytes });
  await source.ask({ do: 'look' });
  const resting = new RestingLoop();
  await resting.start();
  const startedAt = performance.now();
  const fetched = await Promise.all(
    takers.map((taker) => taker.ask<Fetched>({ do: 'fetch', bundle, holders: [source.number] })),
  );
  const tookSeconds = (performance.now() - startedAt) / 1_000;
  const fromSource = await source.ask<Looked>({ do: 'look' });
  const { sentBytes, cpuSeconds } = fromSource;
  // Who had all early served the others from then on.
  const afterwards = await Promise.all(takers.map((taker) => taker.ask<Looked>({ do: 'look' })));
  const looks = [fromSource, ...fetched, ...afterwards];
  const delays = resting.beside(looks);
  await resting.stop();
  await Promise.all(members.map((member) => member.end()));
  const seconds = fetched.map((one) => one.seconds);
  const slowest = Math.max(...seconds);
  const received = fetched.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  context.say(`Each: ${seconds.map((one) => one.toFixed(1)).join(', ')} s.`);
  const cpuSecondsOfAll = looks.reduce((sum, look) => sum + look.cpuSeconds, 0);
  const processorShare = cpuSecondsOfAll / (availableParallelism() * tookSeconds);
  context.say(saidOf(delays));
  context.say(`The nodes took ${(processorShare * 100).toFixed(0)} % of all processors.`);
  return {
    value: rounded(slowest, 1),
    unit: 's',
    baseline: rounded(ideal, 1),
    ratio: rounded(slowest / ideal, 3),
    sourceCopies: rounded(sentBytes / (FILES * fileBytes), 3),
    medianS: rounded(median(seconds), 1),
    /** What was fetched more than once, of all. */
    twice: rounded(received / (TAKERS * FILES * fileBytes) - 1, 4),
    sourceCpuS: rounded(cpuSeconds, 1),
    takerCpuS: rounded(median(fetched.map((one) => one.cpuSeconds)), 1),
    highestMB: rounded(Math.max(...fetched.map(({ highestMB }) => highestMB))),
    ...delays,
    processorShare: rounded(processorShare, 2),
    megabytes: MEGABYTES,
  };
}
