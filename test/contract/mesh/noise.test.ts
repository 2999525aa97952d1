import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { noise, pureJsCrypto, type ICryptoInterface, type NoiseComponents } from '@chainsafe/libp2p-noise';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import type { ConnectionEncrypter, Stream, StreamMessageEvent } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { LengthPrefixedDecoder } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2p } from 'libp2p';
import { fastNoise } from '../../../node/src/mesh/noise-crypto.ts';
import { quietLogger } from '../../../node/src/mesh/quiet-logger.ts';

/** Noise with prepared keys is the library's noise in all but speed: the same bytes, and the same refusals. */

type Encrypt = ICryptoInterface['chaCha20Poly1305Encrypt'];
type Decrypt = ICryptoInterface['chaCha20Poly1305Decrypt'];
type Bytes = Parameters<Encrypt>[0];

const TAG_BYTES = 16;
/** On both sides of where the way changes, of a text and of a text with its tag; and noise's largest frame. */
const SIZES = [0, 1, 100, 1_183, 1_184, 1_199, 1_200, 1_201, 4_096, 65_519];

/** Bytes that look random and are the same in each run. */
const bytesOf = (seed: string, size: number): Uint8Array =>
  new Uint8Array(
    createHash('shake256', { outputLength: Math.max(size, 1) })
      .update(seed)
      .digest(),
  ).subarray(0, size);
const nonceOf = (count: number): Uint8Array => {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(4, count, true);
  return nonce;
};
const hex = (bytes: Bytes): string => Buffer.from(bytes.subarray()).toString('hex');

const fast = (
  fastNoise()({ logger: quietLogger } as unknown as NoiseComponents) as unknown as {
    crypto: { encrypt: Encrypt; decrypt: Decrypt };
  }
).crypto;
const library = {
  encrypt: (...given: Parameters<Encrypt>): Bytes => defaultCrypto.chaCha20Poly1305Encrypt(...given),
  decrypt: (...given: Parameters<Decrypt>): Bytes => defaultCrypto.chaCha20Poly1305Decrypt(...given),
};

/** The same bytes in several parts, made as the library makes them of what comes from the socket. */
function inParts(bytes: Uint8Array): Bytes {
  const sizeBytes = bytes.byteLength;
  if (sizeBytes === 0) return bytes;
  const decoder = new LengthPrefixedDecoder({ lengthDecoder: () => sizeBytes, encodingLength: () => 0 });
  for (const part of [bytes.subarray(0, 7), bytes.subarray(7, 1_000), bytes.subarray(1_000)])
    for (const frame of decoder.decode(part)) return frame as unknown as Bytes;
  return assert.fail('The last part makes it whole.');
}

