import type { Store } from '../store.ts';
import type { WireError } from './wire-error.ts';

/** What passes between the store's client on the main thread and its worker. */

/** The store without its promises, save the one that other requests need not wait for: what the worker runs. */
export type BlockingStore = { [M in Exclude<keyof Store, 'snapshot'>]: (...args: Parameters<Store[M]>) => Awaited<ReturnType<Store[M]>> } & Pick<
  Store,
  'snapshot'
>;

export interface StoreRequest {
  id: number;
  method: keyof Store;
  args: readonly unknown[];
}

export type StoreResponse = { id: number; value: unknown } | { id: number; error: WireError };

/** The worker's first message, once. */
export type StoreOpening = { opened: true } | { opened: false; error: WireError };

export interface StoreWorkerData {
  file: string;
}
