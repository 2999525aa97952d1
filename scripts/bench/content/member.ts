import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type BlobHash, encode, type PeerId, readBundle } from '@cuadro/protocol';
import type { BlobStore } from '../../../node/src/blobs/interface.ts';
import { createFileBlobStore } from '../../../node/src/blobs/store.ts';
import type { Transfer, TransferStatus } from '../../../node/src/blobs/transfer/interface.ts';
import { defaultTransferOptions } from '../../../node/src/blobs/transfer/limits.ts';
import { Lines } from '../../../node/src/blobs/transfer/lines.ts';
import { PieceMemory } from '../../../node/src/blobs/transfer/piece-memory.ts';
import { createTransfer } from '../../../node/src/blobs/transfer/transfer.ts';
import { Bits, Units } from '../../../node/src/blobs/transfer/units.ts';
import type { Mesh } from '../../../node/src/mesh/interface.ts';
import { createMesh } from '../../../node/src/mesh/mesh.ts';
import { createSystemClock } from '../../../node/src/system/clock.ts';
import { identityOf } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { createLoopDelay, type LoopDelay } from '../../../node/src/system/metrics.ts';
import { createSystemRandom } from '../../../node/src/system/random.ts';
import { disguised } from '../../../test/unit/disguised.ts';
import { OwnDelay } from '../own-delay.ts';
import { writeNoise } from './noise.ts';
import { type SceneCommand, submitScene } from './scene.ts';

/**
 * One machine of the benches that move files: store, transfer and mesh, composed as in a node, and nothing else. A
 * process of its own (`member.ts INIT`, as JSON) that takes one command a line and answers each with one line.
 */

export const FARM = 'aaaaaaaaaaaaaaaa';
const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
export const peerOf = (number: number): PeerId => identityOf(seedOf(number)).peer;

export interface MemberInit {
  readonly folder: string;
  /** From 1; its key follows from it. */
  readonly number: number;
  /** How many there are. */
  readonly members: number;
  readonly listen: string;
  /** A machine whose memory is bad: one bit of each piece that it serves is another one. */
  readonly spoils?: boolean;
  /** It counts what came from each of the others, which costs a little for every chunk. */
  readonly countsSenders?: boolean;
}

export type MemberCommand =
  | { readonly do: 'address'; readonly of: number; readonly addresses: readonly string[] }
  /** Resolves when all of these are reachable. */
  | { readonly do: 'reach'; readonly members: readonly number[] }
  /** Makes files of noise that follows from `seed`, and their bundle. */
  | { readonly do: 'make'; readonly seed: number; readonly files: number; readonly fileBytes: number }
  | SceneCommand
  | { readonly do: 'fetch'; readonly bundle: BlobHash; readonly holders: readonly number[] }
  /** Resolves when these members have, together, all of a bundle that is here. */
  | { readonly do: 'cover'; readonly bundle: BlobHash; readonly members: readonly number[] }
  | { readonly do: 'look' };

export interface Looked {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The most that the process had in memory since it began. */
  readonly highestMB: number;
  /** Requests made of others, by kind. */
  readonly requests: TransferStatus['requests'];
  /** What came by its own requests from each member, by number, heads and all; nothing where it doesn't count them. */
  readonly receivedFrom: Readonly<Record<number, number>>;
  /** Since the last look. */
  readonly loopDelayP99Ms: number;
  /** The same without what the process waited for a processor; null where the system doesn't count it. */
  readonly ownDelayP99Ms: number | null;
  readonly cpuSeconds: number;
  /** Members that sent what didn't fit. */
  readonly liars: readonly number[];
}

export type Fetched = Looked & { readonly seconds: number };

const clock = createSystemClock();
const random = createSystemRandom();

/** What goes wrong belongs to the figures; nothing else does. */
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
};

interface Parts {
  readonly init: MemberInit;
  readonly mesh: Mesh;
  readonly blobs: BlobStore;
  readonly transfer: Transfer;
  readonly delay: LoopDelay;
  readonly ownDelay: OwnDelay;
  readonly receivedFrom: Readonly<Record<number, number>>;
}

async function start(init: MemberInit): Promise<Parts> {
  const { folder, number, members, listen } = init;
  const mesh = createMesh(
    { clock, random, logger },
    { privateKey: seedOf(number), listen: [listen], meshPort: 0, lobbyPort: 0, serviceName: undefined },
  );
  const blobs = createFileBlobStore({ clock, random }, { folder: join(folder, 'store') });
  const served = init.spoils === true ? spoiling(blobs) : blobs;
  const receivedFrom: Record<number, number> = {};
  const opened = init.countsSenders === true ? countingSenders(mesh, init.members, receivedFrom) : mesh;
  const transfer = createTransfer({ mesh: opened, blobs: served, clock, random, logger });
  const delay = createLoopDelay();
  const ownDelay = new OwnDelay();
  ownDelay.start();
  await mkdir(folder, { recursive: true });
  for (const part of [blobs, transfer, mesh, delay]) await part.start();
  const peers = Array.from({ length: members }, (_, i) => peerOf(i + 1));
  mesh.setMembership({ farm: FARM, members: new Set(peers) });
  return { init, mesh, blobs, transfer, delay, ownDelay, receivedFrom };
}

/** The same, where what comes on streams that are opened here is counted by the member at their other end. */
function countingSenders(mesh: Mesh, members: number, received: Record<number, number>): Mesh {
  const numbers = new Map(Array.from({ length: members }, (_, i) => [peerOf(i + 1), i + 1]));
  const open: Mesh['open'] = async (...call) => {
    const stream = await mesh.open(...call);
    const number = numbers.get(stream.peer) ?? 0;
    const chunks = counted(stream.chunks, (bytes) => (received[number] = (received[number] ?? 0) + bytes));
    return {
      peer: stream.peer,
      chunks,
      write: (...one) => stream.write(...one),
      end: () => stream.end(),
      abort: (reason) => stream.abort(reason),
    };
  };
  return disguised(mesh, { open });
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}

