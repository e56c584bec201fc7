import type { Channel, ConsumeMessage } from 'amqplib';
import { DEAD_LETTER_QUEUE_OPTIONS, deadLetterQueue, queueArguments } from './outgoing.ts';
import { Session } from './session.ts';
import { type Tally, WorkOff, type WorkParts } from './work-off.ts';

export interface ConsumerParts extends WorkParts {
  /** @throws Error that says why there is none */
  openChannel(): Promise<Channel>;
  /** How many more messages these functions would run at once; `running` are in hand. */
  room(functionNames: readonly string[], running: number): number;
}

/**
 *     connecting ──▶ consuming ⇄ full        full: consumes nothing, as there is no room on this machine
 *         ▲  │            │
 *         │  └▶ failed ◀──┘                   failed: the broker refused, or is away; tried again with waits that grow
 *         └───────┘
 *     any ──▶ stopping                        what is in hand may end
 */
export type QueueState = 'connecting' | 'consuming' | 'full' | 'failed' | 'stopping';

export interface QueueStatus extends Tally {
  queue: string;
  functionNames: readonly string[];
  state: QueueState;
  /** Why it failed, or why what follows from messages can't be published. */
  error: string | null;
  /** Since when the state is what it is; milliseconds since the epoch. */
  since: number;
  /** Messages in hand. */
  unacked: number;
  /** Messages that could be taken besides. */
  free: number;
  received: number;
  redelivered: number;
  /** Messages given back: there was no time or no function for them. */
  requeued: number;
}

/** Messages of one queue at a time, at most. */
const MAX_IN_HAND = 256;
/** Bodies of messages in hand, together; beyond it nothing more is taken. Bytes. */
const MAX_BYTES_IN_HAND = 64 * 1024 * 1024;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** For the broker to answer. Milliseconds. */
const ANSWER_MS = 15_000;

/** Keeps one queue consumed for as long as functions have it for their event key. */
export class QueueConsumer {
  readonly #parts: ConsumerParts;
  readonly #queue: string;
  readonly #functions = new Set<string>();
  #session: Session | null = null;
  #opening: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  #state: QueueState = 'connecting';
  #since: number;
  #error: string | null = null;
  /** Why what follows from messages can't be published. */
  #trouble: string | null = null;
  #inHand = 0;
  #bytesInHand = 0;
  #received = 0;
  #redelivered = 0;
  #requeued = 0;
  readonly #tally: Tally = { succeeded: 0, retried: 0, deadLettered: 0 };
  #stopping = false;
  #whenSettled: (() => void)[] = [];
  /** With messages in hand; those that were lost among them. */
  readonly #sessions = new Set<Session>();

  constructor(queue: string, parts: ConsumerParts) {
    this.#queue = queue;
    this.#parts = parts;
    this.#since = parts.clock();
    this.#open();
  }

