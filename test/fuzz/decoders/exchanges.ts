import {
  encode,
  knownRecordSchema,
  type KnownRecord,
  RecordBytes,
  recordKey,
  syncAnswerSchema,
  syncRequestSchema,
} from '@cuadro/protocol';
import { digestOf, RecordDigests } from '../../../node/src/replicas/digests.ts';
import { RecordDoor } from '../../../node/src/replicas/door.ts';
import { SyncFault } from '../../../node/src/replicas/errors.ts';
import { FrameStream } from '../../../node/src/replicas/frames.ts';
import { Intake } from '../../../node/src/replicas/intake.ts';
import { openExchange } from '../../../node/src/replicas/opener.ts';
import { Refusals } from '../../../node/src/replicas/refusals.ts';
import { serveExchange } from '../../../node/src/replicas/server.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { decoder, demand, type Decoder, type Reader, refusingLater } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { joined } from '../mutate.ts';
import { cborOf } from '../sources.ts';
import { validOf } from '../valid.ts';
import { JOB, signedRecords } from './signed-records.ts';
import { piecesOf } from './streams.ts';

/** Both sides of an exchange of records, with whatever the other side says: nothing but good records comes in. */

const PEER = '12D3KooWAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const clock = new ManualClock();
const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const verify = createVerifier();

/** This side's records: some of those that the other may send, so that it has, lacks and differs. */
const held: ReadonlyMap<string, KnownRecord> = new Map(
  signedRecords.slice(0, 8).map((record) => [recordKey(record), record]),
);
const bytes = new RecordBytes();
const digests = new RecordDigests();
for (const [key, record] of held) digests.put(key, digestOf(key, encode(record)));
const root = digests.root();

function sideOf(run: typeof serveExchange | typeof openExchange): Reader<Uint8Array> {
  const door = new RecordDoor({ verify, bytes, held: (key) => digests.get(key) });
  return {
    read: async (input) => {
      const refusals = new Refusals(logger);
      const deliver = async (_from: string, records: KnownRecord[]): Promise<void> => {
        for (const record of records)
          demand(knownRecordSchema.safeParse(record).success, 'No record is delivered.');
      };
      const intake = new Intake({ door, deliver, refusals }, { peer: PEER });
      const chunks = (async function* () {
        yield* piecesOf(input);
      })();
      const stream = { write: async () => undefined, chunks, abort: () => undefined };
      const frames = new FrameStream({ clock, stream });
      const verdict = await refusingLater([SyncFault, CutOff], async () => {
        try {
          await run({
            frames,
            digests,
            bytes,
            intake,
            records: { get: (key) => held.get(key), all: () => held.values() },
          });
          return true;
        } catch (error) {
          // The opener waits for an answer that doesn't come: the stream ended, which is no fault.
          if ((error as { code?: unknown }).code === 'stream-ended') throw new CutOff();
          throw error;
        }
      });
      demand(clock.pendingTimers === 0, 'A timer is left behind.');
      demand(Buffer.compare(root, digests.root()) === 0, 'The digests have changed by themselves.');
      for (const { peer } of Object.values(refusals.counts()))
        demand(peer === PEER, 'The sender is not named.');
      return verdict;
    },
  };
}

class CutOff extends Error {}

const digest = (record: KnownRecord): Uint8Array => digestOf(recordKey(record), encode(record));
const sent = (dice: Dice): Uint8Array =>
  dice.once(3) ? encode(validOf(knownRecordSchema)(dice)) : encode(dice.pick(signedRecords));

function framed(dice: Dice, bodies: readonly Uint8Array[]): Uint8Array {
  return joined(
    ...bodies.map((body) => {
      const length = dice.once(60) ? dice.pick([0, body.length + 1, 2 ** 31]) : body.length;
      return joined(Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length), body);
    }),
  );
}

function asked(dice: Dice): Uint8Array {
  const bodies = Array.from({ length: 1 + dice.size(3) }, () => {
    switch (dice.below(5)) {
      case 0:
        return encode({ kind: 'push', records: [sent(dice), sent(dice)], last: dice.once(2) });
      case 1:
        return encode({ kind: 'ask-keys', buckets: [{ group: JOB, bucket: dice.pick([0, 1, 'job']) }] });
      case 2: {
        const names = Uint8Array.of(0, 1, 44).subarray(0, 1 + dice.below(3));
        return encode({
          kind: 'pull',
          wants: [{ group: JOB, bucket: 0, names, digests: new Uint8Array(16 * names.length) }],
        });
      }
      case 3:
        return dice.once(4) ? hostileBytes(dice) : encode({ kind: 'hello', root: dice.bytes(16) });
      default:
        return cborOf(syncRequestSchema)(dice);
    }
  });
  return framed(dice, bodies);
}

/** The answers of one who has one record more, true ones as a rule. */
function answered(dice: Dice): Uint8Array {
  const news = dice.pick(signedRecords);
  const other = dice.bytes(16);
  const answers: object[] = [
    { kind: 'groups', root: other, groups: ['other', JOB], digests: dice.bytes(32), last: true },
    {
      kind: 'buckets',
      lists: [
        { group: 'other', buckets: ['other'], counts: [3], digests: dice.bytes(16) },
        { group: JOB, buckets: ['job', 0], counts: [1, 2], digests: joined(digest(news), dice.bytes(16)) },
      ],
      last: true,
    },
    {
      kind: 'keys',
      lists: [{ group: 'other', bucket: 'other', names: [recordKey(news)], digests: digest(news) }],
      last: true,
    },
    { kind: 'records', records: [encode(news)], moved: 0, last: true },
    { kind: 'taken', refused: 0 },
    {
      kind: 'keys',
      lists: [{ group: JOB, bucket: 0, names: Uint8Array.of(44), digests: digest(news) }],
      last: true,
    },
    { kind: 'records', records: [sent(dice)], moved: 1, last: true },
    { kind: 'taken', refused: 1 },
  ];
  const bodies = answers.map((answer) => encode(answer));
  if (dice.once(2))
    bodies[dice.below(bodies.length)] = dice.once(6) ? hostileBytes(dice) : cborOf(syncAnswerSchema)(dice);
  if (dice.once(5)) bodies.splice(dice.below(bodies.length), 1);
  if (dice.once(12)) bodies.splice(0, bodies.length, encode({ kind: 'busy' }));
  return framed(dice, bodies);
}

export const exchangeDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'exchange-served',
    covers: ['node/src/replicas/server.ts'],
    sources: ['node/src/replicas/server.ts', 'node/src/replicas/intake.ts', 'node/src/replicas/pages.ts'],
    input: asked,
    open: () => sideOf(serveExchange),
  }),
  decoder<Uint8Array>({
    name: 'exchange-opened',
    covers: ['node/src/replicas/asking.ts'],
    sources: ['node/src/replicas/asking.ts', 'node/src/replicas/opener.ts'],
    input: answered,
    open: () => sideOf(openExchange),
  }),
];
