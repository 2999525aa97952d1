import {
  blobsRequestSchema,
  checkedBy,
  decode,
  decodeMessage,
  encode,
  gossipedRecordsSchema,
  holdRequestSchema,
  type KnownRecord,
  knownRecordSchema,
  lobbyAnswerSchema,
  lobbyRequestSchema,
  messageSchema,
  verifyRecord,
} from '@cuadro/protocol';
import type { z } from 'zod';
import type { MeshStream, StreamProtocol } from '../../../node/src/mesh/interface.ts';
import { createVerifier } from '../../../node/src/system/identity.ts';
import { nextTurn } from '../../../node/src/system/turn.ts';
import { decoder, demand, type Decoder, type Reader, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { hostileBytes } from '../hostile.ts';
import { joined, mutateBytes } from '../mutate.ts';
import { cborLike, cborOf } from '../sources.ts';
import { validOf } from '../valid.ts';
import type { Wild } from '../wild-cbor.ts';
import { signedRecords } from './signed-records.ts';
import { WholeNode } from './whole-node.ts';

/**
 * What a whole node does with what others say to it: what is refused changes nothing, is counted, and its sender is
 * named (SPEC R120).
 */

/** Inputs after which a new node goes on: what it takes adds up. */
const INPUTS_PER_NODE = 4_000;
const verify = createVerifier();
/** The longest that lobby and mesh take of one message, and far more turns than any answer needs. */
const TURNS_MAX = 200;

/** What may come of an input: a refusal, which is counted and changes nothing; nothing, counted or not; anything. */
type Fate = 'must-be-refused' | 'changes-nothing' | 'open';
type Door = (node: WholeNode, bytes: Uint8Array) => Promise<Fate>;

/** Reads with nodes that are replaced now and then; `say` puts an input to one. */
async function withNode(sender: (node: WholeNode) => string, say: Door): Promise<Reader<Uint8Array>> {
  let node = await WholeNode.start();
  let inputs = 0;
  const read = async (bytes: Uint8Array): Promise<Verdict> => {
    // Records of a member may well say that the farm is another now, or that it is a member no longer.
    if (++inputs % INPUTS_PER_NODE === 0 || !node.isMet) {
      await node.stop();
      node = await WholeNode.start();
    }
    const before = node.reasons();
    const digest = node.digest();
    const fate = await say(node, bytes);
    const refused = Object.entries(node.reasons()).filter(
      ([reason, { count }]) => count > (before[reason]?.count ?? 0),
    );
    demand(node.errors.length === 0, `The node is wrong: ${node.errors.splice(0).join('; ')}`);
    const isRefused = refused.length > 0;
    demand(isRefused || fate !== 'must-be-refused', 'What makes no sense is not counted.');
    demand(fate === 'open' || node.digest() === digest, 'What may change nothing has changed something.');
    if (!isRefused) return 'taken';
    for (const [reason, { peer }] of refused)
      demand(peer === sender(node), `The sender is not named with ${reason}.`);
    return 'refused';
  };
  return { read, close: () => node.stop() };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}

const valueOf = (bytes: Uint8Array): unknown => {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
};

const parses = (schema: { safeParse(value: unknown): { success: boolean } }, bytes: Uint8Array): boolean => {
  try {
    return schema.safeParse(decode(bytes)).success;
  } catch {
    return false;
  }
};

const sayMessage: Door = async (node, bytes) => {
  const isGossip = bytes.length % 3 === 0 && bytes.length <= 65_536;
  if (isGossip) node.member.gossip(bytes.length % 2 === 0 ? 'claims' : 'pulse', bytes);
  else node.member.send(node.peer, bytes);
  await settled();
  return decodeMessage(bytes) === undefined ? 'must-be-refused' : 'open';
};

const sayRecords: Door = async (node, bytes) => {
  if (bytes.length > 65_536) return 'open';
  node.member.gossip('records', bytes);
  await settled();
  return parses(gossipedRecordsSchema, bytes) && bytes.length <= 32_768 ? 'open' : 'must-be-refused';
};

/** Whether a stream asks to hold records with good signatures: read up to the first frame that is none. */
function holdsSomething(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    const request = valueOf(bytes.subarray(at + 8, end));
    const { data } = holdRequestSchema.safeParse(request);
    if (end > bytes.length || data === undefined) return false;
    for (const item of data.items) {
      const records = item.kind === 'records' ? item.records : [item.record];
      if (records.some((each) => isGoodRecord(valueOf(each)))) return true;
    }
    at = end + view.getUint32(at + 4);
  }
  return false;
}

const isGoodRecord = (value: unknown): boolean =>
  checkedBy(knownRecordSchema, value).success && verifyRecord(value as KnownRecord, verify);