  get status(): QueueStatus {
    return {
      queue: this.#queue,
      functionNames: [...this.#functions].sort(),
      state: this.#state,
      error: this.#error ?? this.#trouble,
      since: this.#since,
      unacked: this.#inHand,
      free: this.#session?.free ?? 0,
      received: this.#received,
      redelivered: this.#redelivered,
      requeued: this.#requeued,
      ...this.#tally,
    };
  }

  add(functionName: string): void {
    this.#functions.add(functionName);
  }

  /** @returns whether others are left */
  remove(functionName: string): boolean {
    this.#functions.delete(functionName);
    return this.#functions.size > 0;
  }

  /** Takes as many messages as there is room for now. To be called whenever that may have changed. */
  adjust(): void {
    if (!this.#session || this.#stopping) return;
    const free = this.#room();
    this.#session.setFree(free);
    if (this.#state === 'consuming' || this.#state === 'full') this.#become(free === 0 && this.#inHand === 0 ? 'full' : 'consuming');
  }

  /** Takes nothing more; what is in hand may end. Resolves once nothing more comes. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#become('stopping');
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#opening;
    await this.#session?.stop();
  }

  /** Resolves once nothing is in hand. */
  async settled(): Promise<void> {
    if (this.#inHand > 0) await new Promise<void>((resolve) => this.#whenSettled.push(resolve));
  }

  /** After `stop`: what is still in hand is given up, and the broker gives it to others. */
  abandon(): void {
    for (const session of this.#sessions) session.abandon();
  }

  #room(): number {
    if (this.#bytesInHand >= MAX_BYTES_IN_HAND || this.#trouble !== null) return 0;
    return Math.max(0, Math.min(this.#parts.room([...this.#functions], this.#inHand), MAX_IN_HAND - this.#inHand));
  }

  #open(): void {
    this.#opening = this.#tryOpen().finally(() => {
      this.#opening = null;
    });
  }

  /** Never rejects. */
  async #tryOpen(): Promise<void> {
    const opening = this.#channelWithQueue();
    try {
      const channel = await timed(opening);
      if (this.#stopping) return void (await channel.close().catch(() => undefined));
      const session = new Session(channel, this.#queue, {
        onConsuming: () => this.#recovered(),
        onMessage: (message) => void this.#work(session, message),
        onLost: (reason) => this.#lost(session, reason),
      });
      this.#session = session;
      // One slot even where there is no room now: whether the queue may be consumed is to be known. A message that comes waits in the function's line.
      await timed(session.begin(() => Math.max(1, this.#room()))).catch((error: Error) => session.lose(error.message));
    } catch (error) {
      opening.then((channel) => channel.close()).catch(() => undefined);
      this.#failed((error as Error).message);
    }
  }

  /** The queue is taken as it is, or made when there is none. @throws Error */
  async #channelWithQueue(): Promise<Channel> {
    const channel = await this.#openChannel();
    try {
      await channel.checkQueue(this.#queue);
      return channel;
    } catch (error) {
      // The broker has closed the channel over it.
      if ((error as { code?: unknown }).code !== 404) throw error;
    }
    // First: should the broker refuse it, no channel is left open, try after try.
    await this.#makeDeadLetterQueue();
    const fresh = await this.#openChannel();
    await fresh.assertQueue(this.#queue, queueArguments(this.#queue));
    this.#parts.log.info({ queue: this.#queue }, 'there was no such queue on the broker; it is made');
    return fresh;
  }

  async #makeDeadLetterQueue(): Promise<void> {
    const name = deadLetterQueue(this.#queue);
    const channel = await this.#openChannel();
    try {
      await channel.checkQueue(name);
      await channel.close();
    } catch (error) {
      if ((error as { code?: unknown }).code !== 404) throw error;
      const fresh = await this.#openChannel();
      await fresh.assertQueue(name, DEAD_LETTER_QUEUE_OPTIONS);
      await fresh.close();
    }
  }

  async #openChannel(): Promise<Channel> {
    const channel = await this.#parts.openChannel();
    // What is asked of it rejects; the event besides would be uncaught.
    channel.on('error', () => undefined);
    return channel;
  }

  async #work(session: Session, message: ConsumeMessage): Promise<void> {
    const { log } = this.#parts;
    const bytes = message.content.length;
    this.#received++;
    if (message.fields.redelivered) this.#redelivered++;
    this.#inHand++;
    this.#bytesInHand += bytes;
    this.#sessions.add(session);
    let settlement: 'ack' | 'requeue' = 'requeue';
    if (!this.#stopping) {
      const onTrouble = (reason: string | null): void => {
        this.#trouble = reason;
        this.adjust();
      };
      const work = new WorkOff(this.#parts, this.#queue, message, { tally: this.#tally, ending: session.ending, onTrouble });
      const working = work.run([...this.#functions]);
      this.adjust();
      settlement = await working.catch((error: unknown) => {
        log.warn({ err: error, queue: this.#queue }, 'a message could not be worked off; it is given back');
        return 'requeue' as const;
      });
    }
    this.#inHand--;
    this.#bytesInHand -= bytes;
    // A session that was lost before may have ended with its message unpublished, and nobody else would take it back.
    if (this.#inHand === 0) this.#trouble = null;
    if (settlement === 'requeue') this.#requeued++;
    session.settle(message, settlement, this.#stopping || session.free >= this.#room());
    if (session.unacked === 0) this.#sessions.delete(session);
    this.adjust();
    if (this.#inHand === 0) for (const resolve of this.#whenSettled.splice(0)) resolve();
  }

  #recovered(): void {
    if (this.#state === 'consuming' || this.#state === 'full' || this.#stopping) return;
    this.#parts.log.info({ queue: this.#queue, functions: [...this.#functions] }, 'the queue is consumed');
    this.#failures = 0;
    this.#error = null;
    this.#become('consuming');
    this.adjust();
  }

  #lost(session: Session, reason: string): void {
    if (this.#session !== session) return;
    this.#session = null;
    // What could not be published belongs to messages that are the broker's again.
    this.#trouble = null;
    this.#failed(reason);
  }

  #failed(reason: string): void {
    if (this.#stopping) return;
    if (reason !== this.#error) this.#parts.log.warn({ queue: this.#queue, reason }, 'the queue is not consumed; it is tried again');
    this.#error = reason;
    this.#become('failed');
    const bound = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    // Half of it by chance: many queues are lost in one moment.
    const wait = (bound * (1 + this.#parts.random())) / 2;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, wait);
  }

  #become(state: QueueState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#since = this.#parts.clock();
  }
}

/** @throws Error when it takes too long */
async function timed<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the broker has not answered for ${ANSWER_MS / 1000} s; the queue may be without a leader, see its log`)),
      ANSWER_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
