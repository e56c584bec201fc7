import type { FunctionVersion } from '../schemas/function.ts';
import { CallbackAddresses } from './callback-address.ts';
import { Callbacks } from './callbacks.ts';
import { Changes } from './changes.ts';
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
  settings: {
    maxRunning: number;
    leaseMarginMs: number;
    maxResultBytes: number;
    /** Idempotency keys are kept for so many milliseconds. */
    keepKeysMs: number;
    callbackHosts: readonly string[];
  };
  random: () => number;
  /** See the dispatcher. */
  at?: DispatcherParts['at'];
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** The parts of asynchronous invocations over one queue, wired. */
export interface Durable {
  invocations: DurableInvocations;
  versions: VersionBook;
  /** Begins to run what is queued. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /** Begins nothing more. */
  stop(): void;
  /** Resolves once what ran is settled, or after so many milliseconds. Whoever waits for a result is answered then. */
  settled(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export function createDurableInvocations({ queue, runner, loadVersion, describe, settings, random, at, log }: DurableOptions): Durable {
  const changes = new Changes();
  const versions = new VersionBook(loadVersion);
  const addresses = new CallbackAddresses(settings.callbackHosts);
  const callbacks = new Callbacks({ queue, addresses, describe, random, log });
  const onCallbackDue = () => callbacks.poke();
  const dispatcher = new Dispatcher({ queue, runner, versions, changes, settings, random, onCallbackDue, log, ...(at ? { at } : {}) });
  const invocations = new DurableInvocations({
    queue,
    changes,
    offer: (lane, dueAt) => dispatcher.offer(lane, dueAt),
    cut: (lease) => dispatcher.cancel(lease),
    onCallbackDue,
    checkCallback: (url) => addresses.check(url),
    keepKeysMs: settings.keepKeysMs,
  });
  return {
    invocations,
    versions,
    async start() {
      await dispatcher.start();
      callbacks.poke();
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
      await callbacks.close();
      await queue.close();
    },
  };
}
