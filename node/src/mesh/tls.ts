import type {
  ConnectionEncrypter,
  MessageStream,
  MultiaddrConnection,
  PrivateKey,
  SecureConnectionOptions,
  SecuredConnection,
} from '@libp2p/interface';
import type { SecureContext } from 'node:tls';
import { Socket } from 'node:net';

/** libp2p's name of it. */
export const TLS_PROTOCOL = '/tls/1.0.0';

/** A connection of @libp2p/tcp, with the socket under it, which has no public name there. */
export type SocketConnection = MultiaddrConnection & { readonly socket: Socket };

export interface TlsComponents {
  readonly privateKey: PrivateKey;
}

/**
 * libp2p's TLS 1.3 straight on the TCP socket: what comes in is decrypted in OpenSSL before it is JavaScript's, with
 * the processor's own AES. It costs less than half of noise's processor time, while through streams of JavaScript, as
 * @libp2p/tls does it, nearly nothing is won. Each connection takes 150 KB more than one of noise, so it is for content.
 * A connection that is no TCP socket's is refused, and who dialled takes noise.
 */
export function tls(): (components: TlsComponents) => ConnectionEncrypter {
  return ({ privateKey }) => {
    let context: Promise<SecureContext> | undefined;
    const secure = async (
      connection: MessageStream,
      isServer: boolean,
      options: SecureConnectionOptions = {},
    ): Promise<SecuredConnection> => {
      if (!hasSocket(connection)) throw new TypeError('TLS needs the socket of a TCP connection.');
      // What comes while the rest is made ready is the handshake's.
      connection.pause();
      const { secureOn, secureContextOf } = await import('./tls-connection.ts');
      context ??= secureContextOf(privateKey);
      return secureOn(connection, { isServer, context: await context, ...options });
    };
    return {
      protocol: TLS_PROTOCOL,
      secureInbound: (connection, options) => secure(connection, true, options),
      secureOutbound: (connection, options) => secure(connection, false, options),
    };
  };
}

function hasSocket(connection: MessageStream): connection is SocketConnection {
  return 'remoteAddr' in connection && 'socket' in connection && connection.socket instanceof Socket;
}
