import type { Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import {
  type AbortOptions,
  type PeerId,
  type PrivateKey,
  type SecuredConnection,
  UnexpectedPeerError,
} from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SocketConnection } from './tls.ts';
import { CertificateError, makeCertificate, provenBy } from './tls-certificate.ts';

/** What libp2p's TLS is spoken for; muxers are agreed on afterwards, as on noise of other software. */
const ALPN = ['libp2p'];

export interface SecureInit extends AbortOptions {
  readonly isServer: boolean;
  readonly context: SecureContext;
  /** Whom it must be; absent for whoever is there. */
  readonly remotePeer?: PeerId;
}

/** One for all connections of a host: key and certificate are made once. */
export async function secureContextOf(privateKey: PrivateKey): Promise<SecureContext> {
  return createSecureContext({
    ...(await makeCertificate(privateKey)),
    // Nobody else vouches for a machine: without this, the list of the world's authorities is read.
    ca: [],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  });
}

/**
 * Makes the connection's socket one of TLS, and proves both keys. `connection` is paused. Errors: `CertificateError`,
 * `UnexpectedPeerError`, the signal's reason, and what OpenSSL and the socket say; the connection is then of no use.
 */
export async function secureOn(connection: SocketConnection, init: SecureInit): Promise<SecuredConnection> {
  const { signal, remotePeer } = init;
  signal?.throwIfAborted();
  const socket = wrap(connection, init);
  const onAbort = (): void => void socket.destroy(new Error('Given up.', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await secured(socket);
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new CertificateError('None was shown.');
    const peer = await provenBy(certificate);
    if (remotePeer?.equals(peer) === false) throw new UnexpectedPeerError('It proved to be somebody else.');
    signal?.throwIfAborted();
    return { remotePeer: peer, connection: new TlsConnection(connection, socket) };
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function wrap(connection: SocketConnection, { isServer, context }: SecureInit): TLSSocket {
  const { socket: under } = connection;
  const early = takeOver(connection);
  if (early.length > 0) under.unshift(early);
  // Both sides show a certificate, and no authority has signed it: what it proves is judged here.
  const options = { secureContext: context, ALPNProtocols: ALPN, rejectUnauthorized: false };
  const socket = isServer
    ? new TLSSocket(under, { ...options, isServer, requestCert: true })
    : connect({ ...options, socket: under });
  // What goes wrong is told to whoever waits, and later to the connection; an error that nobody hears ends the node.
  socket.on('error', () => undefined);
  endWith(under, socket);
  return socket;
}

/**
 * Whoever ends the socket under TLS ends TLS first. Node lets go of the socket's memory otherwise while OpenSSL's part
 * still writes to it, and that ends the process.
 */
function endWith(under: Socket, socket: TLSSocket): void {
  const destroy = under.destroy.bind(under);
  under.destroy = (error) => {
    // TLS ends what is under it itself, by this same way.
    if (socket.destroyed) return destroy(error);
    socket.destroy(error);
    return under;
  };
  under.resetAndDestroy = () => under.destroy();
  under.destroySoon = () => socket.destroySoon();
}

/** What has come and was not read; from here on the connection hears no more of what comes by its socket. */
function takeOver(connection: SocketConnection): Buffer {
  const parts: Uint8Array[] = [];
  const take = ({ data }: { data: Uint8Array | Iterable<Uint8Array> }): void => {
    if (data instanceof Uint8Array) parts.push(data);
    else parts.push(...data);
  };
  connection.addEventListener('message', take);
  connection.resume();
  connection.removeEventListener('message', take);
  connection.socket.pause();
  connection.socket.removeAllListeners('data');
  return Buffer.concat(parts);
}

function secured(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('secure', resolve);
  socket.once('error', reject);
  socket.once('close', () => reject(new Error('The connection ended during the handshake.')));
  return promise;
}

/** What libp2p reads from and writes to, in place of the connection under it. */
class TlsConnection extends AbstractMultiaddrConnection {
  readonly #under: SocketConnection;
  readonly #socket: TLSSocket;

  constructor(under: SocketConnection, socket: TLSSocket) {
    const { log, direction, remoteAddr, inactivityTimeout, maxReadBufferLength } = under;
    super({ log, direction, remoteAddr, inactivityTimeout, maxReadBufferLength });
    this.#under = under;
    this.#socket = socket;
    socket.on('data', (bytes) => this.onData(bytes));
    socket.on('drain', () => this.safeDispatchEvent('drain'));
    socket.on('error', (error) => this.abort(error));
    socket.once('end', () => this.onTransportClosed());
    socket.once('close', () => this.onTransportClosed());
    under.addEventListener('close', ({ error, local }) => {
      if (error === undefined) this.onTransportClosed();
      else if (local === true) this.abort(error);
      else this.onRemoteReset();
    });
    if (socket.destroyed) this.onTransportClosed();
  }

  /**
   * What is sent is taken over in one piece: a writer has its memory back when it is here, and OpenSSL comes to it
   * later. Noise encrypts at this place.
   */
  override send(data: Parameters<AbstractMultiaddrConnection['send']>[0]): boolean {
    return super.send(data.slice());
  }

  sendData(data: Parameters<AbstractMultiaddrConnection['sendData']>[0]): {
    sentBytes: number;
    canSendMore: boolean;
  } {
    let canSendMore = true;
    for (const part of data) canSendMore = this.#socket.write(part);
    return { sentBytes: data.byteLength, canSendMore };
  }

  async sendClose(options: AbortOptions = {}): Promise<void> {
    if (this.#socket.destroyed) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#socket.once('close', () => resolve());
    this.#socket.destroySoon();
    try {
      await promise;
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  sendReset(error: Error): void {
    this.#socket.destroy();
    this.#under.abort(error);
  }

  sendPause(): void {
    this.#socket.pause();
  }

  sendResume(): void {
    this.#socket.resume();
  }
}
