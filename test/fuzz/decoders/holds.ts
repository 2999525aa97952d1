import {
  encode,
  holdAnswerSchema,
  holdRequestSchema,
  type HoldItem,
  type JobRecord,
  knownRecordSchema,
  type KnownRecord,
  MalformedBytesError,
  RecordBytes,
} from '@cuadro/protocol';
import { BlobUnreachableError } from '../../../node/src/blobs/errors.ts';
import { FrameError, FrameReader } from '../../../node/src/blobs/transfer/frames.ts';
import type { MeshStream, StreamHandler } from '../../../node/src/mesh/interface.ts';
import { CopyLine } from '../../../node/src/replicas/copy-line.ts';
import { defaultCopyOptions } from '../../../node/src/replicas/copy-limits.ts';
import { RecordDoor } from '../../../node/src/replicas/door.ts';
import { Holding, type HoldingComponents } from '../../../node/src/replicas/holding.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { ManualClock } from '../../../node/src/system/manual-clock.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { decoder, demand, type Decoder, type Reader, refusingLater } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { mutateBytes, mutateValue } from '../mutate.ts';
import { bytesLike } from '../sources.ts';
import { validOf } from '../valid.ts';
import { type Wild, wildCbor } from '../wild-cbor.ts';
import { JOB, SIGNERS, signedRecords } from './signed-records.ts';
import { chunksOf, framesOf } from './streams.ts';

/** Both sides of a request to hold something: nothing but good records is merged, and each thing is answered once. */

const [SELF, PEER] = SIGNERS.map(({ peer }) => peer) as [string, string];
const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const job = signedRecords.find(({ kind }) => kind === 'job') as JobRecord;
const attempt = { epoch: { term: 2, peer: PEER }, sequence: 1 };
const logOfFailure: KnownRecord = {
  kind: 'task',
  job: JOB,
  index: 8,
  redo: 0,
  retry: 0,
  results: {},
  failures: {
    [`2.1.${PEER}`]: {
      attempt,
      peer: PEER,
      cause: 'failed',
      code: 'blender-crashed',
      message: 'Blender crashed.',
      lines: [],
      wallTime: 5,
      log: '3'.repeat(64),
      holders: { [PEER]: { held: true, counter: 1 } },
    },
  },
};
const heldJob: JobRecord = {
  ...job,
  holders: { ...job.holders, plan: { [PEER]: { held: true, counter: 1 } } },
};
const asked: readonly KnownRecord[] = [...signedRecords, heldJob, logOfFailure, logOfFailure];

function item(dice: Dice, id: number): Wild {
  const record = dice.pick(asked) as unknown as Wild & { kind?: string };
  const bytes = encode(record);
  const changed = dice.once(6) ? mutateBytes(dice, bytes, () => bytes) : bytes;
  const wild = dice.once(4)
    ? wildCbor(
        dice,
        mutateValue(dice, record, () => record),
      )
    : changed;
  const fitting = record.kind === 'job' ? 'job' : dice.pick(['result', 'result', 'failure']);
  const kind = dice.once(6) ? dice.pick(['result', 'job', 'failure', 'records']) : fitting;
  return kind === 'records' ? { kind, id, records: [wild, bytes] } : { kind, id, record: wild };
}

const request = (dice: Dice): Uint8Array => {
  if (dice.once(8)) return dice.once(2) ? hostileBytes(dice) : encode(validOf(holdRequestSchema)(dice));
  return encode({ kind: 'hold', items: Array.from({ length: 1 + dice.size(1) }, (_, id) => item(dice, id)) });
};

const answer = (dice: Dice): Uint8Array => {
  if (dice.once(3)) return encode(validOf(holdAnswerSchema)(dice));
  const outcome = (): Wild => {
    const id = dice.pick([1, 2, 3, 4, 2]);
    return dice.once(3) ? { kind: 'refused', id, reason: 'no-room' } : { kind: 'held', id, counter: 1 };
  };
  return encode({ kind: 'outcomes', outcomes: Array.from({ length: 1 + dice.size(3) }, outcome) });
};

const noBody = (dice: Dice): Uint8Array => (dice.once(30) ? dice.bytes(5) : new Uint8Array(0));

class Written {
  readonly chunks: Uint8Array[] = [];
  isAborted = false;

  stream(bytes: Uint8Array): MeshStream {
    return {
      peer: PEER,
      write: async (chunk) => void this.chunks.push(Uint8Array.from(chunk)),
      end: async () => undefined,
      abort: () => void (this.isAborted = true),
      chunks: this.#heard(bytes),
    };
  }

  /** It ends only after whoever reads has had the time to answer. */
  async *#heard(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    yield* chunksOf(bytes);
    await nextTurn();
  }

  /** The heads of the frames that were written. */
  async heads(): Promise<unknown[]> {
    const heads: unknown[] = [];
    const reader = new FrameReader(chunksOf(Buffer.concat(this.chunks)));
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next())
      heads.push(frame.head);
    return heads;
  }
}

/** Ids of the things that a stream asks for, in the frames before the first that is none. */
async function idsIn(bytes: Uint8Array): Promise<number[]> {
  const ids: number[] = [];
  const reader = new FrameReader(chunksOf(bytes));
  try {
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      const { data } = holdRequestSchema.safeParse(frame.head);
      if (data === undefined || frame.body.length > 0) break;
      ids.push(...data.items.map(({ id }) => id));
    }
  } catch {
    // What follows is no frame.
  }
  return ids;
}