function spoiling(blobs: BlobStore): BlobStore {
  const open: BlobStore['open'] = async (...call) => {
    const reader = await blobs.open(...call);
    return { ...reader, chunks: spoilt(reader.chunks) };
  };
  return disguised(blobs, { open });
}

async function* spoilt(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const copy = Uint8Array.from(chunk);
    copy[0] = (copy[0] ?? 0) ^ 1;
    yield copy;
  }
}

async function listening(mesh: Mesh): Promise<readonly string[]> {
  for (;;) {
    const { meshAddresses } = mesh.status();
    if (meshAddresses.length > 0) return meshAddresses;
    await clock.sleep(20, {});
  }
}

async function carryOut(parts: Parts, command: MemberCommand): Promise<unknown> {
  const { mesh, transfer } = parts;
  switch (command.do) {
    case 'address':
      return mesh.addAddresses(peerOf(command.of), command.addresses);
    case 'reach': {
      const missing = (): boolean =>
        command.members.some((number) => !mesh.reachable().includes(peerOf(number)));
      while (missing()) await clock.sleep(20, {});
      return;
    }
    case 'make':
      return make(parts, command);
    case 'submit':
      return submitScene({ blobs: parts.blobs, folder: parts.init.folder }, command);
    case 'fetch': {
      const holders = command.holders.map(peerOf);
      look(parts);
      const startedAt = performance.now();
      await transfer.ensureTree(command.bundle, { holders: () => holders, pin: 'bench' });
      return { seconds: (performance.now() - startedAt) / 1_000, ...look(parts) };
    }
    case 'cover':
      return cover(parts, command);
    case 'look':
      return look(parts);
  }
}

/** Asks them again and again what they have, as whoever fetches does (SPEC R151). */
async function cover(
  { mesh, blobs }: Parts,
  { bundle, members }: Extract<MemberCommand, { do: 'cover' }>,
): Promise<void> {
  const { count } = new Units(readBundle(await blobs.read(bundle)));
  const lines = new Lines(
    { mesh, clock, memory: new PieceMemory({ clock }) },
    { stallMs: defaultTransferOptions.stallMs },
  );
  const all = new Bits(count);
  const { signal } = new AbortController();
  while (all.count < count) {
    for (const number of members) {
      const take = (unit: number): boolean => {
        all.add(unit);
        return true;
      };
      await lines.exchange(
        peerOf(number),
        { kind: 'parts', bundle },
        async (answer, body) => {
          if (answer.kind === 'parts')
            new Bits(count, answer.whole ? new Uint8Array(count).fill(255) : body).walk(take);
          return true;
        },
        signal,
      );
    }
    await clock.sleep(20, {});
  }
  lines.close();
}

let cpuBefore = process.cpuUsage();

function look({ init, transfer, delay, ownDelay, receivedFrom }: Parts): Looked {
  const { sentBytes, receivedBytes, requests, liars } = transfer.status();
  const { user, system } = process.cpuUsage(cpuBefore);
  const p99Ms = delay.percentileMs(99);
  const ownP99Ms = ownDelay.percentileMs(99);
  delay.reset();
  ownDelay.reset();
  cpuBefore = process.cpuUsage();
  return {
    sentBytes,
    receivedBytes,
    highestMB: (process.resourceUsage().maxRSS * 1_024) / 1e6,
    requests,
    receivedFrom: { ...receivedFrom },
    loopDelayP99Ms: p99Ms,
    ownDelayP99Ms: Number.isNaN(ownP99Ms) ? null : ownP99Ms,
    cpuSeconds: (user + system) / 1e6,
    liars: Array.from({ length: init.members }, (_, i) => i + 1).filter((number) => peerOf(number) in liars),
  };
}

/** Files by the thousand are stored as they would be traced from a scene: many in one call. */
async function make(
  { init, blobs }: Parts,
  { seed, files, fileBytes }: Extract<MemberCommand, { do: 'make' }>,
): Promise<{ bundle: BlobHash }> {
  const folder = join(init.folder, `made-${seed}`);
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (let i = 0; i < files; i++) {
    const path = join(folder, `${i}.bin`);
    await writeNoise(path, `${seed}/${i}`, fileBytes);
    paths.push(path);
  }
  const sources = paths.map((path) => ({ path, mode: 'move' as const }));
  const stored = await blobs.putMany(sources, { pin: 'bench' });
  const bundle = {
    version: 1,
    main: 'f/0.bin',
    files: stored.map(({ hash, sizeBytes }, i) => ({ path: `f/${i}.bin`, blob: hash, sizeBytes })),
    remap: [],
  };
  const { hash } = await blobs.putBytes(encode(bundle), { pin: 'bench' });
  return { bundle: hash };
}

async function main(init: MemberInit): Promise<void> {
  const parts = await start(init);
  const answer = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value ?? null)}\n`);
  answer({ addresses: await listening(parts.mesh) });
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    carryOut(parts, JSON.parse(line) as MemberCommand).then(answer, (error: unknown) =>
      answer({ error: String(error) }),
    );
  });
  await once(lines, 'close');
  parts.ownDelay.stop();
  for (const part of [parts.delay, parts.mesh, parts.transfer, parts.blobs]) await part.stop();
}

if (import.meta.main) await main(JSON.parse(process.argv[2] as string) as MemberInit);
