import type { Libp2p } from '@libp2p/interface';
import type { Clock } from '../system/interface.ts';

/**
 * libp2p notes of everybody who opens a stream what he speaks, and of everybody who was dialled where he is, and drops
 * it only when it is looked at: whoever comes to the lobby with a new key each time fills this node's memory. So what is
 * noted goes once its connections have ended; `afterMs` later, by when a stream that was being opened is noted, too.
 */
export function forgetStrangers(components: { clock: Clock; host: Libp2p }, afterMs: number): void {
  const { clock, host } = components;
  host.addEventListener('connection:close', ({ detail: { remotePeer } }) => {
    clock.after(afterMs, () => {
      if (host.getConnections(remotePeer).length > 0) return;
      // It is in memory only; one that can't be dropped is dropped after its next visit.
      host.peerStore.delete(remotePeer).catch(() => undefined);
    });
  });
}