describe('noise with prepared keys', () => {
  it('encrypts to the very bytes that the library does, by either of its implementations', () => {
    // Two keys in turn, each used for all sizes: what is prepared of one must not serve for the other.
    const keys = [bytesOf('one key', 32), bytesOf('another key', 32)];
    for (const [count, size] of SIZES.entries())
      for (const key of keys)
        for (const ad of [new Uint8Array(0), bytesOf('a hash', 32)]) {
          const [text, nonce] = [bytesOf(`text ${size}`, size), nonceOf(count)];
          const expected = hex(library.encrypt(text, nonce, ad, key));
          assert.equal(hex(pureJsCrypto.chaCha20Poly1305Encrypt(text, nonce, ad, key)), expected);
          assert.equal(hex(fast.encrypt(text, nonce, ad, key)), expected, `${size} bytes`);
          assert.equal(hex(fast.encrypt(inParts(text), nonce, ad, key)), expected, `${size} bytes in parts`);
        }
  });

  it('decrypts what the library encrypted, and the library what it did', () => {
    const [key, ad] = [bytesOf('one key', 32), bytesOf('a hash', 32)];
    for (const [count, size] of SIZES.entries()) {
      const [text, nonce] = [bytesOf(`text ${size}`, size), nonceOf(count)];
      const ofLibrary = library.encrypt(text, nonce, ad, key).subarray();
      assert.equal(hex(fast.decrypt(ofLibrary, nonce, ad, key)), hex(text), `${size} bytes`);
      assert.equal(
        hex(fast.decrypt(inParts(ofLibrary), nonce, ad, key)),
        hex(text),
        `${size} bytes in parts`,
      );
      const ofFast = fast.encrypt(text, nonce, ad, key).subarray();
      assert.equal(hex(library.decrypt(ofFast, nonce, ad, key)), hex(text), `${size} bytes back`);
    }
  });

  it('refuses a frame of which one bit was changed, in the text or in the tag', () => {
    const [key, ad, nonce] = [bytesOf('one key', 32), bytesOf('a hash', 32), nonceOf(7)];
    for (const size of SIZES) {
      const whole = library.encrypt(bytesOf(`text ${size}`, size), nonce, ad, key).subarray();
      const places = [0, Math.floor(size / 2), size - 1, size, size + TAG_BYTES - 1];
      for (const at of places.filter((place) => place >= 0)) {
        const changed = Uint8Array.from(whole);
        changed[at] = (changed[at] as number) ^ 0x10;
        assertRefused(() => fast.decrypt(changed, nonce, ad, key), `${size} bytes, at ${at}`);
        assertRefused(
          () => fast.decrypt(inParts(changed), nonce, ad, key),
          `${size} bytes in parts, at ${at}`,
        );
      }
    }
  });

  it('refuses a frame of another key, another place in the row, or other associated data', () => {
    const [key, ad, nonce] = [bytesOf('one key', 32), bytesOf('a hash', 32), nonceOf(7)];
    for (const size of SIZES) {
      const whole = library.encrypt(bytesOf(`text ${size}`, size), nonce, ad, key).subarray();
      assertRefused(() => fast.decrypt(whole, nonce, ad, bytesOf('another key', 32)), `key, ${size} bytes`);
      assertRefused(() => fast.decrypt(whole, nonceOf(8), ad, key), `nonce, ${size} bytes`);
      assertRefused(() => fast.decrypt(whole, nonce, bytesOf('no hash', 32), key), `data, ${size} bytes`);
    }
  });

  for (const [title, dials, listens] of [
    ['a node with it dials one with the library’s', fastNoise, noise],
    ['a node with the library’s dials one with it', noise, fastNoise],
  ] as const)
    it(`${title}, and they talk`, async (test) => {
      const listener = await nodeWith(test, listens());
      const dialer = await nodeWith(test, dials());
      await listener.handle(PROTOCOL, echo);
      const stream = await dialer.dialProtocol(listener.getMultiaddrs(), PROTOCOL);
      // Small frames, and some that are cut into noise's largest ones.
      for (const size of [1, 500, 1_150, 1_250, 5_000, 150_000])
        assert.equal(
          hex(await echoed(stream, bytesOf(`frame ${size}`, size))),
          hex(bytesOf(`frame ${size}`, size)),
        );
    });
});

function assertRefused(decrypting: () => Bytes, what: string): void {
  assert.throws(
    decrypting,
    /^Error: (Invalid chacha20poly1305 decryption|Unsupported state or unable to authenticate data)$/,
    what,
  );
}

const PROTOCOL = '/echo';

async function nodeWith(
  test: TestContext,
  encrypter: (components: NoiseComponents) => ConnectionEncrypter,
): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    logger: quietLogger,
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
  test.after(() => node.stop());
  return node;
}

function echo(stream: Stream): void {
  stream.addEventListener('message', ({ data }) => stream.send(data));
}

/** Sends bytes, and resolves with as many once they have come back; rejects where the connection breaks. */
async function echoed(stream: Stream, sent: Uint8Array): Promise<Uint8Array> {
  const back: Uint8Array[] = [];
  let backBytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = ({ data }: StreamMessageEvent): void => {
    back.push(data.subarray());
    backBytes += data.byteLength;
    if (backBytes >= sent.byteLength) resolve();
  };
  const onClose = (): void => reject(new Error('The stream was closed.'));
  stream.addEventListener('message', take);
  stream.addEventListener('close', onClose);
  stream.send(sent);
  await promise;
  stream.removeEventListener('message', take);
  stream.removeEventListener('close', onClose);
  return Buffer.concat(back);
}
