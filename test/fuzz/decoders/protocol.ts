import {
  assertWritable,
  blobsAnswerSchema,
  blobsRequestSchema,
  bundleSchema,
  checkedBy,
  compileJob,
  CuadroError,
  decode,
  decodeMessage,
  diaryEntries,
  encode,
  gossipedRecordsSchema,
  holdAnswerSchema,
  holdRequestSchema,
  isCanonical,
  isSurelyCanonical,
  JOB_TYPES,
  knownRecordSchema,
  type KnownRecord,
  LOBBY_BYTES_MAX,
  lobbyAnswerSchema,
  lobbyRequestSchema,
  MalformedBytesError,
  mergeRecords,
  messageSchema,
  misfitsSince,
  placeOf,
  planSchema,
  PlanView,
  readBundle,
  RecordBytes,
  recordKey,
  syncAnswerSchema,
  syncRequestSchema,
  verifyRecord,
} from '@cuadro/protocol';
import { type z, ZodError } from 'zod';
import { readPlan } from '../../../node/src/jobs/content.ts';
import { RecordDoor } from '../../../node/src/replicas/door.ts';
import { assertTreePaths } from '../../../node/src/blobs/tree-path.ts';
import { TreePathUnsafeError } from '../../../node/src/blobs/errors.ts';
import { TaskReader } from '../../../node/src/store/task-reader.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import type { Logger } from '../../../node/src/system/interface.ts';
import { decoder, demand, type Decoder, refusing, refusingLater, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { cborLike, cborOf } from '../sources.ts';
import { validOf } from '../valid.ts';
import type { Wild } from '../wild-cbor.ts';
import { signedRecords } from './signed-records.ts';

/** What members and strangers say: bytes that are read to values, and values of a form. */

const silent = (): void => undefined;
const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Signed ones, and those that the schema makes, which have more kinds of properties and bad signatures. */
const anyRecord = (dice: Dice): Wild =>
  dice.once(3) ? validOf(knownRecordSchema)(dice) : (dice.pick(signedRecords) as unknown as Wild);

function readCodec(bytes: Uint8Array): Verdict {
  const surely = isSurelyCanonical(bytes);
  let value: unknown;
  const verdict = refusing([MalformedBytesError], () => {
    value = decode(bytes);
    return true;
  });
  if (verdict === 'refused') {
    demand(!surely, 'Bytes that are surely canonical are refused.');
    return verdict;
  }
  const canonical = encode(value);
  demand(isCanonical(bytes, value) === same(canonical, bytes), 'The quick look and the slow one differ.');
  demand(!surely || same(canonical, bytes), 'Bytes that are surely canonical encode to others.');
  demand(same(encode(decode(canonical)), canonical), 'Canonical bytes encode to others.');
  return verdict;
}

/** Reads by a schema as the doors do; what is taken is of one form, whatever else stood in it. */
function shaped(
  name: string,
  schema: z.ZodType,
  { file, limitBytes }: { file: string; limitBytes?: number },
): Decoder {
  return decoder<Uint8Array>({
    name,
    covers: [],
    sources: ['protocol/src/checked-by.ts', file],
    input: cborOf(schema),
    open: () => ({
      read: (bytes) =>
        refusing([MalformedBytesError], () => {
          const parsed = checkedBy(schema, decode(bytes, limitBytes));
          if (!parsed.success) return undefined;
          demand(checkedBy(schema, parsed.data).success, 'What was read is refused when it is read again.');
          return parsed.data;
        }),
    }),
  });
}

function readRecordAtDoor(): (bytes: Uint8Array) => Verdict {
  const bytes = new RecordBytes();
  const tasks = new TaskReader();
  const verify = createVerifier();
  const door = new RecordDoor({
    verify,
    bytes,
    held: () => undefined,
    readTask: (given) => tasks.read(given),
  });
  return (given) => {
    const read = door.read(given);
    if (read.kind !== 'record') return 'refused';
    demand(same(encode(read.record), given), 'A record that was let in encodes to other bytes.');
    demand(read.key === recordKey(read.record), 'A record stands under another key than its own.');
    demand(placeOf(read.key).group !== '', 'A record has no place in an exchange.');
    demand(same(bytes.of(read.record), given), 'Other bytes than came are remembered.');
    return 'taken';
  };
}

/** Merges what has the form of a record with every record of its key: any order gives the same. */
function readAndMerge(): (bytes: Uint8Array) => Verdict {
  const verify = (_: string, _bytes: Uint8Array, signature: Uint8Array): boolean => signature[0] !== 255;
  return (bytes) =>
    refusing([MalformedBytesError], () => {
      const value = decode(bytes);
      if (!checkedBy(knownRecordSchema, value).success) return undefined;
      const record = value as KnownRecord;
      verifyRecord(record, verify);
      if (record.kind === 'diary') {
        const told = diaryEntries([record]).length;
        demand(told <= Object.keys(record.entries).length, 'A diary tells more than stands in it.');
        for (const count of misfitsSince([record], 0).values())
          demand(count > 0, 'Misfits are counted that are none.');
      }
      for (const other of signedRecords) {
        if (recordKey(other) !== recordKey(record)) continue;
        const merged = mergeRecords(other, record);
        demand(same(encode(merged), encode(mergeRecords(record, other))), 'The order of a merge matters.');
        demand(
          same(encode(mergeRecords(merged, record)), encode(merged)),
          'A second merge changes something.',
        );
        refusing([CuadroError], () => assertWritable(merged, other) ?? true);
      }
      return record;
    });
}

function readPlanFile(bytes: Uint8Array): Promise<Verdict> {
  const blobs = { has: async () => ({ sizeBytes: bytes.length }), read: async () => bytes };
  const components = { blobs, content: { ensure: async () => undefined }, logger };
  return refusingLater([MalformedBytesError, ZodError, CuadroError, RangeError], async () => {
    const plan = await readPlan(components as unknown as Parameters<typeof readPlan>[0], '0'.repeat(64));
    demand(plan !== undefined, 'A plan that is here is not found.');
    const view = new PlanView(plan);
    if (view.taskCount > 0) {
      const last = view.task(view.taskCount - 1);
      demand(last?.index === view.taskCount - 1, 'The last task of a plan has another index.');
      view.dependencies(last.index);
      view.find(last.name);
    }
    view.find('#0');
    return view;
  });
}

function readBundleFiles(bytes: Uint8Array): Verdict {
  return refusing([MalformedBytesError, ZodError, TreePathUnsafeError], () => {
    const { files } = readBundle(bytes);
    assertTreePaths(files.map(({ path }) => path));
    return files;
  });
}

const types = [...JOB_TYPES.values()];

function readSettings(bytes: Uint8Array): Verdict {
  return refusing([MalformedBytesError, CuadroError], () => {
    const value = decode(bytes);
    let compiled: unknown;
    for (const type of types) {
      refusing([CuadroError], () => {
        compiled = compileJob(type, value);
        return compiled;
      });
    }
    return compiled;
  });
}

/** The rest of the file reads addresses, which are fuzzed as texts. */
const lobby = { file: 'protocol/src/lobby.ts', limitBytes: LOBBY_BYTES_MAX };

export const protocolDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'codec',
    covers: [
      'protocol/src/codec.ts decode',
      'protocol/src/canonical.ts isCanonical',
      'protocol/src/canonical.ts isSurelyCanonical',
      'protocol/src/quick-decode.ts',
    ],
    sources: [
      'protocol/src/codec.ts',
      'protocol/src/canonical.ts',
      'protocol/src/quick-encode.ts',
      'protocol/src/quick-decode.ts',
    ],
    input: cborLike(anyRecord),
    open: () => ({ read: readCodec }),
  }),
  decoder<Uint8Array>({
    name: 'message',
    covers: [
      'protocol/src/messages.ts decodeMessage',
      'protocol/src/messages.ts',
      'protocol/src/checked-by.ts',
    ],
    sources: ['protocol/src/messages.ts'],
    input: cborOf(messageSchema),
    open: () => ({
      read: (bytes) => {
        const message = decodeMessage(bytes);
        if (message === undefined) return 'refused';
        demand(
          decodeMessage(encode(message)) !== undefined,
          'A message is refused once it is encoded again.',
        );
        return 'taken';
      },
    }),
  }),
  decoder<Uint8Array>({
    name: 'record-door',
    covers: ['protocol/src/signing.ts verifyRecord', 'node/src/replicas/door.ts'],
    sources: [
      'node/src/replicas/door.ts',
      'protocol/src/signing.ts',
      'protocol/src/record-schemas.ts',
      'protocol/src/fields.ts',
    ],
    input: cborLike(anyRecord),
    open: () => ({ read: readRecordAtDoor() }),
  }),
  decoder<Uint8Array>({
    name: 'record-merge',
    covers: ['protocol/src/writable.ts', 'protocol/src/diary.ts'],
    sources: [
      'protocol/src/merge.ts',
      { file: 'protocol/src/writable.ts', functions: ['assertWritable'] },
      { file: 'protocol/src/diary.ts', functions: ['diaryEntries', 'misfitsSince'] },
    ],
    input: cborLike(anyRecord),
    open: () => ({ read: readAndMerge() }),
  }),
  shaped('gossiped-records', gossipedRecordsSchema, { file: 'protocol/src/sync.ts' }),
  shaped('sync-request', syncRequestSchema, { file: 'protocol/src/sync.ts' }),
  shaped('sync-answer', syncAnswerSchema, { file: 'protocol/src/sync.ts' }),
  shaped('hold-request', holdRequestSchema, { file: 'protocol/src/hold.ts' }),
  shaped('hold-answer', holdAnswerSchema, { file: 'protocol/src/hold.ts' }),
  shaped('blobs-request', blobsRequestSchema, { file: 'protocol/src/content.ts' }),
  shaped('blobs-answer', blobsAnswerSchema, { file: 'protocol/src/content.ts' }),
  shaped('lobby-request', lobbyRequestSchema, lobby),
  shaped('lobby-answer', lobbyAnswerSchema, lobby),
  decoder<Uint8Array>({
    name: 'plan',
    covers: ['node/src/jobs/content.ts readPlan', 'node/src/jobs/content.ts'],
    sources: [
      'protocol/src/plan.ts',
      'protocol/src/work.ts',
      { file: 'node/src/jobs/content.ts', functions: ['readPlan'] },
    ],
    input: cborOf(planSchema),
    open: () => ({ read: readPlanFile }),
  }),
  decoder<Uint8Array>({
    name: 'bundle',
    covers: ['protocol/src/bundle.ts isSafePath', 'protocol/src/bundle.ts readBundle'],
    sources: ['protocol/src/bundle.ts', 'node/src/blobs/tree-path.ts'],
    input: cborOf(bundleSchema),
    open: () => ({ read: readBundleFiles }),
  }),
  decoder<Uint8Array>({
    name: 'job-settings',
    covers: ['protocol/src/job-types/index.ts'],
    sources: [
      'protocol/src/job-types/index.ts',
      'protocol/src/job-types/blender-animation.ts',
      'protocol/src/job-types/command.ts',
      'protocol/src/job-types/echo-sleep.ts',
    ],
    input: cborOf(...types.map(({ settings }) => settings)),
    open: () => ({ read: readSettings }),
  }),
];
