import type {
  Connection,
  MultiaddrConnection,
  Transport,
  Upgrader,
  UpgraderOptions,
} from '@libp2p/interface';
import { transportSymbol } from '@libp2p/interface';
import { select } from '@libp2p/multistream-select';
import { tcp, type TCPComponents } from '@libp2p/tcp';
import type { Multiaddr } from '@multiformats/multiaddr';
import { TLS_PROTOCOL } from './tls.ts';

/** What an address ends in by which TLS is dialled. */
export const TLS_SUFFIX = '/tls';

/**
 * Dials TCP addresses that end in `/tls`, and asks for TLS there. libp2p chooses the encryption of what it dials by one
 * order for a whole host, and control and content want different ones. Who has no TLS says so, and the dial fails.
 */
export function tlsTransport(): (components: TCPComponents) => Transport {
  return (components) => {
    const transport = tcp()(components);
    return {
      [Symbol.toStringTag]: 'tls',
      [transportSymbol]: true,
      dial: (address, options) =>
        transport.dial(plain(address), { ...options, upgrader: askingForTls(options.upgrader) }),
      createListener: (options) => transport.createListener(options),
      // The plain transport listens, and takes both.
      listenFilter: () => [],
      dialFilter: (addresses) =>
        addresses.filter((address) => isTls(address) && transport.dialFilter([plain(address)]).length > 0),
    };
  };
}

const isTls = (address: Multiaddr): boolean => address.toString().endsWith(TLS_SUFFIX);
const plain = (address: Multiaddr): Multiaddr => address.decapsulate(TLS_SUFFIX);

function askingForTls(upgrader: Upgrader): Upgrader {
  return {
    upgradeInbound: (connection: MultiaddrConnection, options: UpgraderOptions) =>
      upgrader.upgradeInbound(connection, options),
    upgradeOutbound: (connection: MultiaddrConnection, options: UpgraderOptions) =>
      upgradeOutbound(upgrader, connection, options),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
  };
}

async function upgradeOutbound(
  upgrader: Upgrader,
  connection: MultiaddrConnection,
  options: UpgraderOptions,
): Promise<Connection> {
  options.onProgress?.(new CustomEvent('upgrader:encrypt-outbound-connection'));
  await select(connection, TLS_PROTOCOL, options);
  const encrypter = upgrader.getConnectionEncrypters().get(TLS_PROTOCOL);
  if (encrypter === undefined) throw new TypeError('This host has no TLS.');
  const secured = await encrypter.secureOutbound(connection, options);
  const upgraded = await upgrader.upgradeOutbound(secured.connection as MultiaddrConnection, {
    ...options,
    skipEncryption: true,
    remotePeer: secured.remotePeer,
  });
  upgraded.encryption = TLS_PROTOCOL;
  return upgraded;
}
