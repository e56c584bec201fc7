import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { BrokerAddress, BrokerAddresses } from './broker-address.ts';
import { within } from './within.ts';

export interface BrokerConnectionParts {
  /** Each connection begins with one of them by chance, so that many spread over the nodes, and takes the next one when it can't be reached or was lost. */
  addresses: BrokerAddresses;
  /** Of a broker with a certificate of its own: in PEM form. */
  ca?: Buffer | undefined;
  /** A peer that is silent for two of these is gone. Seconds; default 15. */
  heartbeatS?: number;
  /** Between two attempts, at most. Milliseconds; default 30 000. */
  longestWaitMs?: number;
  /** Called whenever a connection has been made. */
  onConnected?: () => void;
  /** 0 to below 1. */
  random: () => number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** A broker that says nothing for so long between the connection of the socket and its open vhost. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The same, where there is another node to go to. */
const NEXT_NODE_MS = 3000;
/** A connection that was lost sooner is not made again at once. */
const STABLE_MS = 1000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** A peer that is silent for two of these is gone. Seconds. */
const HEARTBEAT_S = 15;

/**
 * One long-lived connection to a broker, made when it is first asked for and again whenever it was lost: at once with another node of its cluster, else, and when none of
 * them can be reached, with waits that grow. While the broker is away whoever
 * wants a channel is told so at once: deliveries have their own waits, and must not queue up here.
 */
export class BrokerConnection {
  readonly #parts: BrokerConnectionParts;
  #model: ChannelModel | null = null;
  #attempt: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** In a row. */
  #failures = 0;
  /** Why there is no connection; null: nobody has asked for one. */
  #reason: string | null = null;
  #blockedBy: string | null = null;
  #closed = false;
  #made = 0;
  /** Of the node that it is connected to, or tries first when it connects again. */
  #at: number;
  #since = 0;

  constructor(parts: BrokerConnectionParts) {
    this.#parts = parts;
    this.#at = Math.floor(parts.random() * parts.addresses.length);
  }

  /**
   * A channel of its own for whoever asks, with publisher confirms. Its user listens to `error` and `close`.
   * @throws Error that says why there is none
   */
  async openChannel(): Promise<ConfirmChannel> {
    const model = await this.#connected();
    this.requireUnblocked();
    return model.createConfirmChannel();
  }

  /** One without confirms, for who consumes. @throws Error that says why there is none */
  async openPlainChannel(): Promise<Channel> {
    return (await this.#connected()).createChannel();
  }

  /** Where it connects to, for logs and errors: the node that it is connected to, or else all of them. */
  get shown(): string {
    return this.#model === null ? this.#parts.addresses.map(({ shown }) => shown).join(', ') : this.#address.shown;
  }

  /** The place among the addresses of the node that it is connected to; without a connection, of the one that is tried next. */
  get at(): number {
    return this.#at;
  }

  get #address(): BrokerAddress {
    return this.#parts.addresses[this.#at] as BrokerAddress;
  }

  /** Why there is no connection, while another attempt is waited for; null: there is one, or there may soon be. */
  get absence(): string | null {
    return this.#model === null && this.#timer !== null ? this.#reason : null;
  }

  /** Null: nobody has asked for one. `made`: connections since the start. */
  get counts(): { connected: boolean; made: number } | null {
    return this.#made === 0 && this.#attempt === null && this.#timer === null ? null : { connected: this.#model !== null, made: this.#made };
  }

