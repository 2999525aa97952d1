import {
  decode,
  encode,
  holdRequestSchema,
  MalformedBytesError,
  syncRequestSchema,
  blobsAnswerSchema,
} from '@cuadro/protocol';
import {
  FrameError as TransferFrameError,
  FrameReader,
  isNonsense,
} from '../../../node/src/blobs/transfer/frames.ts';
import { readAnnouncement, recordsOf } from '../../../node/src/mesh/announcement.ts';
import { decodeHello, encodeHello, readRefusal, REFUSALS, refusalOf } from '../../../node/src/mesh/hello.ts';
import {
  encodeFrame,
  FRAME,
  FrameDecoder,
  FrameError,
  readFirstFrame,
} from '../../../node/src/mesh/frames.ts';
import { FoundNodes } from '../../../node/src/mesh/found-nodes.ts';
import { SyncFault } from '../../../node/src/replicas/errors.ts';
import { FrameStream } from '../../../node/src/replicas/frames.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { decoder, demand, type Decoder, refusing, refusingLater, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { joined } from '../mutate.ts';
import { bytesLike, cborLike } from '../sources.ts';
import { validOf } from '../valid.ts';
import { FARM, SIGNERS } from './signed-records.ts';

/** Streams of bytes that come in pieces of any size, and what is said before anybody is known. */

const PEER = SIGNERS[0]?.peer as string;

/** Cuts an input at places that follow from itself, so that it comes in the same pieces each time. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  let step = ((bytes[0] ?? 0) + bytes.length) % 7;
  for (let at = 0; at < bytes.length; at += step) {
    step = 1 + ((step * 31 + (bytes[at] as number)) % (step > 200 ? 5 : 400));
    yield bytes.subarray(at, at + step);
  }
}

export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield* piecesOf(bytes);
}

const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

/** A frame with the length that it has, or with one that it hasn't. */
const lengthOf = (dice: Dice, length: number): Uint8Array =>
  u32(dice.once(40) ? dice.pick([0, 1, length + 1, length - 1, 2 ** 20, 2 ** 31, 2 ** 32 - 1]) : length);

export function keptOpen(dice: Dice): Uint8Array {
  const frames = Array.from({ length: 1 + dice.size(4) }, () =>
    dice.once(6)
      ? encodeFrame(FRAME.refusal, Buffer.from(dice.pick(REFUSALS)))
      : encodeFrame(dice.pick([FRAME.beat, FRAME.hello, FRAME.message, 9]), dice.bytes(dice.size(300))),
  );
  return joined(...frames);
}

async function readKeptOpen(bytes: Uint8Array): Promise<Verdict> {
  const frames = new FrameDecoder(1_000);
  const read: Uint8Array[] = [];
  const verdict = refusing([FrameError], () => {
    for (const piece of piecesOf(bytes)) {
      for (const { kind, content } of frames.decode(piece)) {
        demand(content.length <= 1_000, 'A frame exceeds its bound.');
        const refusal = readRefusal({ kind, content });
        const said = Buffer.from(content).toString();
        const isOne = kind === FRAME.refusal && (REFUSALS as readonly string[]).includes(said);
        demand(refusal === (isOne ? said : undefined), 'A frame is read as a refusal that it is not.');
        read.push(content);
      }
    }
    return read.length > 0 ? read : undefined;
  });
  // As the lobby reads it, where all but the first is of no use.
  let first: Uint8Array | undefined;
  const alone = await refusingLater([FrameError], async () => {
    first = (await readFirstFrame(chunksOf(bytes), 1_000))?.content;
    return first;
  });
  demand(first?.join() === read[0]?.join(), 'The first frame is another one where it stands alone.');
  demand(alone === 'taken' || read.length === 0, 'A frame is refused where it stands alone.');
  return verdict;
}

function syncFrames(dice: Dice): Uint8Array {
  const frames = Array.from({ length: 1 + dice.size(3) }, () => {
    const body = dice.once(4) ? hostileBytes(dice) : encode(validOf(syncRequestSchema)(dice));
    return joined(lengthOf(dice, body.length), body);
  });
  return joined(...frames);
}

function readSyncFrames(clock: ManualClock): (bytes: Uint8Array) => Promise<Verdict> {
  return (bytes) =>
    refusingLater([SyncFault], async () => {
      const stream = { write: async () => undefined, chunks: chunksOf(bytes), abort: () => undefined };
      const frames = new FrameStream({ clock, stream });
      let count = 0;
      while ((await frames.read()) !== undefined) count += 1;
      return count > 0 ? count : undefined;
    }).finally(() => demand(clock.pendingTimers === 0, 'A timer is left behind.'));
}

/** Some frames of a transfer, of heads and bodies with the lengths that they have as a rule. */
export const framesOf =
  (parts: (dice: Dice) => [head: Uint8Array, body: Uint8Array]) =>
  (dice: Dice): Uint8Array =>
    joined(
      ...Array.from({ length: 1 + dice.size(3) }, () => {
        const [head, body] = parts(dice);
        return joined(lengthOf(dice, head.length), lengthOf(dice, body.length), head, body);
      }),
    );

