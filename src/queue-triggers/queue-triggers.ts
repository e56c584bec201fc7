import type { LimitShare } from '../cluster/limit-share.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import { type ConsumerParts, QueueConsumer, type QueueStatus } from './queue-consumer.ts';

export interface QueueTriggerParts extends Omit<ConsumerParts, 'openChannel' | 'send' | 'room'> {
  /** Null: the platform has no broker. */
  broker: (Pick<ConsumerParts, 'send'> & { openConsumerChannel: ConsumerParts['openChannel'] }) | null;
  /** How many more invocations of the version the scheduler would run at once. */
  room(version: FunctionVersion): number;
  /** Of the instances that all nodes may have together. */
  share: LimitShare;
}

/** Room comes and goes without anybody telling. Milliseconds. */
const LOOK_MS = 100;

/**
 * Functions that are run by the messages of queues of the operator's broker. One queue has one consumer here, however many functions it runs; each of them
 * runs every message. Messages stay with the broker until they are worked off: it keeps them, counts what is in hand, and gives it to others when we are gone.
 */
export class QueueTriggers {
  readonly #parts: QueueTriggerParts;
  readonly #consumers = new Map<string, QueueConsumer>();
  /** Those that work off what they had in hand. */
  readonly #leaving = new Set<QueueConsumer>();
  /** Messages of queues that are consumed no more. */
  readonly #past = { received: 0, redelivered: 0, succeeded: 0, retried: 0, deadLettered: 0, requeued: 0 };
  /** By function, what is in service of those with a queue for their event key. */
  readonly #functions = new Map<string, { queue: string; current: FunctionVersion; versions: readonly FunctionVersion[] }>();
  readonly #timer: NodeJS.Timeout;
  /** Before it the registry fills from the store, and what it has is not all that it will have. */
  #started = false;
  #stopped = false;

  constructor(parts: QueueTriggerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => {
      for (const consumer of this.#consumers.values()) consumer.adjust();
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** What is in service of a function has changed; it may have another event key now. */
  put(current: FunctionVersion, versions: readonly FunctionVersion[]): void {
    if (this.#stopped) return;
    const { functionName } = current;
    const key = parseEventKey(current.eventKey);
    const before = this.#functions.get(functionName);
    if (before && (key.kind !== 'queue' || before.queue !== key.queue)) this.remove(functionName);
    if (key.kind !== 'queue') return;
    this.#functions.set(functionName, { queue: key.queue, current, versions });
    if (this.#started) this.#consume(functionName, key.queue);
  }

  remove(functionName: string): void {
    const entry = this.#functions.get(functionName);
    if (!entry) return;
    this.#functions.delete(functionName);
    const consumer = this.#consumers.get(entry.queue);
    if (!consumer || consumer.remove(functionName)) return;
    this.#consumers.delete(entry.queue);
    this.#leaving.add(consumer);
    void consumer
      .stop()
      .then(() => consumer.settled())
      .finally(() => {
        this.#leaving.delete(consumer);
        for (const result of RESULTS) this.#past[result] += consumer.status[result];
      });
  }

  /** Begins to consume. */
  start(): void {
    this.#started = true;
    const { broker, log } = this.#parts;
    if (!broker && this.#functions.size > 0) log.warn({ functions: [...this.#functions.keys()] }, NO_BROKER);
    for (const [functionName, { queue }] of this.#functions) this.#consume(functionName, queue);
  }

  /** Messages of all queues since the start, by what came of them. */
  get messages(): Readonly<Record<(typeof RESULTS)[number], number>> {
    const sum = { ...this.#past };
    for (const { status } of [...this.#consumers.values(), ...this.#leaving]) for (const result of RESULTS) sum[result] += status[result];
    return sum;
  }

  /** By the queue's name. */
  list(): QueueStatus[] {
    const { broker } = this.#parts;
    const listed = broker ? [...this.#consumers.values(), ...this.#leaving].map(({ status }) => status) : this.#withoutBroker();
    return listed.sort((a, b) => (a.queue < b.queue ? -1 : a.queue > b.queue ? 1 : 0));
  }

  get(queue: string): QueueStatus | undefined {
    return this.#consumers.get(queue)?.status ?? this.list().find((status) => status.queue === queue);
  }

  /** Takes no more messages, and gives back what comes meanwhile. What runs is the scheduler's to end; `settled` waits for it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await within(STOP_MS, Promise.all([...this.#consumers.values()].map((consumer) => consumer.stop())));
  }

  /** Resolves once everything in hand is settled, or after so many milliseconds: the rest is the broker's again then. */
  async settled(timeoutMs: number): Promise<void> {
    const consumers = [...this.#consumers.values(), ...this.#leaving];
    await within(timeoutMs, Promise.all(consumers.map((consumer) => consumer.settled())));
    for (const consumer of consumers) consumer.abandon();
  }

  #consume(functionName: string, queue: string): void {
    const { broker } = this.#parts;
    if (!broker || this.#stopped) return;
    let consumer = this.#consumers.get(queue);
    if (!consumer) {
      consumer = new QueueConsumer(queue, {
        ...this.#parts,
        openChannel: () => broker.openConsumerChannel(),
        send: (message, ending) => broker.send(message, ending),
        room: (functionNames, running) => this.#room(functionNames, running),
      });
      this.#consumers.set(queue, consumer);
    }
    consumer.add(functionName);
  }

  /** Each message is run by all of them: what the one with the least room can take. */
  #room(functionNames: readonly string[], running: number): number {
    let least = functionNames.length === 0 ? 0 : Number.POSITIVE_INFINITY;
    for (const name of functionNames) {
      const entry = this.#functions.get(name);
      if (!entry) continue;
      const { current, versions } = entry;
      least = Math.min(
        least,
        this.#parts.share.of(current.maxInstances) * current.concurrency - running,
        ...versions.map((version) => this.#parts.room(version)),
      );
    }
    return least;
  }

  #withoutBroker(): QueueStatus[] {
    const byQueue = Map.groupBy(this.#functions, ([, { queue }]) => queue);
    const counts = { unacked: 0, free: 0, received: 0, redelivered: 0, requeued: 0, succeeded: 0, retried: 0, deadLettered: 0 };
    return [...byQueue].map(([queue, entries]) => ({
      queue,
      functionNames: entries.map(([name]) => name).sort(),
      state: 'failed' as const,
      error: NO_BROKER,
      since: this.#parts.clock(),
      ...counts,
    }));
  }
}

const RESULTS = ['received', 'redelivered', 'succeeded', 'retried', 'deadLettered', 'requeued'] as const;
/** For a broker to confirm that it sends nothing more. Milliseconds. */
const STOP_MS = 3000;
const NO_BROKER = 'functions have queues for event keys, and the platform has no broker: set HEARTH_AMQP_URL (amqp.url) and start it again';

async function within(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs)))]);
  clearTimeout(timer);
}
