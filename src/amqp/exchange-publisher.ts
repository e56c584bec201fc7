import type { ConfirmChannel, Options } from 'amqplib';
import type { BrokerConnection } from './broker-connection.ts';

/** From asking for a channel to the broker's confirmation. */
const TIMEOUT_MS = 10_000;
/** Idle channels that are kept. */
const MAX_IDLE = 8;

export interface ExchangeMessage {
  /** Empty: the default exchange, where the routing key is a queue's name. */
  exchange: string;
  routingKey: string;
  /** The same in every try, by which consumers tell repetitions. */
  id: string;
  correlationId: string;
  /** What kind of message it is: the property `type`. */
  type: string;
  /** Of this try; milliseconds since the epoch. */
  sentAt: number;
  headers: Readonly<Record<string, string>>;
  /** JSON. */
  body: Buffer;
}

/** A message as the broker is given it. */
export interface OutgoingMessage {
  /** Empty: the default exchange. */
  exchange: string;
  routingKey: string;
  body: Buffer;
  /** It is always `mandatory`. */
  options: Options.Publish;
  /** Declares what it goes to; before each message, on its channel. */
  prepare?(channel: ConfirmChannel): Promise<unknown>;
}

/**
 * Publishes to exchanges and waits until the broker has taken responsibility for it. Each message has a channel to itself while it is under way: a broker closes
 * the whole channel over a mistake like an exchange that isn't there, with everything that is unconfirmed on it.
 */
export class ExchangePublisher {
  readonly #connection: Pick<BrokerConnection, 'openChannel' | 'requireUnblocked'>;
  readonly #idle: ConfirmChannel[] = [];
  /** Messages, by what came of them. */
  readonly counts = { confirmed: 0, unroutable: 0, failed: 0 };

  constructor(connection: Pick<BrokerConnection, 'openChannel' | 'requireUnblocked'>) {
    this.#connection = connection;
  }

  /**
   * Resolves once the message is in at least one queue, persistently if that queue is durable.
   * @param ending breaks it off; the message may have arrived nevertheless
   * @throws Error that says why it didn't arrive, or may not have; Unroutable when no queue is there for it
   */
  publish(message: ExchangeMessage, ending: AbortSignal): Promise<void> {
    return this.send({ exchange: message.exchange, routingKey: message.routingKey, body: message.body, options: optionsOf(message) }, ending);
  }

  /** As `publish`, for those who know all that a message can have. */
  async send(message: OutgoingMessage, ending: AbortSignal): Promise<void> {
    this.#connection.requireUnblocked();
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const signal = AbortSignal.any([ending, timeout]);
    let broken: () => void = () => undefined;
    const cut = new Promise<never>((_, reject) => {
      broken = () => reject(timeout.aborted ? new Error(`the broker did not confirm it within ${TIMEOUT_MS / 1000} s`) : new Error('broken off'));
      if (signal.aborted) broken();
      signal.addEventListener('abort', broken, { once: true });
    });
    const work = this.#onChannel(message, signal);
    work.catch(() => undefined);
    try {
      await Promise.race([work, cut]);
      this.counts.confirmed++;
    } catch (error) {
      if (error instanceof Unroutable) this.counts.unroutable++;
      else this.counts.failed++;
      throw error;
    } finally {
      signal.removeEventListener('abort', broken);
    }
  }

  async #onChannel(message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    const channel = this.#idle.pop() ?? (await this.#open());
    const discard = (): void => void channel.close().catch(() => undefined);
    if (signal.aborted) return discard();
    // What had no answer in time must not be met by the next message.
    signal.addEventListener('abort', discard, { once: true });
    let failure: Error | null = null;
    const onError = (error: Error): void => {
      failure = error;
    };
    channel.on('error', onError);
    try {
      // The default exchange can't be declared, and is always there.
      if (message.exchange !== '') await channel.checkExchange(message.exchange);
      await message.prepare?.(channel);
      await publishOn(channel, message);
      if (!signal.aborted && this.#idle.length < MAX_IDLE) this.#idle.push(channel);
      else discard();
    } catch (error) {
      // The broker's own words say more than that the channel has ended.
      if (!(error instanceof Unroutable)) throw new Error(reasonOf(failure, error as Error, message), { cause: failure ?? error });
      this.#idle.push(channel);
      throw error;
    } finally {
      signal.removeEventListener('abort', discard);
      channel.off('error', onError);
    }
  }

  async #open(): Promise<ConfirmChannel> {
    const channel = await this.#connection.openChannel();
    // An idle channel ends with its connection; so does one that the broker closed.
    channel.on('error', () => undefined);
    channel.on('close', () => {
      const at = this.#idle.indexOf(channel);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    return channel;
  }
}

/** The broker has it not, as no queue is there for it. */
export class Unroutable extends Error {}

function optionsOf(message: ExchangeMessage): Options.Publish {
  return {
    persistent: true,
    messageId: message.id,
    correlationId: message.correlationId,
    contentType: 'application/json',
    timestamp: Math.floor(message.sentAt / 1000),
    type: message.type,
    appId: 'hearth',
    headers: message.headers,
  };
}

async function publishOn(channel: ConfirmChannel, message: OutgoingMessage): Promise<void> {
  const { exchange, routingKey, body } = message;
  let returned = false;
  const onReturn = (): void => {
    returned = true;
  };
  channel.on('return', onReturn);
  try {
    await new Promise<void>((resolve, reject) => {
      const options = { ...message.options, mandatory: true };
      channel.publish(exchange, routingKey, body, options, (error) => (error ? reject(error as Error) : resolve()));
    });
  } finally {
    channel.off('return', onReturn);
  }
  // The broker returns it before it confirms it.
  if (returned) throw new Unroutable(`unroutable: no queue is bound to the exchange "${exchange}" for the routing key "${routingKey}"`);
}

/** @param failure what the broker closed the channel over; null: it did not, so that the connection has gone */
function reasonOf(failure: Error | null, error: Error, { exchange }: OutgoingMessage): string {
  if (error.message === 'message nacked') return 'the broker refused it: a queue is full or failed';
  if (failure === null) return 'the connection to the broker was lost before it confirmed the message';
  if ((failure as { code?: unknown }).code === 404) return `there is no exchange "${exchange}" on the broker; declare it there (${failure.message})`;
  return failure.message;
}