  /** @throws Error that says why there is none */
  async #connected(): Promise<ChannelModel> {
    if (this.#closed) throw new Error('the platform is stopping');
    if (this.#model === null && this.#timer === null && this.#attempt === null) this.#connect();
    // An attempt that is under way is worth waiting for: it ends soon.
    await this.#attempt;
    if (this.#model === null) throw new Error(`the broker ${this.shown} can't be reached: ${this.#reason}`);
    return this.#model;
  }

  /** @throws Error while the broker takes no messages, which it says once it has been sent one */
  requireUnblocked(): void {
    if (this.#blockedBy !== null) throw new Error(`the broker ${this.shown} takes no messages at present: ${this.#blockedBy}`);
  }

  /** Ends the connection; there is no other after it. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    const model = this.#model;
    this.#model = null;
    // A broker that hangs or has blocked us doesn't answer.
    if (model) await within(CLOSE_TIMEOUT_MS, model.close()).catch(() => destroySocket(model));
    // An attempt that is under way ends what it has made, even after this.
    await within(CLOSE_TIMEOUT_MS, this.#attempt ?? Promise.resolve()).catch(() => undefined);
  }

  #connect(): void {
    this.#attempt = this.#try().finally(() => {
      this.#attempt = null;
    });
  }

  /** Never rejects. Tries each node once. */
  async #try(): Promise<void> {
    const { addresses, log } = this.#parts;
    const reasons: string[] = [];
    for (const _ of addresses) {
      const { shown } = this.#address;
      try {
        return await this.#open(this.#address);
      } catch (error) {
        if (this.#closed) return;
        const reason = reasonOf(error);
        reasons.push(addresses.length === 1 ? reason : `${shown}: ${reason}`);
        this.#turn();
      }
    }
    this.#reason = reasons.join('; ');
    // Once: it may be away for a night.
    if (this.#failures === 0) log.warn({ broker: this.shown, reason: this.#reason }, "the broker can't be reached; it is tried again until it can");
    this.#later();
  }

  async #open(address: BrokerAddress): Promise<void> {
    const { addresses, ca, heartbeatS = HEARTBEAT_S, log } = this.#parts;
    const timeout = addresses.length === 1 ? CONNECT_TIMEOUT_MS : NEXT_NODE_MS;
    const model = await connect(
      { ...address, heartbeat: heartbeatS },
      { noDelay: true, ...(ca ? { ca: [ca] } : {}), timeout, clientProperties: { connection_name: 'hearth' } },
    );
    model.on('error', (error) => {
      this.#reason = error.message;
    });
    model.on('close', (error) => this.#lost(error));
    model.on('blocked', (why) => {
      this.#blockedBy = why;
      log.warn({ broker: address.shown, reason: why }, 'the broker takes no messages at present');
    });
    model.on('unblocked', () => {
      this.#blockedBy = null;
      log.info({ broker: address.shown }, 'the broker takes messages again');
    });
    if (this.#closed) return destroySocket(model);
    this.#model = model;
    this.#failures = 0;
    this.#made++;
    this.#reason = null;
    this.#since = performance.now();
    log.info({ broker: address.shown }, 'connected to the broker');
    this.#parts.onConnected?.();
  }

  #lost(error: Error | undefined): void {
    if (this.#closed) return;
    this.#reason ??= error?.message ?? 'it closed the connection';
    this.#parts.log.warn({ broker: this.shown, reason: this.#reason }, 'the connection to the broker was lost; it is made again');
    this.#model = null;
    this.#blockedBy = null;
    this.#turn();
    if (this.#parts.addresses.length > 1 && performance.now() - this.#since >= STABLE_MS) this.#connect();
    else this.#later();
  }

  #turn(): void {
    this.#at = (this.#at + 1) % this.#parts.addresses.length;
  }

  /** Half of a wait that doubles is fixed and half is random, so that many platforms don't come back as one. */
  #later(): void {
    if (this.#closed) return;
    const bound = Math.min(this.#parts.longestWaitMs ?? LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#failures++;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#connect();
      },
      (bound * (1 + this.#parts.random())) / 2,
    );
  }
}

const CLOSE_TIMEOUT_MS = 2000;

/** amqplib has no public way to end a connection without the broker's agreement. */
function destroySocket(model: ChannelModel): void {
  (model.connection as unknown as { stream: { destroy(error: Error): void } }).stream.destroy(new Error('ended without the broker'));
}

/** Node.js puts the failures of several addresses of one name into an error without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map((one: Error) => one.message).join('; ');
  return (error as Error).message;
}
