/**
 * Frames of the kept-open stream: four bytes of length (big-endian, what follows), one byte of kind, and the content.
 */

export const FRAME = {
  /** Nothing: says that its sender lives. */
  beat: 0,
  /** Who speaks, of which farm; the first frame both ways. */
  hello: 1,
  /** The connection is not wanted; the content is one of `REFUSALS`. The last frame. */
  refusal: 2,
  message: 3,
  /** Stands between bulk on the same connection, to be returned: what went before it has then arrived. */
  mark: 4,
  /** A mark of the other side as it came, and when that was. */
  returned: 5,
} as const;

const LENGTH_BYTES = 4;

export interface Frame {
  readonly kind: number;
  readonly content: Uint8Array;
}

/** A frame that exceeds its bound, or has none of a frame's form: its sender is faulty, and its stream of no use. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code = 'frame-invalid';
}

/** The bytes of a frame, in one piece. */
export function encodeFrame(kind: number, content: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + 1 + content.length);
  bytes.writeUInt32BE(1 + content.length, 0);
  bytes.writeUInt8(kind, LENGTH_BYTES);
  bytes.set(content, LENGTH_BYTES + 1);
  return bytes;
}

/** Puts frames together again, however the stream has cut them. */
export class FrameDecoder {
  readonly #contentBytesMax: number;
  /** The start of a frame whose length is not known yet. */
  #head: Uint8Array = new Uint8Array(0);
  /** A frame of which only a part has come. */
  #body: Uint8Array | undefined;
  #filled = 0;

  constructor(contentBytesMax: number) {
    this.#contentBytesMax = contentBytesMax;
  }

  /** The frames that this chunk completes. Their contents may share the chunk's memory. */
  *decode(chunk: Uint8Array): Generator<Frame, void, void> {
    let rest = chunk;
    if (this.#body !== undefined) {
      rest = this.#fill(this.#body, rest);
      if (this.#filled < this.#body.length) return;
      const body = this.#body;
      this.#body = undefined;
      yield frameOf(body);
    }
    if (this.#head.length > 0) rest = Buffer.concat([this.#head, rest]);
    while (rest.length >= LENGTH_BYTES) {
      const length = this.#lengthOf(rest);
      rest = rest.subarray(LENGTH_BYTES);
      if (rest.length < length) {
        this.#head = new Uint8Array(0);
        this.#body = new Uint8Array(length);
        this.#filled = 0;
        this.#fill(this.#body, rest);
        return;
      }
      yield frameOf(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.#head = rest;
  }

  #fill(body: Uint8Array, bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, body.length - this.#filled);
    body.set(part, this.#filled);
    this.#filled += part.length;
    return bytes.subarray(part.length);
  }

  #lengthOf(bytes: Uint8Array): number {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (length >= 1 && length <= this.#contentBytesMax + 1) return length;
    throw new FrameError(`A frame of ${length} bytes; ${this.#contentBytesMax + 1} are the limit.`);
  }
}

/** Of a stream on which no more than one is said; undefined where it ends before. @throws FrameError */
export async function readFirstFrame(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Frame | undefined> {
  const decoder = new FrameDecoder(bytesMax);
  for await (const chunk of chunks) for (const frame of decoder.decode(chunk)) return frame;
  return undefined;
}

const frameOf = (bytes: Uint8Array): Frame => ({ kind: bytes[0] ?? 0, content: bytes.subarray(1) });
