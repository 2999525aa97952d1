import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A cable between two machines that a test can pull: TCP on loopback, passed on byte by byte. */
export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What came back from the machine behind it, over all connections. */
  answeredBytes = 0;
  #frozen = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      for (const socket of [near, far]) {
        proxy.#sockets.add(socket);
        socket.on('error', () => undefined);
        if (proxy.#frozen) socket.pause();
      }
      near.on('data', (bytes) => proxy.#frozen || far.write(bytes));
      far.on('data', (bytes) => {
        proxy.answeredBytes += bytes.length;
        if (!proxy.#frozen) near.write(bytes);
      });
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections at once. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  /** Nothing gets through any more, and neither side is told: a pulled cable. */
  freeze(): void {
    this.#frozen = true;
  }

  async stop(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
