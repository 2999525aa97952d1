import type { Connection, Stream } from '@libp2p/interface';
import {
  blobsAnswerSchema,
  encode,
  lobbyAnswerSchema,
  MalformedBytesError,
  verifyRecord,
} from '@cuadro/protocol';
import { FrameError } from '../../../node/src/blobs/transfer/frames.ts';
import { Lines } from '../../../node/src/blobs/transfer/lines.ts';
import { PieceMemory } from '../../../node/src/blobs/transfer/piece-memory.ts';
import { askLobby } from '../../../node/src/farm/asking.ts';
import type { FarmState } from '../../../node/src/farm/state.ts';
import { Session } from '../../../node/src/mesh/session.ts';
import { Tally } from '../../../node/src/mesh/tally.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { decoder, demand, type Decoder, type Reader, refusingLater } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { bytesLike, cborLike } from '../sources.ts';
import { validOf } from '../valid.ts';
import type { Wild } from '../wild-cbor.ts';
import { FARM, farmRecord, memberRecords, SIGNERS } from './signed-records.ts';
import { chunksOf, framesOf, keptOpen, piecesOf } from './streams.ts';

/** What this node is answered, by whomever it asked. */

const PEER = SIGNERS[1]?.peer as string;
const HASH = '0'.repeat(64);
const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const verify = createVerifier();

/** A kept-open stream of libp2p, of which the session asks no more than this. */
class FakeStream extends EventTarget {
  writeBufferLength = 0;
  send(): boolean {
    return true;
  }
}

function readSession(bytes: Uint8Array): 'taken' | 'refused' {
  const stream = new FakeStream();
  const aborted: unknown[] = [];
  const connection = Object.assign(new EventTarget(), {
    status: 'open',
    remotePeer: PEER,
    abort: (error: unknown) => void aborted.push(error),
  });
  const tally = new Tally();
  const session = new Session({
    connection: connection as unknown as Connection,
    stream: stream as unknown as Stream,
    tally,
    now: () => 0,
  });
  let [frames, closed] = [0, 0];
  session.listen({
    frame: ({ content }) => {
      demand(closed === 0, 'A frame is heard after the end.');
      demand(content.length <= bytes.length, 'A frame has more than was sent.');
      frames += 1;
    },
    closed: () => (closed += 1),
  });
  for (const piece of piecesOf(bytes))
    stream.dispatchEvent(Object.assign(new Event('message'), { data: piece }));
  const refused = tally.counts().refused['frame-invalid'];
  demand(
    session.isClosed === (refused !== undefined),
    'A session ends for nothing, or goes on after nonsense.',
  );
  demand(refused === undefined || (refused.peer === PEER && refused.count === 1), 'The sender is not named.');
  stream.dispatchEvent(new Event('close'));
  demand(closed === 1 && aborted.length === 1, 'An end is told more than once, or never.');
  return frames > 0 ? 'taken' : 'refused';
}

/** Answers to one request; the last of them is told by its kind. */
function blobsReader(): Reader<Uint8Array> {
  return {
    read: async (bytes) => {
      const clock = new ManualClock();
      const memory = new PieceMemory({ clock });
      let aborted = 0;
      const stream = {
        peer: PEER,
        write: async () => undefined,
        end: async () => undefined,
        abort: () => void (aborted += 1),
        chunks: chunksOf(bytes),
      };
      const lines = new Lines({ mesh: { open: async () => stream }, clock, memory }, { stallMs: 10_000 });
      let answers = 0;
      const verdict = await refusingLater([FrameError, MalformedBytesError], async () => {
        await lines.exchange(
          PEER,
          { kind: 'have', hashes: [HASH] },
          async (answer, body) => {
            demand(blobsAnswerSchema.safeParse(answer).success, 'What is taken is no answer.');
            demand(body.length <= bytes.length, 'A body has more than was sent.');
            memory.give(body);
            answers += 1;
            return answer.kind === 'have' || answer.kind === 'given' || answer.kind === 'busy';
          },
          new AbortController().signal,
        );
        return true;
      });
      demand((verdict === 'refused') === aborted > 0, 'A stream of nonsense is kept, or a good one is cut.');
      lines.close();
      memory.clear();
      // Whoever has an answer and no more of it waits for it to be cleared, and for nothing else.
      demand(clock.pendingTimers <= 1, 'A timer is left behind.');
      return answers > 0 ? 'taken' : 'refused';
    },
  };
}

const lobbyAnswer = (dice: Dice): Wild => {
  const members = memberRecords.slice(0, 1 + dice.below(3)) as unknown as Wild;
  const farm = farmRecord as unknown as Wild;
  const addresses = [{ peer: PEER, mesh: ['/ip4/127.0.0.1/tcp/7791'] }];
  switch (dice.below(4)) {
    case 0:
      return { kind: 'admitted', farm, members, addresses };
    case 1:
      return { kind: 'removed', farm, members };
    case 2:
      return { kind: 'known', addresses };
    default:
      return validOf(lobbyAnswerSchema)(dice);
  }
};

function lobbyReader(): Reader<Uint8Array> {
  const clock = new ManualClock();
  const stopping = new AbortController().signal;
  return {
    read: async (bytes) => {
      const refused: [string, string | undefined][] = [];
      const mesh = {
        askLobby: async () => ({ peer: PEER, answer: bytes }),
        refuse: (reason: string, peer: string | undefined) => void refused.push([reason, peer]),
      };
      const state = {
        components: { clock, mesh, logger, verify },
        options: { askTimeoutMs: 2_000 },
        stopping,
      };
      const asked = await askLobby(state as unknown as FarmState, ['/ip4/127.0.0.1/tcp/7790'], {
        kind: 'who',
        farm: FARM,
      });
      demand(clock.pendingTimers === 0, 'A timer is left behind.');
      demand(
        (asked === undefined) === (refused.length === 1),
        'An answer of no use is not counted, or a good one is.',
      );
      demand(
        refused.every(([, peer]) => peer === PEER),
        'The sender is not named.',
      );
      if (asked === undefined) return 'refused';
      const { answer } = asked;
      if (answer.kind === 'admitted' || answer.kind === 'removed')
        demand(
          answer.members.every((record) => verifyRecord(record, verify)),
          'A member is not signed.',
        );
      return 'taken';
    },
  };
}

export const askerDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'session',
    covers: ['node/src/mesh/session.ts'],
    sources: [{ file: 'node/src/mesh/session.ts', functions: ['listen', 'close', '#read'] }],
    input: bytesLike(keptOpen),
    open: () => ({ read: readSession }),
  }),
  decoder<Uint8Array>({
    name: 'blobs-asked',
    covers: ['node/src/blobs/transfer/lines.ts'],
    sources: [
      {
        file: 'node/src/blobs/transfer/lines.ts',
        functions: ['exchange', '#connect', '#exchangeOn', '#keep', '#drop', 'mayBePiece'],
      },
    ],
    input: bytesLike(
      framesOf((dice) => [
        encode(validOf(blobsAnswerSchema)(dice)),
        dice.bytes(dice.size(dice.once(200) ? 70_000 : 200)),
      ]),
    ),
    open: blobsReader,
  }),
  decoder<Uint8Array>({
    name: 'lobby-asked',
    covers: ['node/src/farm/asking.ts'],
    sources: ['node/src/farm/asking.ts'],
    input: cborLike(lobbyAnswer),
    open: lobbyReader,
  }),
];
