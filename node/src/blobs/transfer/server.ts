import {
  checkedBy,
  blobsRequestSchema,
  type BlobsAnswer,
  type BlobsRequest,
  type PeerId,
} from '@cuadro/protocol';
import type { MeshStream, StreamHandler } from '../../mesh/interface.ts';
import type { Clock } from '../../system/interface.ts';
import { BlobStoreError } from '../errors.ts';
import { Gate } from '../gate.ts';
import { pieceBytesFor } from '../options.ts';
import { pieceCount } from '../pieces.ts';
import type { BlobArrival, BlobHash, BlobStore } from '../interface.ts';
import { FrameError, FrameReader, FrameWriter, StallGuard } from './frames.ts';
import { transferLimits, type TransferOptions } from './limits.ts';
import type { PieceMemory } from './piece-memory.ts';
import type { SwarmDesk } from './swarm-desk.ts';

export interface BlobServerComponents {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Aborted when nothing is served any more. */
  readonly stop: AbortSignal;
  /** Counts what was sent, in bytes. */
  readonly sent: (bytes: number) => void;
  readonly desk: SwarmDesk;
  readonly memory: PieceMemory;
  /** What is here of a large file that is on its way. */
  readonly arrivalOf: (hash: BlobHash) => BlobArrival | undefined;
}

/** Serves stored files to other machines: verified as they are read, so damage is never passed on. */
export function createBlobServer(components: BlobServerComponents, options: TransferOptions): StreamHandler {
  const server = new BlobServer(components, options);
  return (stream) => server.serve(stream);
}

class BlobServer {
  readonly #components: BlobServerComponents;
  readonly #uploadsWaitingMax: number;
  readonly #gate: Gate;
  /** Requests that hold a place or wait for one. */
  #busy = 0;
  readonly #uploads: number;
  readonly #stallMs: number;
  readonly #streams = new Map<PeerId, number>();

  constructor(components: BlobServerComponents, options: TransferOptions) {
    this.#components = components;
    this.#uploads = options.uploads;
    this.#stallMs = options.stallMs;
    this.#uploadsWaitingMax = options.uploadsWaiting;
    this.#gate = new Gate(options.uploads);
  }

