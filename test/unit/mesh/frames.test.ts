import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, type Frame, FrameDecoder, FrameError } from '../../../node/src/mesh/frames.ts';

/** What a decoder makes of bytes that come in these pieces. */
function decodeIn(decoder: FrameDecoder, pieces: readonly Uint8Array[]): Frame[] {
  return pieces.flatMap((piece) =>
    [...decoder.decode(piece)].map(({ kind, content }) => ({ kind, content: Uint8Array.from(content) })),
  );
}

describe('frames', () => {
  it('come out as they went in, however the stream cuts them', () => {
    const frame = fc
      .tuple(fc.nat(255), fc.uint8Array({ maxLength: 200 }))
      .map(([kind, content]) => ({ kind, content }));
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 300 })),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(({ kind, content }) => encodeFrame(kind, content)));
          const pieces: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) {
            pieces.push(bytes.subarray(at, at + cut));
            at += cut;
          }
          pieces.push(bytes.subarray(at));
          assert.deepEqual(decodeIn(new FrameDecoder(200), pieces), frames);
        },
      ),
    );
  });

  it('R102: are refused beyond the bound, and when they hold not even a kind', () => {
    const whole = encodeFrame(3, new Uint8Array(10));
    assert.equal(decodeIn(new FrameDecoder(10), [whole]).length, 1);
    for (const bytes of [encodeFrame(3, new Uint8Array(11)), new Uint8Array(4)]) {
      assert.throws(() => decodeIn(new FrameDecoder(10), [bytes]), FrameError);
      const pieces = [...bytes].map((byte) => Uint8Array.of(byte));
      assert.throws(() => decodeIn(new FrameDecoder(10), pieces), FrameError);
    }
  });

  it('never do more than fail, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (pieces) => {
        try {
          for (const { content } of decodeIn(new FrameDecoder(30), pieces)) assert.ok(content.length <= 30);
        } catch (error) {
          assert.ok(error instanceof FrameError);
        }
      }),
    );
  });
});
