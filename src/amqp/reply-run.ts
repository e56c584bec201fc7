import type { Channel, ConsumeMessage } from 'amqplib';
import { HearthError } from '../errors.ts';

/** What a function published: in the shape in which the embedded endpoint gives it. */
export interface RunMessage {
  body: Buffer;
  contentType: string | undefined;
  /** Names and values in turn. */
  headers: readonly string[];
}

export interface RunReceiver {
  /** The first message, and those after it until the run is closed. */
  onMessage(message: RunMessage): void;
  /** No message can come any more. At most once, and not after `close`. */
  onLost(error: HearthError): void;
}

export interface RunParts {
  maxMessageBytes: number;
  /** The broker, in errors. */
  shown: string;
  /** A channel for this run alone. @throws Error */
  take(): Promise<Channel>;
  giveBack(channel: Channel): void;
  /** The queue is gone. */
  deleted(): void;
  /** The queue may be there still, and somebody else is to delete it. */
  leave(): void;
}

/** The queue of one run, named as its correlation id: `declared → consumed → deleted`, while the run goes its own way. */
export class ReplyRun {
  readonly #name: string;
  readonly #receiver: RunReceiver;
  readonly #parts: RunParts;
  readonly #consumed: Promise<Channel | null>;
  #channel: Channel | null = null;
  /** What the broker closed the channel over. */
  #refusal: Error | null = null;
  #closed = false;
  readonly #onError = (error: Error): void => {
    this.#refusal = error;
  };
  readonly #onClose = (): void => {
    this.#channel = null;
    this.#lost(this.#refusal === null ? this.#brokerLost() : this.#refused(this.#refusal));
  };

  constructor(name: string, receiver: RunReceiver, parts: RunParts) {
    this.#name = name;
    this.#receiver = receiver;
    this.#parts = parts;
    this.#consumed = this.#begin();
  }

  /**
   * Resolves once everything has been handed over that was in the queue, or on its way to it, when this was called. The queue's process answers the first question after
   * it has sent what it had to our channel's process; that one's answer may still overtake the message, and the second can't. Never rejects.
   */
  async settled(): Promise<void> {
    const channel = await this.#consumed;
    // Once it is closed the channel may belong to another run, and the queue be gone, which would be an error on it.
    const mayAsk = () => !this.#closed && this.#channel !== null;
    if (channel === null || !mayAsk()) return;
    try {
      await channel.checkQueue(this.#name);
      if (mayAsk()) await channel.checkQueue(this.#name);
    } catch {
      // The channel's end has told the receiver why.
    }
  }

  /** The run is over. @param after when it is certain that nothing more comes from it, so that it can't declare the queue once more */
  close(after: Promise<void>): void {
    if (this.#closed) return;
    this.#closed = true;
    void after.then(() => this.#delete());
  }

  /** Never rejects. @returns null when there is none */
  async #begin(): Promise<Channel | null> {
    let channel: Channel;
    try {
      channel = await this.#parts.take();
    } catch {
      this.#lost(this.#brokerLost());
      return null;
    }
    channel.on('error', this.#onError);
    channel.on('close', this.#onClose);
    this.#channel = channel;
    try {
      await channel.assertQueue(this.#name, { durable: false });
      await channel.consume(this.#name, (message) => this.#take(message), { noAck: true });
    } catch {
      // See above.
    }
    return this.#channel;
  }

  #take(message: ConsumeMessage | null): void {
    if (this.#closed) return;
    if (message === null) {
      this.#lost(
        new HearthError(
          'invalid_reply',
          `The reply queue ${this.#name} was deleted before the function had answered. A function must not delete it.`,
        ),
      );
      return;
    }
    const { content, properties } = message;
    if (content.length > this.#parts.maxMessageBytes) {
      this.#lost(new HearthError('reply_too_large', `The function answered with ${content.length} bytes, more than gateway.max_reply_bytes allows.`));
      return;
    }
    const contentType: unknown = properties.contentType;
    this.#receiver.onMessage({
      body: content,
      contentType: typeof contentType === 'string' ? contentType : undefined,
      headers: headersOf(properties.headers ?? {}),
    });
  }

  #lost(error: HearthError): void {
    if (!this.#closed) this.#receiver.onLost(error);
  }

  async #delete(): Promise<void> {
    await this.#consumed;
    const channel = this.#channel;
    if (channel === null) return this.#parts.leave();
    try {
      await channel.deleteQueue(this.#name);
    } catch {
      return this.#parts.leave();
    } finally {
      channel.off('error', this.#onError);
      channel.off('close', this.#onClose);
    }
    this.#parts.deleted();
    this.#parts.giveBack(channel);
  }

  #brokerLost(): HearthError {
    return new HearthError(
      'broker_lost',
      `The connection to the broker ${this.#parts.shown} was lost while the function ran; it may have done its work, and its answer can't be had. Call it again if that does no harm.`,
    );
  }

  #refused(error: Error): HearthError {
    const { code } = error as { code?: number };
    if (code === 403) {
      return new HearthError(
        'broker_unavailable',
        `The broker ${this.#parts.shown} doesn't let the platform's user have the reply queue: ${error.message}. It needs to configure, write and read queues named as correlation ids; see docs/services.md.`,
      );
    }
    return new HearthError(
      'invalid_reply',
      `The reply queue can't be used as the function has declared it (${error.message}). Declare it by its name alone: queue_declare(queue=correlation_id).`,
    );
  }
}

/** As the embedded endpoint has it: values that are no strings, numbers or booleans are left out. */
function headersOf(table: Readonly<Record<string, unknown>>): string[] {
  const headers: string[] = [];
  for (const [name, value] of Object.entries(table)) {
    if (['string', 'number', 'bigint', 'boolean'].includes(typeof value)) headers.push(name, String(value));
  }
  return headers;
}