const streamed =
  (protocol: StreamProtocol, fateOf: (bytes: Uint8Array) => Fate): Door =>
  async (node, bytes) => {
    let stream: MeshStream | undefined;
    void node.member.open(node.peer, protocol).then(
      (opened) => (stream = opened),
      () => undefined,
    );
    for (let turn = 0; turn < TURNS_MAX && stream === undefined; turn++) await nextTurn();
    demand(stream !== undefined, 'The node serves no stream any more.');
    const opened = stream;
    const ended = Promise.withResolvers<void>();
    let isOver = false;
    const over = (): void => {
      isOver = true;
      ended.resolve();
    };
    void (async () => {
      try {
        await opened.write(bytes);
        await opened.end();
        for await (const _ of opened.chunks) void _;
      } finally {
        over();
      }
    })().catch(() => undefined);
    for (let turn = 0; turn < TURNS_MAX && !isOver; turn++) await nextTurn();
    opened.abort(new Error('It has been heard.'));
    await ended.promise;
    await settled();
    // Whether a stream was nonsense or only cut off is the frames' own to say; that is fuzzed for itself.
    return fateOf(bytes);
  };

const askLobby: Door = async (node, bytes) => {
  if (bytes.length > 65_536) return 'open';
  const before = node.refused();
  const { answer } = await node.stranger.askLobby(node.lobby, bytes);
  const read = lobbyAnswerSchema.parse(decode(answer));
  const isRead = parses(lobbyRequestSchema, bytes);
  const isUnreadable = read.kind === 'closed' && read.reason === 'unreadable';
  demand(isRead || isUnreadable, `What is no request is answered ${read.kind}.`);
  demand(isRead || node.refused() === before + 1, 'An unreadable request is not counted.');
  node.clock.advance(100);
  return isRead ? 'open' : 'must-be-refused';
};

const record = (dice: Dice): Wild =>
  dice.once(4) ? validOf(knownRecordSchema)(dice) : (dice.pick(signedRecords) as unknown as Wild);

const batch = (dice: Dice): Wild => ({
  kind: 'records',
  records: Array.from({ length: 1 + dice.size(3) }, () => {
    const bytes = encode(record(dice));
    return dice.once(4) ? mutateBytes(dice, bytes, () => bytes) : bytes;
  }),
});

const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

const length = (dice: Dice, real: number): Uint8Array =>
  u32(dice.once(50) ? dice.pick([0, real + 1, 2 ** 31, 2 ** 32 - 1]) : real);

const message = (dice: Dice, schema: z.ZodType): Uint8Array =>
  dice.once(3) ? hostileBytes(dice) : cborOf(schema)(dice);

const holdItem = (dice: Dice): Uint8Array => {
  const bytes = encode(record(dice));
  const item = dice.pick([
    { kind: 'result', id: 1, record: bytes },
    { kind: 'job', id: 2, record: bytes },
    { kind: 'records', id: 3, records: [bytes] },
  ]);
  return encode({ kind: 'hold', items: [item] });
};

const transferInput =
  (own: (dice: Dice) => Uint8Array) =>
  (dice: Dice): Uint8Array =>
    joined(
      ...Array.from({ length: 1 + dice.size(3) }, () => {
        const head = own(dice);
        const body = dice.once(20) ? dice.bytes(dice.size(40)) : new Uint8Array(0);
        return joined(length(dice, head.length), length(dice, body.length), head, body);
      }),
    );

const byMember = ({ member }: WholeNode): string => member.self;

export const doorDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'node-messages',
    covers: ['node/src/daemon/network.ts'],
    sources: [{ file: 'node/src/daemon/network.ts', functions: ['take', 'hearRoot'] }],
    input: cborOf(messageSchema),
    open: () => withNode(byMember, sayMessage),
  }),
  decoder<Uint8Array>({
    name: 'node-records',
    covers: ['node/src/replicas/sync.ts', 'node/src/replicas/reader.ts'],
    sources: [{ file: 'node/src/replicas/sync.ts', functions: ['#hear'] }, 'node/src/replicas/reader.ts'],
    input: cborLike(batch),
    open: () => withNode(byMember, sayRecords),
  }),
  decoder<Uint8Array>({
    name: 'node-hold',
    covers: [],
    sources: ['node/src/replicas/holding.ts'],
    input: transferInput((dice) => (dice.once(2) ? holdItem(dice) : message(dice, holdRequestSchema))),
    open: () =>
      withNode(
        byMember,
        streamed('hold', (bytes) => (holdsSomething(bytes) ? 'open' : 'changes-nothing')),
      ),
  }),
  decoder<Uint8Array>({
    name: 'node-blobs',
    covers: ['node/src/blobs/transfer/server.ts'],
    sources: ['node/src/blobs/transfer/server.ts'],
    input: transferInput((dice) => message(dice, blobsRequestSchema)),
    open: () =>
      withNode(
        byMember,
        streamed('blobs', () => 'changes-nothing'),
      ),
  }),
  decoder<Uint8Array>({
    name: 'node-lobby',
    covers: ['node/src/farm/desk.ts'],
    sources: ['node/src/farm/desk.ts'],
    input: cborOf(lobbyRequestSchema),
    open: () => withNode(({ stranger }) => stranger.self, askLobby),
  }),
];