/** Files come, or don't, by the last digits of their names; some are gone again when it is looked for them. */
const files = {
  fetch: async (_job: string, wanted: readonly { hash: string }[]) => {
    const gone = wanted.find(({ hash }) => hash.endsWith('1'));
    if (gone !== undefined) throw new BlobUnreachableError(gone.hash, [], 'nobody has it');
  },
  fetchTree: async () => undefined,
  areHere: async (_job: string, wanted: readonly { hash: string }[]) =>
    !wanted.some(({ hash }) => hash.endsWith('2')),
  isJobHere: async () => true,
};

function servedReader(): Reader<Uint8Array> {
  const bytesOf = new RecordBytes();
  const door = new RecordDoor({ verify: createVerifier(), bytes: bytesOf, held: () => undefined });
  const clock = new ManualClock();
  let serve: StreamHandler = async () => undefined;
  let refused: (string | undefined)[] = [];
  let unreadable = 0;
  const components = {
    mesh: {
      self: SELF,
      serve: (_protocol: string, handler: StreamHandler) => (serve = handler),
      refuse: (_reason: string, peer: string | undefined) => void refused.push(peer),
    },
    queries: {
      jobRecord: (id: string) => (id === JOB ? job : undefined),
      taskRecord: () => undefined,
      removed: () => new Set<string>(),
    },
    files,
    read: (bytes: Uint8Array) => {
      const read = door.read(bytes);
      if (read.kind === 'record') return read.record;
      unreadable += 1;
      return undefined;
    },
    merge: async (from: string, records: readonly KnownRecord[]) => {
      demand(from === PEER, 'Records come from another one than sent them.');
      for (const record of records)
        demand(knownRecordSchema.safeParse(record).success, 'What is merged is no record.');
    },
    isLeaving: () => false,
    clock,
    logger,
  } as unknown as HoldingComponents;
  new Holding(components, defaultCopyOptions).start();
  return {
    read: async (bytes) => {
      refused = [];
      unreadable = 0;
      const written = new Written();
      let held = 0;
      const verdict = await refusingLater([FrameError, MalformedBytesError], async () => {
        await serve(written.stream(bytes));
        return true;
      });
      await nextTurn();
      const waiting = (await idsIn(bytes)).sort((a, b) => a - b);
      const isWhole = verdict === 'taken';
      for (const head of await written.heads()) {
        const read = holdAnswerSchema.parse(head);
        if (read.kind !== 'outcomes') continue;
        for (const outcome of read.outcomes) {
          const at = waiting.indexOf(outcome.id);
          demand(at >= 0, 'It is answered what nobody asked for.');
          waiting.splice(at, 1);
          if (outcome.kind === 'held') held += 1;
        }
      }
      demand(!isWhole || waiting.length === 0, 'Something that was asked for is not answered.');
      demand(refused.length === unreadable, 'A record that is none is not counted.');
      demand(
        refused.every((peer) => peer === PEER),
        'The sender is not named.',
      );
      demand(clock.pendingTimers === 0, 'A timer is left behind.');
      return held > 0 ? 'taken' : 'refused';
    },
  };
}

const OWED: readonly HoldItem[] = [1, 2, 3].map((id) => ({ kind: 'records', id, records: [] }));

function askedReader(): Reader<Uint8Array> {
  return {
    read: async (bytes) => {
      const clock = new ManualClock();
      const written = new Written();
      const owed = new Set(OWED.map(({ id }) => id));
      const ended = Promise.withResolvers<{ left: readonly HoldItem[]; error: unknown }>();
      let ends = 0;
      const mesh = { open: async () => written.stream(bytes) };
      const line = new CopyLine({ mesh, clock }, PEER, {
        stallMs: 10_000,
        onOutcomes: (outcomes) => {
          for (const { id } of outcomes)
            demand(owed.delete(id), 'It is answered what nobody asked for, or twice.');
        },
        onEnd: (left, error) => {
          ends += 1;
          ended.resolve({ left, error });
        },
      });
      for (const each of OWED) line.ask(each);
      const { left, error } = await ended.promise;
      await nextTurn();
      demand(
        left.map(({ id }) => id).join() === [...owed].join(),
        'Other things are owed than have no answer.',
      );
      demand(
        error instanceof FrameError || error instanceof MalformedBytesError,
        `It ends by ${String(error)}.`,
      );
      demand(
        ends === 1 && written.isAborted && clock.pendingTimers === 0,
        'The end leaves something behind.',
      );
      return owed.size < OWED.length ? 'taken' : 'refused';
    },
  };
}

export const holdDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'hold-served',
    covers: ['node/src/replicas/holding.ts'],
    sources: ['node/src/replicas/holding.ts', 'node/src/replicas/job-copy.ts'],
    input: bytesLike(framesOf((dice) => [request(dice), noBody(dice)])),
    open: servedReader,
  }),
  decoder<Uint8Array>({
    name: 'hold-asked',
    covers: ['node/src/replicas/copy-line.ts'],
    sources: ['node/src/replicas/copy-line.ts'],
    input: bytesLike(framesOf((dice) => [answer(dice), noBody(dice)])),
    open: askedReader,
  }),
];
