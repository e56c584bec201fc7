import type { FunctionVersion } from '../schemas/function.ts';
import type { EnqueueTracer } from '../telemetry/traces/enqueue-tracer.ts';
import { CallbackAddresses } from './callback-address.ts';
import { Changes } from './changes.ts';
import { deliverToFunction } from './deliver/deliver-to-function.ts';
import { Deliveries, type DeliveryParts } from './deliver/deliveries.ts';
import { postWebhook } from './deliver/post-webhook.ts';
import { Dispatcher, type DispatcherParts, type Runner } from './dispatcher.ts';
import { DurableInvocations } from './durable-invocations.ts';
import type { DurableQueue, InvocationDetail } from './durable-queue.ts';
import { VersionBook } from './version-book.ts';

export interface DurableOptions {
  queue: DurableQueue;
  runner: Runner;
  /** A version that isn't in service. @throws HearthError store_unavailable */
  loadVersion(functionName: string, number: number): Promise<FunctionVersion | undefined>;
  /** What a callback URL is sent, as JSON. */
  describe(detail: InvocationDetail): unknown;
  /** The version that an invocation by name gets; undefined when there is no such function. */
  choose(functionName: string): FunctionVersion | undefined;
  /** The value of a secret; undefined when there is no such secret. @throws HearthError secret_unreadable */
  revealSecret(name: string): string | undefined;
  /** Publishes to an exchange; left out when there is no broker. */
  publish?: DeliveryParts['publish'];
  settings: {
    maxRunning: number;
    leaseMarginMs: number;
    maxResultBytes: number;
    /** Idempotency keys are kept for so many milliseconds. */
    keepKeysMs: number;
    callbackHosts: readonly string[];
  };
  random: () => number;
  /** Left out or null: there are no traces. */
  tracer?: EnqueueTracer | null;
  /** See the dispatcher and the deliveries. */
  at?: (point: Parameters<NonNullable<DispatcherParts['at']>>[0] | Parameters<NonNullable<DeliveryParts['at']>>[0], id: string) => void;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** The parts of asynchronous invocations over one queue, wired. */
export interface Durable {
  invocations: DurableInvocations;
  versions: VersionBook;
  /** How many attempts ended how. */
  attempts: ReadonlyMap<string, number>;
  /** Begins to run what is queued. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /** Begins nothing more. */
  stop(): void;
  /** Resolves once what ran is settled, or after so many milliseconds. Whoever waits for a result is answered then. */
  settled(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export function createDurableInvocations(options: DurableOptions): Durable {
  const { queue, runner, loadVersion, settings, random, at, log } = options;
  const changes = new Changes();
  const versions = new VersionBook(loadVersion);
  const addresses = new CallbackAddresses(settings.callbackHosts);
  const deliveries = new Deliveries({
    queue,
    describe: options.describe,
    revealSecret: options.revealSecret,
    post: (message, ending) => postWebhook(message, addresses, ending),
    toFunction: (name, delivery, source, body) =>
      deliverToFunction({ choose: options.choose, accept: (request) => invocations.accept(request) }, name, delivery, source, body),
    ...(options.publish ? { publish: options.publish } : {}),
    random,
    log,
    ...(at ? { at } : {}),
  });
  const onDeliveryDue = () => deliveries.poke();
  const dispatcher = new Dispatcher({ queue, runner, versions, changes, settings, random, onDeliveryDue, log, ...(at ? { at } : {}) });
  const invocations = new DurableInvocations({
    queue,
    changes,
    offer: (lane, dueAt) => dispatcher.offer(lane, dueAt),
    cut: (lease) => dispatcher.cancel(lease),
    onDeliveryDue,
    checkCallback: (url) => addresses.check(url),
    keepKeysMs: settings.keepKeysMs,
    tracer: options.tracer ?? null,
  });
  return {
    invocations,
    versions,
    attempts: dispatcher.attempts,
    async start() {
      queue.onChanged((ids) => {
        if (ids === null) changes.tellAll();
        else for (const id of ids) changes.tell(id);
      });
      await dispatcher.start();
      deliveries.poke();
    },
    stop: () => dispatcher.stop(),
    async settled(timeoutMs) {
      await dispatcher.settled(timeoutMs);
      invocations.close();
    },
    async close() {
      dispatcher.stop();
      await dispatcher.settled(0);
      invocations.close();
      await deliveries.close();
      await queue.close();
    },
  };
}
