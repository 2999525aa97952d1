import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey, PublicKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { DerError, type DerValue, readDer, TAG, writeDer } from './der.ts';
import { CERTIFICATE_BYTES_MAX } from './limits.ts';

/**
 * Certificates of libp2p's TLS (https://github.com/libp2p/specs/blob/master/tls/tls.md): a key made for it signs
 * itself, and an extension holds the machine's own key and its signature of that key. Written and read here because the
 * project's own package for it takes 25 others, 8 MB and 150 ms of processor time at the first connection, for what is
 * seven values of DER.
 */

/** What a peer showed proves nothing. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code = 'certificate-invalid';
}

/** Key and certificate as node:tls takes them, in PEM. */
export interface HostCertificate {
  readonly key: string;
  readonly cert: string;
}

/** What a certificate says, nothing of it verified. */
export interface CertificateContent {
  /** The key that the certificate is of, as it stands there (SubjectPublicKeyInfo). */
  readonly hostKey: Uint8Array;
  /** The machine's own key, as libp2p's protobuf. */
  readonly identityKey: Uint8Array;
  readonly signature: Uint8Array;
}

const SIGNED_PREFIX = Buffer.from('libp2p-tls-handshake:');

/** 1.3.6.1.4.1.53594.1.1: libp2p's public key extension. */
const EXTENSION = Buffer.from('2b0601040183a25a0101', 'hex');
/** 1.2.840.10045.4.3.2: ECDSA with SHA-256. */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex');

/** X.509's third version, counted from 0. */
const VERSION_3 = writeDer(TAG.version, writeDer(TAG.integer, Uint8Array.of(2)));
/** Whoever judges dates finds them good: a machine whose clock is wrong stays a member. */
const ALWAYS = writeDer(
  TAG.sequence,
  writeDer(TAG.generalTime, Buffer.from('19700101000000Z')),
  writeDer(TAG.generalTime, Buffer.from('99991231235959Z')),
);
/** Of a certificate's fields in front of its key there are so many: version to subject. */
const FIELDS_BEFORE_KEY = 6;

/** A certificate by which this machine proves its key; the key that it is made for lives with it. */
export async function makeCertificate(identity: PrivateKey): Promise<HostCertificate> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const hostKey = publicKey.export({ type: 'spki', format: 'der' });
  const signature = await identity.sign(Buffer.concat([SIGNED_PREFIX, hostKey]));
  const signedKey = writeDer(
    TAG.sequence,
    writeDer(TAG.octets, publicKeyToProtobuf(identity.publicKey)),
    writeDer(TAG.octets, signature),
  );
  const extension = writeDer(
    TAG.sequence,
    writeDer(TAG.identifier, EXTENSION),
    writeDer(TAG.octets, signedKey),
  );
  const algorithm = writeDer(TAG.sequence, writeDer(TAG.identifier, ECDSA_WITH_SHA256));
  const nobody = writeDer(TAG.sequence);
  const content = writeDer(
    TAG.sequence,
    VERSION_3,
    writeDer(TAG.integer, Uint8Array.of(1)),
    algorithm,
    nobody,
    ALWAYS,
    nobody,
    hostKey,
    writeDer(TAG.extensions, writeDer(TAG.sequence, extension)),
  );
  const selfSignature = writeDer(TAG.bits, Uint8Array.of(0), sign('sha256', content, privateKey));
  const certificate = new X509Certificate(writeDer(TAG.sequence, content, algorithm, selfSignature));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate.toString(),
  };
}

/**
 * Whose certificate this is: that the machine has the certificate's key as well is what the handshake proves. Dates
 * are not judged, since no decision may depend on a machine's clock. Errors: `CertificateError`.
 */
export async function provenBy(certificate: X509Certificate): Promise<PeerId> {
  const { hostKey, identityKey, signature } = readCertificate(certificate.raw);
  if (!isSelfSigned(certificate)) throw new CertificateError('It is not signed by its own key.');
  // The handshake proves the key that OpenSSL reads in it; that must be the one which is read here.
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(hostKey))
    throw new CertificateError('Its key is read in two ways.');
  const identity = identityOf(identityKey);
  const isSigned = await identity.verify(Buffer.concat([SIGNED_PREFIX, hostKey]), signature);
  if (!isSigned) throw new CertificateError('The machine’s key did not sign the certificate’s.');
  return peerIdFromPublicKey(identity);
}

/** Errors: `CertificateError`. */
export function readCertificate(bytes: Uint8Array): CertificateContent {
  if (bytes.length > CERTIFICATE_BYTES_MAX)
    throw new CertificateError(`${bytes.length} bytes; ${CERTIFICATE_BYTES_MAX} are the limit.`);
  try {
    const [content] = inside(only(readDer(bytes)), TAG.sequence);
    const fields = inside(content, TAG.sequence);
    const hostKey = fields[FIELDS_BEFORE_KEY];
    if (fields[0]?.tag !== TAG.version || hostKey?.tag !== TAG.sequence)
      throw new CertificateError('It is no certificate of the third version.');
    const extensions = fields.slice(FIELDS_BEFORE_KEY + 1).find(({ tag }) => tag === TAG.extensions);
    const signedKey = signedKeyOf(inside(only(inside(extensions, TAG.extensions)), TAG.sequence));
    const [identityKey, signature, ...more] = inside(only(readDer(signedKey)), TAG.sequence);
    if (identityKey?.tag !== TAG.octets || signature?.tag !== TAG.octets || more.length > 0)
      throw new CertificateError('Its extension holds no key and signature.');
    return { hostKey: hostKey.whole, identityKey: identityKey.content, signature: signature.content };
  } catch (error) {
    if (error instanceof DerError) throw new CertificateError(error.message, { cause: error });
    throw error;
  }
}

/** The content of libp2p's extension, which stands there once; of others none may be critical. */
function signedKeyOf(extensions: readonly DerValue[]): Uint8Array {
  const found: Uint8Array[] = [];
  for (const extension of extensions) {
    const [identifier, ...rest] = inside(extension, TAG.sequence);
    const value = rest.at(-1);
    if (identifier?.tag !== TAG.identifier || value?.tag !== TAG.octets)
      throw new CertificateError('An extension has no name or no value.');
    const isCritical = rest[0]?.tag === TAG.boolean && rest[0].content[0] !== 0;
    if (EXTENSION.equals(identifier.content)) found.push(value.content);
    else if (isCritical) throw new CertificateError('An unknown extension is critical.');
  }
  const [signedKey] = found;
  if (signedKey === undefined || found.length > 1)
    throw new CertificateError('It has none of libp2p’s extension, or several.');
  return signedKey;
}

/** Identities are Ed25519 (SPEC R1). */
function identityOf(bytes: Uint8Array): PublicKey {
  let key: PublicKey;
  try {
    key = publicKeyFromProtobuf(bytes);
  } catch (error) {
    throw new CertificateError('Its extension holds no key.', { cause: error });
  }
  if (key.type !== 'Ed25519') throw new CertificateError('Its extension holds a key of another kind.');
  return key;
}

function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

function only(values: readonly DerValue[]): DerValue | undefined {
  return values.length === 1 ? values[0] : undefined;
}

/** The values inside one that has to be there, with this tag. */
function inside(value: DerValue | undefined, tag: number): DerValue[] {
  if (value?.tag !== tag) throw new CertificateError('It has not the form of a certificate.');
  return readDer(value.content);
}
