import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A network between two parts, which a test can cut. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  #silent = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target port on the loopback */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer((near) => {
      const far = connect(target, '127.0.0.1');
      const pair: [Socket, Socket] = [near, far];
      proxy.#pairs.add(pair);
      for (const [from, to] of [pair, [far, near] as const]) {
        from.on('data', (chunk) => proxy.#silent || to.write(chunk));
        from.on('end', () => proxy.#silent || to.end());
        from.on('error', () => undefined);
        from.on('close', () => {
          if (proxy.#silent) return;
          to.destroy();
          proxy.#pairs.delete(pair);
        });
      }
    }).listen(0, '127.0.0.1');
    const proxy = new TcpProxy(server);
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Every connection breaks off; new ones can be made. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  /** Nothing gets through any more, and nobody is told; what was open then never comes back. */
  swallow(): void {
    this.#silent = true;
  }

  heal(): void {
    this.#silent = false;
    this.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
