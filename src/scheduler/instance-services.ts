import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import type { ServiceStream } from '../protocol/service-stream.ts';
import type { Services } from '../services/services.ts';

/** Connections to services of one sandbox at a time; what is kept for each is bounded by its windows. */
const MAX_CONNECTIONS = 64;

/** What one instance has connected to services by their names. */
export class InstanceServices {
  readonly #services: Pick<Services, 'connect'>;
  readonly #channel: RuntimeChannel;
  /** By stream: heard from inside until that end has closed. */
  readonly #heard = new Map<number, ServiceStream>();
  /** With those of which only the platform's end is left. */
  readonly #open = new Map<ServiceStream, { name: string; gone: Promise<void> }>();

  constructor(services: Pick<Services, 'connect'>, channel: RuntimeChannel) {
    this.#services = services;
    this.#channel = channel;
  }

  open(stream: number, name: string): void {
    if (this.#open.size >= MAX_CONNECTIONS) {
      this.#channel.streamClose(stream);
      return;
    }
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    const connection = this.#services.connect(name, this.#channel, stream, () => {
      this.#heard.delete(stream);
      this.#open.delete(connection);
      resolve();
    });
    this.#heard.set(stream, connection);
    this.#open.set(connection, { name, gone });
  }

  /** @returns false when no such connection is known @throws ProtocolError */
  receive(stream: number, chunk: Buffer): boolean {
    const connection = this.#heard.get(stream);
    connection?.receive(chunk);
    return connection !== undefined;
  }

  /** @throws ProtocolError */
  receiveCredit(stream: number, bytes: number): void {
    this.#heard.get(stream)?.receiveCredit(bytes);
  }

  receiveEnd(stream: number): void {
    this.#heard.get(stream)?.receiveEnd();
  }

  receiveClose(stream: number): boolean {
    const connection = this.#heard.get(stream);
    this.#heard.delete(stream);
    connection?.receiveClose();
    return connection !== undefined;
  }

  /** Resolves once that service has taken what the connections to it had to say whose inner ends are closed or about to be. */
  async settled(name: string): Promise<void> {
    const ending = [...this.#open].filter(([connection, entry]) => entry.name === name && connection.ending);
    await Promise.all(ending.map(([, { gone }]) => gone));
  }

  /** The sandbox is gone: what it had sent is still delivered. */
  close(): void {
    this.#heard.clear();
    for (const connection of this.#open.keys()) connection.receiveClose();
  }
}