const transferFrames = framesOf((dice) => {
  const schema = dice.pick([holdRequestSchema, blobsAnswerSchema]);
  const head = dice.once(4) ? hostileBytes(dice) : encode(validOf(schema)(dice));
  return [head, dice.bytes(dice.size(200))];
});

const readTransferFrames = (bytes: Uint8Array): Promise<Verdict> =>
  refusingLater([TransferFrameError, MalformedBytesError], async () => {
    let heard = 0;
    const reader = new FrameReader(chunksOf(bytes), (more) => (heard += more));
    let count = 0;
    try {
      while ((await reader.next()) !== undefined) count += 1;
    } catch (error) {
      const isCut = error instanceof TransferFrameError && error.code === 'frame-cut';
      demand(isNonsense(error) !== isCut, 'What a peer said is neither nonsense nor cut off.');
      throw error;
    }
    demand(heard === bytes.length, 'Bytes were passed over.');
    return count > 0 ? count : undefined;
  });

function readHello(bytes: Uint8Array): Verdict {
  const hello = decodeHello(bytes);
  if (hello === undefined) return 'refused';
  demand(
    refusalOf(hello, FARM, { isMember: false, isDuplicate: false }) === 'not-a-member',
    'A stranger is let in.',
  );
  return decodeHello(encodeHello(hello)) === undefined ? 'refused' : 'taken';
}

/** Records as the library of multicast DNS gives them; the library's own form is not ours to read. */
function announcement(dice: Dice): { name: string; type: string; ttl: number; data: unknown } {
  const ports = [7_790, 7_791, 1, 65_535];
  const [, text] = recordsOf(
    'cuadro',
    {
      peer: PEER,
      farm: dice.once(2) ? FARM : undefined,
      lobbyPort: dice.pick(ports),
      meshPort: dice.once(2) ? dice.pick(ports) : undefined,
    },
    dice.once(4),
  );
  return { ...text, data: text.data.map((line) => new TextEncoder().encode(line)) };
}

function readAnnounced(): (bytes: Uint8Array) => Verdict {
  const nodes = new FoundNodes(150_000);
  let now = 0;
  return (bytes) =>
    refusing([MalformedBytesError], () => {
      const value = decode(bytes);
      if (typeof value !== 'object' || value === null) return undefined;
      const read = readAnnouncement('cuadro', value);
      if (read === undefined) return undefined;
      const { peer } = read.announcement;
      nodes.see(read.announcement, `10.0.${bytes.length % 64}.1`, (now += 10));
      if (read.isGoodbye) nodes.forget(peer);
      return read;
    });
}

const hello = { farm: FARM, addresses: ['/ip4/127.0.0.1/tcp/7791'], port: 7_791 };

export const streamDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'kept-open-frames',
    covers: [
      'node/src/mesh/frames.ts readFirstFrame',
      'node/src/mesh/frames.ts',
      'node/src/mesh/hello.ts readRefusal',
    ],
    sources: ['node/src/mesh/frames.ts'],
    input: bytesLike(keptOpen),
    open: () => ({ read: readKeptOpen }),
  }),
  decoder<Uint8Array>({
    name: 'sync-frames',
    covers: ['node/src/replicas/frames.ts'],
    sources: [{ file: 'node/src/replicas/frames.ts', functions: ['read', '#read', '#take'] }],
    input: bytesLike(syncFrames),
    open: () => ({ read: readSyncFrames(new ManualClock()) }),
  }),
  decoder<Uint8Array>({
    name: 'transfer-frames',
    covers: ['node/src/blobs/transfer/frames.ts', 'node/src/blobs/transfer/frames.ts isNonsense'],
    sources: [
      {
        file: 'node/src/blobs/transfer/frames.ts',
        functions: ['FrameReader', 'next', '#take', '#cut', 'isNonsense'],
      },
    ],
    input: bytesLike(transferFrames),
    open: () => ({ read: readTransferFrames }),
  }),
  decoder<Uint8Array>({
    name: 'hello',
    covers: ['node/src/mesh/hello.ts decodeHello', 'node/src/mesh/hello.ts'],
    sources: ['node/src/mesh/hello.ts'],
    input: cborLike((dice) => ({ ...hello, port: dice.pick([1, 7_791, 65_535]) })),
    open: () => ({ read: readHello }),
  }),
  decoder<Uint8Array>({
    name: 'announcement',
    covers: ['node/src/mesh/announcement.ts readAnnouncement', 'node/src/mesh/announcement.ts'],
    sources: ['node/src/mesh/announcement.ts', 'node/src/mesh/found-nodes.ts'],
    input: cborLike((dice) => announcement(dice) as never),
    open: () => ({ read: readAnnounced() }),
  }),
];
