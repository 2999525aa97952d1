import type { Connection } from '@libp2p/interface';

/**
 * Ends a connection at once. libp2p says goodbye before it lets the socket go, and throws where the way out is closed
 * already, as after a reset in the midst of the handshake: the socket then stays, and what was thrown in a timer ends
 * the node. The second time it says nothing.
 */
export function endConnection(connection: Pick<Connection, 'abort'>, reason: string): void {
  const error = new Error(reason);
  try {
    connection.abort(error);
  } catch {
    connection.abort(error);
  }
}
