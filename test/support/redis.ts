import { BackgroundServer, freePort } from './background-server.ts';

/** A Redis of the test's own on loopback that keeps nothing on the disk. Dispose of it with `await using`. */
export class Redis {
  readonly port: number;
  readonly #server: BackgroundServer;

  private constructor(port: number) {
    this.port = port;
    this.#server = new BackgroundServer('redis-server', ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--daemonize', 'no'], '/');
  }

  static async start(): Promise<Redis> {
    const redis = new Redis(await freePort());
    await redis.#server.printed('Ready to accept connections');
    return redis;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop('SIGTERM');
  }
}
