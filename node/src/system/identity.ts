import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { base58btc } from 'multiformats/bases/base58';
import type { PeerId, Signer, Verify } from '@cuadro/protocol';
import { writeFileDurably } from './files.ts';
import type { Random } from './interface.ts';

/**
 * A machine's key is its identity: a libp2p peer id, which holds the Ed25519 public key itself
 * (libp2p specification "Peer Ids and Keys": identity multihash of the protobuf-encoded key).
 */

/** Identity multihash (0x00) of 36 bytes; protobuf field 1 (type) = 1 (Ed25519), field 2 (data), 32 bytes. */
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
/** DER of SubjectPublicKeyInfo for Ed25519 before the 32 bytes of the key (RFC 8410). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
/** Public keys parsed lately; a farm has at most some hundred members. */
const KEYS_KEPT = 1_024;

/** Reads the node's key from `path`, or makes one there, readable by its owner only. */
export async function loadIdentity(components: { random: Random }, path: string): Promise<Signer> {
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await writeFileDurably(components, path, pem, { mode: 0o600 });
  }
  return signerOf(createPrivateKey(pem));
}

/** A new identity that is kept nowhere, for tests and benches. */
export const temporaryIdentity = (): Signer => signerOf(generateKeyPairSync('ed25519').privateKey);

function signerOf(key: KeyObject): Signer {
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  return { peer: peerIdOf(raw), sign: (bytes) => new Uint8Array(sign(null, bytes, key)) };
}

function peerIdOf(publicKey: Uint8Array): PeerId {
  return base58btc.baseEncode(Uint8Array.from([...PEER_ID_PREFIX, ...publicKey]));
}

/** Checks signatures by the key that the peer id itself holds; anything unreadable is simply not signed. */
export function createVerifier(): Verify {
  const keys = new Map<PeerId, KeyObject | undefined>();
  return (peer, bytes, signature) => {
    if (!keys.has(peer)) {
      if (keys.size >= KEYS_KEPT) keys.clear();
      keys.set(peer, publicKeyOf(peer));
    }
    const key = keys.get(peer);
    return key !== undefined && verify(null, bytes, key, signature);
  };
}

function publicKeyOf(peer: PeerId): KeyObject | undefined {
  try {
    const bytes = base58btc.baseDecode(peer);
    if (bytes.length !== 38 || PEER_ID_PREFIX.some((byte, i) => bytes[i] !== byte)) return undefined;
    const der = Buffer.from([...SPKI_PREFIX, ...bytes.subarray(PEER_ID_PREFIX.length)]);
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}
