import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type Decipheriv,
  type KeyObject,
} from 'node:crypto';
import { type ICryptoInterface, noise, type NoiseComponents } from '@chainsafe/libp2p-noise';
import type { ConnectionEncrypter } from '@libp2p/interface';

type Bytes = Parameters<ICryptoInterface['chaCha20Poly1305Encrypt']>[0];

const CIPHER = 'chacha20-poly1305';
const TAG_BYTES = 16;
/** Below this many bytes the library's own implementation, in WebAssembly, is faster than a call of OpenSSL. */
const SMALL_BYTES = 1_200;

/** What noise calls its cryptography once it has wrapped it; we take its own for everything but large frames. */
interface DefaultCrypto {
  generateKeypair(): ReturnType<ICryptoInterface['generateX25519KeyPair']>;
  dh(
    keypair: { publicKey: Uint8Array; privateKey: Uint8Array | Bytes },
    publicKey: Uint8Array | Bytes,
  ): Uint8Array;
  encrypt: ICryptoInterface['chaCha20Poly1305Encrypt'];
  decrypt: ICryptoInterface['chaCha20Poly1305Decrypt'];
  hash: ICryptoInterface['hashSHA256'];
  hkdf: ICryptoInterface['getHKDF'];
}

/**
 * Noise with the keys of each connection prepared once: OpenSSL takes 20 to 30 µs to take in raw key bytes, as long
 * as the encryption of the 64 KiB that follow.
 */
export function fastNoise(): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => {
    const { crypto } = noise()(components) as unknown as { crypto: DefaultCrypto };
    return noise({ crypto: withPreparedKeys(crypto) })(components);
  };
}

function withPreparedKeys(crypto: DefaultCrypto): ICryptoInterface {
  const prepared = new WeakMap<Uint8Array, KeyObject>();
  const keyOf = (bytes: Uint8Array): KeyObject => {
    let key = prepared.get(bytes);
    if (key === undefined) {
      key = createSecretKey(bytes);
      prepared.set(bytes, key);
    }
    return key;
  };
  return {
    hashSHA256: (data) => crypto.hash(data),
    getHKDF: (chainingKey, material) => crypto.hkdf(chainingKey, material),
    generateX25519KeyPair: () => crypto.generateKeypair(),
    generateX25519KeyPairFromSeed: () => {
      throw new Error('No static noise key is given.');
    },
    generateX25519SharedKey: (privateKey, publicKey) =>
      crypto.dh({ publicKey: new Uint8Array(0), privateKey }, publicKey),
    chaCha20Poly1305Encrypt: (plaintext, nonce, ad, key) =>
      plaintext.byteLength < SMALL_BYTES
        ? crypto.encrypt(plaintext, nonce, ad, key)
        : encrypt(plaintext, nonce, ad, keyOf(key)),
    chaCha20Poly1305Decrypt: (ciphertext, nonce, ad, key, target) =>
      ciphertext.byteLength < SMALL_BYTES
        ? crypto.decrypt(ciphertext, nonce, ad, key, target)
        : decrypt(ciphertext, nonce, ad, keyOf(key)),
  };
}

function encrypt(plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: KeyObject): Bytes {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(ad, { plaintextLength: plaintext.byteLength });
  const encrypted = update(cipher, plaintext);
  cipher.final();
  const tag = cipher.getAuthTag();
  if (encrypted instanceof Uint8Array) return Buffer.concat([encrypted, tag]);
  encrypted.append(tag);
  return encrypted;
}

function decrypt(ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: KeyObject): Bytes {
  const textBytes = ciphertext.byteLength - TAG_BYTES;
  const text =
    ciphertext instanceof Uint8Array ? ciphertext.subarray(0, textBytes) : ciphertext.sublist(0, textBytes);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(ad, { plaintextLength: textBytes });
  decipher.setAuthTag(ciphertext.subarray(textBytes));
  const decrypted = update(decipher, text);
  // Throws where the frame was tampered with.
  decipher.final();
  return decrypted;
}

/** Part by part: a frame of several parts is not copied into one before, which costs more than the calls. */
function update(cipher: Cipheriv | Decipheriv, bytes: Bytes): Bytes {
  if (bytes instanceof Uint8Array) return cipher.update(bytes);
  const output = bytes.sublist(0, 0);
  for (const part of bytes) output.append(cipher.update(part));
  return output;
}
