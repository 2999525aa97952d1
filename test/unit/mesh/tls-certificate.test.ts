import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { readDer, TAG, writeDer } from '../../../node/src/mesh/der.ts';
import { CERTIFICATE_BYTES_MAX } from '../../../node/src/mesh/limits.ts';
import { makeCertificate, provenBy, readCertificate } from '../../../node/src/mesh/tls-certificate.ts';
import { LIBP2P_VECTORS } from './tls-vectors.ts';

const INVALID = { code: 'certificate-invalid' };
const read = (hex: string): X509Certificate => new X509Certificate(Buffer.from(hex, 'hex'));
const identity = () => generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(3));

describe('a certificate of the mesh', () => {
  it('R140: proves the key of the machine that made it, whatever the date', async () => {
    const key = await identity();
    const { cert, key: hostKey } = await makeCertificate(key);
    const certificate = new X509Certificate(cert);
    assert.equal((await provenBy(certificate)).toString(), key.publicKey.toString());
    assert.ok(certificate.checkPrivateKey(createPrivateKey(hostKey)));
    assert.ok(certificate.validFromDate.getTime() <= 0);
    assert.ok(certificate.validToDate.getTime() > Date.UTC(9999, 0));
    const content = readCertificate(certificate.raw);
    assert.deepEqual(
      Buffer.from(content.hostKey),
      certificate.publicKey.export({ type: 'spki', format: 'der' }),
    );
  });

  it('R140: is another one each time, and no key but that of its machine', async () => {
    const key = await identity();
    const [a, b] = [await makeCertificate(key), await makeCertificate(key)];
    assert.notEqual(a.cert, b.cert);
    assert.ok(!new X509Certificate(a.cert).checkPrivateKey(createPrivateKey(b.key)));
  });

  it('R140: of libp2p’s specification proves the key that it says it does', async () => {
    const peer = await provenBy(read(LIBP2P_VECTORS.ed25519.certificate));
    assert.equal(peer.toString(), LIBP2P_VECTORS.ed25519.peer);
  });

  it('R140: is refused where another key signed it, or the identity is of another kind', async () => {
    for (const hex of [LIBP2P_VECTORS.ecdsa, LIBP2P_VECTORS.secp256k1, LIBP2P_VECTORS.invalid])
      await assert.rejects(provenBy(read(hex)), INVALID);
  });

  it('R140: is refused where any bit of what counts is another one', async () => {
    const bytes = Buffer.from(LIBP2P_VECTORS.ed25519.certificate, 'hex');
    let parsed = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      let certificate: X509Certificate;
      try {
        certificate = new X509Certificate(changed);
      } catch {
        // OpenSSL makes nothing of it, and so the handshake ends.
        continue;
      }
      parsed += 1;
      await assert.rejects(provenBy(certificate), INVALID, `byte ${at}`);
    }
    assert.ok(parsed > 200, `${parsed} were read`);
  });

  it('is refused beyond its bound', () => {
    const long = writeDer(TAG.sequence, new Uint8Array(CERTIFICATE_BYTES_MAX));
    assert.throws(() => readCertificate(long), { ...INVALID, message: /limit/ });
  });
});

describe('the form of extensions', () => {
  const ours = (...parts: Uint8Array[]): Buffer =>
    writeDer(TAG.sequence, writeDer(TAG.identifier, Buffer.from('2b0601040183a25a0101', 'hex')), ...parts);
  const signedKey = writeDer(
    TAG.octets,
    writeDer(TAG.sequence, writeDer(TAG.octets, Uint8Array.of(1)), writeDer(TAG.octets, Uint8Array.of(2))),
  );
  const other = (critical: number): Buffer =>
    writeDer(
      TAG.sequence,
      writeDer(TAG.identifier, Uint8Array.of(0x55, 0x1d, 0x0f)),
      writeDer(TAG.boolean, Uint8Array.of(critical)),
      writeDer(TAG.octets),
    );
  const withExtensions = (...extensions: Uint8Array[]): Buffer => {
    const nothing = writeDer(TAG.sequence);
    const fields = [writeDer(TAG.integer), nothing, nothing, nothing, nothing, nothing];
    const list = writeDer(TAG.extensions, writeDer(TAG.sequence, ...extensions));
    return writeDer(TAG.sequence, writeDer(TAG.sequence, writeDer(TAG.version), ...fields, list));
  };

  it('R140: takes one of libp2p’s, critical or not, beside others that are not', () => {
    const critical = writeDer(TAG.boolean, Uint8Array.of(0xff));
    for (const bytes of [
      withExtensions(ours(signedKey)),
      withExtensions(other(0), ours(critical, signedKey)),
    ]) {
      const { identityKey, signature } = readCertificate(bytes);
      assert.deepEqual([...identityKey, ...signature], [1, 2]);
    }
  });

  it('R140: refuses none, two, and others that are critical', () => {
    for (const bytes of [
      withExtensions(),
      withExtensions(other(0)),
      withExtensions(ours(signedKey), ours(signedKey)),
      withExtensions(ours(signedKey), other(0xff)),
      withExtensions(ours()),
      withExtensions(ours(writeDer(TAG.octets, writeDer(TAG.sequence)))),
    ])
      assert.throws(() => readCertificate(bytes), INVALID, bytes.toString('hex'));
  });
});

describe('DER', () => {
  it('is read as it was written, at all lengths around which its form changes', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const [value, ...more] = readDer(writeDer(TAG.octets, new Uint8Array(length)));
      assert.equal(value?.tag, TAG.octets);
      assert.equal(value?.content.length, length);
      assert.equal(more.length, 0);
    }
    assert.deepEqual(
      readDer(Buffer.concat([writeDer(TAG.integer), writeDer(TAG.bits)])).map(({ tag }) => tag),
      [TAG.integer, TAG.bits],
    );
  });

  it('is refused where it is cut short, has no end, or a tag or length beyond what is read here', () => {
    for (const hex of ['30', '3002', '30010004', '3081', '3080', '308400000000', '1f0100', '308202'])
      assert.throws(() => readDer(Buffer.from(hex, 'hex')), { code: 'der-invalid' }, hex);
  });
});