  async serve(stream: MeshStream): Promise<void> {
    const open = this.#streams.get(stream.peer) ?? 0;
    if (open >= transferLimits.streamsPerPeer) return stream.abort(new Error('Too many streams.'));
    this.#streams.set(stream.peer, open + 1);
    try {
      const reader = new FrameReader(stream.chunks);
      // A reader that doesn't read must not keep a place for ever.
      const writer = new FrameWriter(stream, new StallGuard(this.#components.clock, stream, this.#stallMs));
      for (;;) {
        const frame = await reader.next();
        if (frame === undefined) break;
        const request = checkedBy(blobsRequestSchema, frame.head);
        if (!request.success || (frame.body.length > 0 && request.data.kind !== 'some'))
          throw new FrameError('That is no request for stored files.');
        await this.#answer(stream.peer, { request: request.data, body: frame.body }, writer);
        await writer.flush();
      }
      await stream.end();
    } finally {
      const left = (this.#streams.get(stream.peer) ?? 1) - 1;
      if (left === 0) this.#streams.delete(stream.peer);
      else this.#streams.set(stream.peer, left);
    }
  }

  async #answer(
    peer: PeerId,
    { request, body }: { request: BlobsRequest; body: Uint8Array },
    writer: FrameWriter,
  ): Promise<void> {
    if (request.kind === 'have') {
      const found = await Promise.all(request.hashes.map((hash) => this.#components.blobs.has(hash)));
      return this.#send(writer, { kind: 'have', sizes: found.map((info) => info?.sizeBytes ?? null) });
    }
    // Small, and what all else depends on: it waits for no place.
    if (request.kind === 'parts') return this.#sendParts(peer, request.bundle, writer);
    if (this.#busy >= this.#uploads + this.#uploadsWaitingMax) return this.#send(writer, { kind: 'busy' });
    this.#busy += 1;
    try {
      await this.#gate.run(this.#components.stop, () =>
        request.kind === 'get'
          ? this.#sendFiles(writer, request.hashes)
          : request.kind === 'some'
            ? this.#sendSome(writer, { ...request, peer, wanted: body })
            : this.#sendPieces(writer, request.hash, request.pieces),
      );
    } finally {
      this.#busy -= 1;
    }
  }

  async #sendFiles(writer: FrameWriter, hashes: readonly BlobHash[]): Promise<void> {
    const { arrivalOf, blobs } = this.#components;
    for (const hash of hashes) {
      const answer = await orAbsent(async () => {
        const info = await blobs.has(hash);
        if (info !== undefined && info.sizeBytes <= transferLimits.wholeBytes)
          return { head: { kind: 'file' as const, hash }, body: await blobs.read(hash) };
        // What is on its way here is passed on, its manifest first (SPEC R152).
        const manifest = info === undefined ? arrivalOf(hash)?.manifest : await blobs.manifest(hash);
        if (manifest === undefined) return undefined;
        return {
          head: { kind: 'manifest' as const, hash, sizeBytes: manifest.sizeBytes },
          body: Buffer.from(manifest.pieces.join(''), 'hex'),
        };
      });
      await this.#send(writer, answer?.head ?? { kind: 'absent', hash }, answer?.body);
    }
  }

  async #sendPieces(writer: FrameWriter, hash: BlobHash, pieces: readonly number[]): Promise<void> {
    for (const index of pieces) {
      if (!(await this.#sendPiece(writer, { hash, index, head: { kind: 'piece', index } })))
        return this.#send(writer, { kind: 'absent', hash });
    }
  }

  /** False where it isn't here. */
  async #sendPiece(
    writer: FrameWriter,
    { hash, index, head }: { hash: BlobHash; index: number; head: BlobsAnswer },
  ): Promise<boolean> {
    const { memory } = this.#components;
    const taken: Uint8Array[] = [];
    const take = (bytes: number): Uint8Array => {
      const into = memory.take(bytes);
      taken.push(into);
      return into;
    };
    const body = await this.#pieceOf(hash, index, take);
    if (body !== undefined) await this.#send(writer, head, body);
    // A small one waits with others until they are sent together; a larger one has left once it is written.
    if (body === undefined || body.length >= transferLimits.joinBytes)
      taken.forEach((into) => memory.give(into));
    return body !== undefined;
  }

  async #pieceOf(
    hash: BlobHash,
    index: number,
    take: (bytes: number) => Uint8Array,
  ): Promise<Uint8Array | undefined> {
    const { arrivalOf, blobs } = this.#components;
    return orAbsent(async () => {
      // What is on its way here is passed on piece by piece.
      const arrival = arrivalOf(hash);
      const arriving = await arrival?.read(index, take(arrival.manifest.pieceBytes));
      if (arriving !== undefined) return arriving;
      const info = await blobs.has(hash);
      if (info === undefined || index >= pieceCount(info.sizeBytes)) return undefined;
      const pieceBytes = pieceBytesFor(info.sizeBytes);
      const start = index * pieceBytes;
      const range = { start, end: Math.min(start + pieceBytes, info.sizeBytes) };
      const { chunks } = await blobs.open(hash, { range, into: take(pieceBytes) });
      for await (const chunk of chunks) return chunk;
      return undefined;
    });
  }

  async #sendParts(peer: PeerId, bundle: BlobHash, writer: FrameWriter): Promise<void> {
    const parts = await orAbsent(() => this.#components.desk.parts(peer, bundle));
    if (parts === undefined) return this.#send(writer, { kind: 'absent', hash: bundle });
    const { bits, ...told } = parts;
    return this.#send(writer, { kind: 'parts', bundle, ...told }, bits);
  }

  async #sendSome(
    writer: FrameWriter,
    { bundle, bytes, peer, wanted }: { bundle: BlobHash; bytes: number; peer: PeerId; wanted: Uint8Array },
  ): Promise<void> {
    const { blobs, desk } = this.#components;
    const chosen = await orAbsent(() => desk.choose(peer, bundle, wanted, bytes));
    if (chosen === undefined) return this.#send(writer, { kind: 'absent', hash: bundle });
    // A machine that lost one of them has the others still.
    for (const { number, unit } of chosen) {
      const head = { kind: 'unit' as const, unit: number };
      const { hash, piece } = unit;
      if (piece !== undefined) await this.#sendPiece(writer, { hash, index: piece, head });
      else {
        const body = await orAbsent(() => blobs.read(hash));
        if (body !== undefined) await this.#send(writer, head, body);
      }
    }
    return this.#send(writer, { kind: 'given' });
  }

  async #send(writer: FrameWriter, head: BlobsAnswer, body?: Uint8Array): Promise<void> {
    await writer.write(head, body);
    this.#components.sent(body?.length ?? 0);
  }
}

/** What the store can't give (gone, damaged, stopped) isn't here for others. */
async function orAbsent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof BlobStoreError) return undefined;
    throw error;
  }
}
