import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Relays on loopback that hold back all that passes for a while, each way, and let any amount pass at once: distance
 * without a narrow line. It needs no netem, which not every kernel has.
 */
export class FarAway {
  readonly #oneWayMs: number;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor(init: { readonly oneWayMs: number }) {
    this.#oneWayMs = init.oneWayMs;
  }

  /** The address by which what listens at `address` (a multiaddress of TCP on loopback) is far away. */
  async addressOf(address: string): Promise<string> {
    const [, port] = /\/tcp\/(\d+)/.exec(address) ?? [];
    if (port === undefined) throw new RangeError(`${address} is no address of TCP.`);
    const server = createServer((near) => {
      const far = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
      near.setNoDelay();
      for (const socket of [near, far]) this.#keep(socket);
      void this.#relay(near, far);
      void this.#relay(far, near);
    });
    this.#servers.add(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return address.replace(/\/tcp\/\d+/, `/tcp/${(server.address() as AddressInfo).port}`);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Each piece leaves so long after it came, in order; a reader that is slower than that holds back its writer. */
  async #relay(from: Socket, to: Socket): Promise<void> {
    let last: Promise<void> = Promise.resolve();
    from.on('data', (piece) => {
      const due = wait(this.#oneWayMs);
      last = last.then(async () => {
        await due;
        if (to.writable && !to.write(piece)) await settled(to, 'drain');
      });
    });
    await settled(from, 'end');
    await last;
    to.end();
  }
}

/** Until it says so, or is gone. */
async function settled(socket: Socket, event: 'drain' | 'end'): Promise<void> {
  await Promise.race([once(socket, event), once(socket, 'close')]).catch(() => undefined);
}
