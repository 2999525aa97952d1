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
import {
  CuadroError,
  verifyRecord,
  type KnownRecord,
  type PeerId,
  type Signer,
  type Verify,
} from '@cuadro/protocol';
import { reasonOf, systemCode, writeFileDurably } from './files.ts';
import type { Logger, Random } from './interface.ts';

/**
 * A machine's key is its identity: a libp2p peer id, which holds the Ed25519 public key itself
 * (libp2p specification "Peer Ids and Keys": identity multihash of the protobuf-encoded key).
 */

/** Identity multihash (0x00) of 36 bytes; protobuf field 1 (type) = 1 (Ed25519), field 2 (data), 32 bytes. */
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
/** DER of SubjectPublicKeyInfo for Ed25519 before the 32 bytes of the key (RFC 8410). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
/** DER of PrivateKeyInfo for Ed25519 before the 32 bytes of the seed (RFC 8410). */
const PKCS8_PREFIX = Uint8Array.of(
  ...[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20],
);
const SEED_BYTES = 32;
/** Public keys parsed lately; a farm has at most some hundred members. */
const KEYS_KEPT = 1_024;

/** A machine's own key: it signs, and the mesh proves with it who this machine is. */
export interface Identity extends Signer {
  /** The 32 bytes of the Ed25519 seed. Only the mesh needs them; a method, so that no log or event shows them. */
  privateKey(): Uint8Array;
}

/**
 * Reads the node's key from `path`, or makes one there, readable by its owner only.
 * @throws CuadroError `identity-damaged` for a file that is no such key: a new one in its place would make another
 * machine of this one without a word, and what the farm knows of it would be nobody's.
 */
export async function loadIdentity(components: { random: Random }, path: string): Promise<Identity> {
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw damagedIdentity(path, reasonOf(error), error);
    pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await writeFileDurably(components, path, pem, { mode: 0o600 });
  }
  return identityOfKey(keyOf(path, pem));
}

function keyOf(path: string, pem: string): KeyObject {
  if (pem.trim() === '') throw damagedIdentity(path, 'it is empty');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw damagedIdentity(path, 'its content is damaged', error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw damagedIdentity(path, 'it is a key of another kind');
  return key;
}

const damagedIdentity = (path: string, why: string, cause?: unknown): CuadroError =>
  new CuadroError('identity-damaged', { path, why }, { cause });

/** A new identity that is kept nowhere, for tests and benches. */
export const temporaryIdentity = (): Identity => identityOfKey(generateKeyPairSync('ed25519').privateKey);

/** The identity that a seed stands for, as `privateKey` gives it. */
export function identityOf(seed: Uint8Array): Identity {
  if (seed.length !== SEED_BYTES) throw new RangeError(`A seed has ${SEED_BYTES} bytes, not ${seed.length}.`);
  const der = Buffer.from([...PKCS8_PREFIX, ...seed]);
  return identityOfKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

function identityOfKey(key: KeyObject): Identity {
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  return {
    peer: peerIdOf(raw),
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
    privateKey: () => {
      const der = key.export({ type: 'pkcs8', format: 'der' });
      return new Uint8Array(der.subarray(PKCS8_PREFIX.length, PKCS8_PREFIX.length + SEED_BYTES));
    },
  };
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

/** Passes stored records on whose signatures are good; the rest is counted, told at the end and left out. */
export function trustedRecords(
  { logger }: { logger: Logger },
  take: (record: KnownRecord) => void,
): { take(record: KnownRecord): void; end(): number } {
  const verifySignature = createVerifier();
  let count = 0;
  return {
    take: (record) => {
      if (verifyRecord(record, verifySignature)) take(record);
      else count += 1;
    },
    end: () => {
      if (count > 0) logger.error('Stored records with bad signatures were left out.', { count });
      return count;
    },
  };
}
