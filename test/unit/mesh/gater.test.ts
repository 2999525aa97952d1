import assert from 'node:assert/strict';
import { it } from 'node:test';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { MultiaddrConnection } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { membersOnly } from '../../../node/src/mesh/host.ts';

it('R190: turns away whoever is removed between the proof of its key and the end of the handshake', async () => {
  const peer = peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(1)));
  const remoteAddr = multiaddr('/ip4/192.0.2.1/tcp/4001');
  const connection = Object.assign(new EventTarget(), { remoteAddr }) as unknown as MultiaddrConnection;
  const members = new Set([peer.toString()]);
  const gater = membersOnly((one) => members.has(one));
  assert.equal(await gater.denyInboundEncryptedConnection?.(peer, connection), false);
  assert.equal(await gater.denyInboundUpgradedConnection?.(peer, connection), false);
  assert.equal(await gater.denyOutboundUpgradedConnection?.(peer, connection), false);
  members.clear();
  assert.equal(await gater.denyInboundUpgradedConnection?.(peer, connection), true);
  assert.equal(await gater.denyOutboundUpgradedConnection?.(peer, connection), true);
});
