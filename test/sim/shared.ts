import { hash } from 'node:crypto';
import type { KnownRecord, Message, PeerId, Verify } from '@cuadro/protocol';
import type { MessageCodec } from '../../node/src/daemon/network.ts';
import {
  createRecordReader,
  type Examined,
  type RecordReader,
  type RecordRefusal,
} from '../../node/src/replicas/reader.ts';
import { TaskReader } from '../../node/src/store/task-reader.ts';
import type { Timeline } from './timeline.ts';

/**
 * What most runs spare themselves: each of five nodes would read the same bytes and check the same signatures, to come
 * to equal values. Here they share what the first one made of them. Whoever shares a value must not change it; runs
 * that are exact, in which each node reads for itself, would show it.
 */
export interface Shared {
  readonly messages: MessageCodec;
  readonly reader: RecordReader;
}

/** Bytes that only stand for the message. */
interface Envelope extends Uint8Array<ArrayBuffer> {
  message?: Message;
}

/** Messages are handed on as they are. */
const sharedMessages: MessageCodec = {
  encode: (message) => {
    const envelope: Envelope = new Uint8Array(1);
    envelope.message = message;
    return envelope;
  },
  decode: (bytes) => (bytes as Envelope).message,
};

/** More are begun anew: a run of some minutes has some thousand versions of records. */
const REMEMBERED_MAX = 8_192;

/** Reads what is the same once. */
class SharedReader implements RecordReader {
  readonly #inner: RecordReader;
  readonly #batches = new WeakMap<Uint8Array, readonly Uint8Array[]>();
  #examined = new Map<string, Examined | undefined>();
  readonly #refusals = new WeakMap<KnownRecord, { readonly refusal: RecordRefusal | undefined }>();

  constructor(inner: RecordReader) {
    this.#inner = inner;
  }

  batch(gossiped: Uint8Array): readonly Uint8Array[] | undefined {
    const known = this.#batches.get(gossiped);
    if (known !== undefined) return known;
    const batch = this.#inner.batch(gossiped);
    if (batch !== undefined) this.#batches.set(gossiped, batch);
    return batch;
  }

  examine(bytes: Uint8Array): Examined | undefined {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const known = this.#examined.get(text);
    if (known !== undefined) return known;
    const examined = this.#inner.examine(bytes);
    if (this.#examined.size >= REMEMBERED_MAX) this.#examined.clear();
    this.#examined.set(text, examined);
    return examined;
  }

  refusal(bytes: Uint8Array, examined: Examined): RecordRefusal | undefined {
    const known = this.#refusals.get(examined.record);
    if (known !== undefined) return known.refusal;
    const refusal = this.#inner.refusal(bytes, examined);
    this.#refusals.set(examined.record, { refusal });
    return refusal;
  }
}

export const sealOf = (peer: PeerId, bytes: Uint8Array): Uint8Array =>
  new Uint8Array(hash('sha512', Buffer.concat([Buffer.from(peer), bytes]), 'buffer'));

/** Signatures that anybody could make: they bind author and bytes, and cost a hundredth. */
export const cheapVerify: Verify = (peer, bytes, signature) =>
  Buffer.compare(sealOf(peer, bytes), signature) === 0;

const ofRuns = new WeakMap<Timeline, Shared>();

/** One for each run. */
export function sharedOf(timeline: Timeline): Shared {
  let shared = ofRuns.get(timeline);
  if (shared === undefined) {
    const tasks = new TaskReader();
    const inner = createRecordReader({ verify: cheapVerify, readTask: (bytes) => tasks.read(bytes) });
    shared = { messages: sharedMessages, reader: new SharedReader(inner) };
    ofRuns.set(timeline, shared);
  }
  return shared;
}
