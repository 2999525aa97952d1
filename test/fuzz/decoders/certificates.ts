import { X509Certificate } from 'node:crypto';
import { readDer, TAG, writeDer } from '../../../node/src/mesh/der.ts';
import { CertificateError, provenBy, readCertificate } from '../../../node/src/mesh/tls-certificate.ts';
import { LIBP2P_VECTORS } from '../../unit/mesh/tls-vectors.ts';
import { decoder, demand, type Decoder, refusingLater, type Verdict } from '../decoder.ts';
import type { Dice } from '../dice.ts';
import { bytesLike } from '../sources.ts';

/** What whoever connects by TLS shows before anybody knows who it is. */

const REAL = Object.values(LIBP2P_VECTORS).map((vector) =>
  Buffer.from(typeof vector === 'string' ? vector : vector.certificate, 'hex'),
);
const OURS = Buffer.from('2b0601040183a25a0101', 'hex');

/** Of the form of a certificate, with any extensions; nothing in it is signed. */
function certificate(dice: Dice): Uint8Array {
  if (dice.once(2)) return dice.pick(REAL);
  const signedKey = (): Uint8Array =>
    writeDer(
      TAG.sequence,
      writeDer(TAG.octets, dice.bytes(dice.size(40))),
      writeDer(TAG.octets, dice.bytes(dice.size(200))),
    );
  const extension = (): Uint8Array =>
    writeDer(
      TAG.sequence,
      writeDer(TAG.identifier, dice.once(3) ? dice.bytes(3) : OURS),
      ...(dice.once(3) ? [writeDer(TAG.boolean, dice.bytes(1))] : []),
      writeDer(TAG.octets, dice.once(5) ? dice.bytes(dice.size(30)) : signedKey()),
    );
  const extensions = Array.from({ length: 1 + dice.size(2) }, extension);
  const nothing = writeDer(TAG.sequence);
  return writeDer(
    TAG.sequence,
    writeDer(
      TAG.sequence,
      writeDer(TAG.version, writeDer(TAG.integer, Uint8Array.of(2))),
      writeDer(TAG.integer, dice.bytes(4)),
      ...Array.from({ length: 5 }, () => nothing),
      writeDer(TAG.extensions, writeDer(TAG.sequence, ...extensions)),
    ),
  );
}

const read = (bytes: Uint8Array): Promise<Verdict> =>
  refusingLater([CertificateError], async () => {
    const { hostKey, identityKey, signature } = readCertificate(bytes);
    const sizeBytes = hostKey.length + identityKey.length + signature.length;
    demand(sizeBytes < bytes.length, 'More was read than there is.');
    demand(readDer(hostKey).length === 1, 'A key that is read is no value of DER.');
    const parsed = opened(bytes);
    if (parsed === undefined) return sizeBytes;
    const peer = await provenBy(parsed).catch((error: unknown) => {
      if (!(error instanceof CertificateError)) throw error;
    });
    demand(
      peer === undefined || peer.toString() === LIBP2P_VECTORS.ed25519.peer,
      'A certificate proves a key that never signed one.',
    );
    return sizeBytes;
  });

/** Undefined where OpenSSL makes nothing of it, and a handshake would have ended. */
function opened(bytes: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

export const certificateDecoders: readonly Decoder[] = [
  decoder<Uint8Array>({
    name: 'certificate',
    covers: ['node/src/mesh/tls-certificate.ts readCertificate', 'node/src/mesh/der.ts readDer'],
    sources: [
      { file: 'node/src/mesh/der.ts', functions: ['readDer', 'valueAt', 'numberOf'] },
      {
        file: 'node/src/mesh/tls-certificate.ts',
        functions: ['readCertificate', 'provenBy', 'signedKeyOf', 'identityOf', 'only', 'inside'],
      },
    ],
    input: bytesLike(certificate),
    open: () => ({ read }),
  }),
];
