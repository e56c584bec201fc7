import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createReplyEndpoint } from '../../src/reply/create-reply-endpoint.ts';
import type { ReplyEndpoint } from '../../src/reply/endpoint.ts';

const AMQP_PORT = 5672;

/**
 * Hearth's reply endpoint on the loopback interface, where a script in a container finds it as `message_queue`: the script then runs unchanged and says
 * the same over AMQP as in Hearth.
 */
export class MessageQueue implements AsyncDisposable {
  readonly #endpoint: ReplyEndpoint;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Map<string, (body: string) => void>();

  private constructor() {
    this.#endpoint = createReplyEndpoint(
      { maxMessageBytes: 1024 * 1024, maxConnectionsPerInbox: 64 },
      { debug: () => undefined, warn: (fields, message) => process.stderr.write(`bench: ${message} ${JSON.stringify(fields)}\n`) },
    );
    const inbox = {
      accepts: (id: string): boolean => this.#waiting.has(id),
      deliver: (id: string, { body }: { body: Buffer }): void => this.#waiting.get(id)?.(body.toString('utf8')),
    };
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#endpoint.accept(socket, inbox);
    });
  }

  /** @throws Error when the port is taken: scripts know no other */
  static async listen(): Promise<MessageQueue> {
    const queue = new MessageQueue();
    await once(queue.#server.listen(AMQP_PORT, '127.0.0.1'), 'listening');
    return queue;
  }

  /** Resolves with the message that is published under this id. */
  message(id: string): Promise<string> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  forget(id: string): void {
    this.#waiting.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoint.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
