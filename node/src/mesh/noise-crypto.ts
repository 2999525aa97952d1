import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
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

function encrypt(plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: KeyObject): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(ad, { plaintextLength: plaintext.byteLength });
  const encrypted = cipher.update(plaintext.subarray());
  cipher.final();
  return Buffer.concat([encrypted, cipher.getAuthTag()]);
}

function decrypt(ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: KeyObject): Uint8Array {
  const bytes = ciphertext.subarray();
  const text = bytes.subarray(0, -TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(ad, { plaintextLength: text.length });
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const decrypted = decipher.update(text);
  decipher.final();
  return decrypted;
}
