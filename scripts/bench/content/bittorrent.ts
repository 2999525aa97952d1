import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Host } from '../../../test/lan/support/hosts.ts';
import { type BenchContext, CouldNotMeasure } from '../harness.ts';

/**
 * The same bytes by aria2 (Debian's package), a BitTorrent client: one host has the file, the others want it at once. No
 * tracker: they find each other by local peer discovery (BEP 14), and tell each other whom they know (BEP 11).
 */

const PIECE_BYTES = 2 ** 20;
const NAME = 'file.bin';
const POLL_MS = 100;

export interface ByBitTorrent {
  /** From the start of the takers to the last piece of each. */
  readonly seconds: number[];
  /** Bytes on the wire of the host that had the file, in the unit of the file. */
  readonly sourceCopies: number;
}

/** Undefined where aria2 is not installed. Errors: `CouldNotMeasure` where it does not end within `limitMs`. */
export async function byBitTorrent(
  context: Pick<BenchContext, 'folder'>,
  { hosts, bytes, limitMs }: { hosts: readonly Host[]; bytes: number; limitMs: number },
): Promise<ByBitTorrent | undefined> {
  const [source, ...takers] = hosts;
  if (!isInstalled() || source === undefined) return undefined;
  const folder = await context.folder('bittorrent');
  const folderOf = async ({ space }: Host): Promise<string> => {
    const path = join(folder, space);
    await mkdir(path);
    return path;
  };
  const torrent = join(folder, 'file.torrent');
  await writeFile(torrent, await makeTorrent(join(await folderOf(source), NAME), bytes));
  const hook = join(folder, 'complete');
  // It is called with an id, the number of files, and the path of the first.
  await writeFile(hook, '#!/bin/sh\n: > "$3.complete"\n');
  await chmod(hook, 0o755);
  const run = (host: Host, options: readonly string[]): void => {
    const place = [`--dir=${join(folder, host.space)}`, `--on-bt-download-complete=${hook}`];
    host.spawn('aria2c', [...COMMON, ...place, ...options, torrent]).stdout?.resume();
  };
  const sentBefore = sentBytes(source);
  run(source, ['--bt-seed-unverified=true']);
  const begun = performance.now();
  const paths = await Promise.all(
    takers.map(async (taker) => join(await folderOf(taker), `${NAME}.complete`)),
  );
  for (const taker of takers) run(taker, []);
  const seconds: number[] = [];
  const waiting = new Set(paths);
  while (waiting.size > 0) {
    if (performance.now() - begun > limitMs)
      throw new CouldNotMeasure(
        `${waiting.size} of ${takers.length} were not done after ${limitMs / 1_000} s.`,
      );
    await pause(POLL_MS);
    for (const path of waiting) {
      if (!existsSync(path)) continue;
      waiting.delete(path);
      seconds.push((performance.now() - begun) / 1_000);
    }
  }
  const sourceCopies = (sentBytes(source) - sentBefore) / bytes;
  await Promise.all(hosts.map((host) => host.killAll()));
  return { seconds, sourceCopies };
}

const COMMON = [
  '--no-conf=true',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=true',
  '--bt-lpd-interface=eth0',
  '--enable-peer-exchange=true',
  '--listen-port=6881',
  // Whoever is done goes on serving until it is ended, as a node does.
  '--seed-ratio=0',
  '--file-allocation=none',
  '--disk-cache=32M',
  '--console-log-level=error',
  '--summary-interval=0',
  '--quiet=true',
];

/** Of random bytes, written to the path: the metadata of a torrent of one file (BEP 3). */
async function makeTorrent(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path, 'wx');
  const pieces: Buffer[] = [];
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      const part = piece.subarray(0, Math.min(PIECE_BYTES, left));
      await file.write(randomFillSync(part));
      pieces.push(createHash('sha1').update(part).digest());
    }
  } finally {
    await file.close();
  }
  const hashes = Buffer.concat(pieces);
  const head = `d4:infod6:lengthi${bytes}e4:name${NAME.length}:${NAME}12:piece lengthi${PIECE_BYTES}e6:pieces${hashes.length}:`;
  return Buffer.concat([Buffer.from(head), hashes, Buffer.from('ee')]);
}

function isInstalled(): boolean {
  return spawnSync('aria2c', ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** What a host sent so far by its first cable, as its kernel counts. */
function sentBytes({ inside }: Host): number {
  const [program, ...words] = [...inside, 'cat', '/sys/class/net/eth0/statistics/tx_bytes'];
  return Number(execFileSync(program, words, { encoding: 'utf8' }));
}
