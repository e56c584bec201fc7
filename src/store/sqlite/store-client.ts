import type { Worker } from 'node:worker_threads';
import { HearthError } from '../../errors.ts';
import type { Store } from '../store.ts';
import type { StoreOpening, StoreRequest, StoreResponse } from './requests.ts';
import { fromWire } from './wire-error.ts';

export interface StoreLog {
  error(fields: object, message: string): void;
}

interface Pending {
  resolve(value: never): void;
  reject(error: HearthError): void;
}

/**
 * The main thread's side of the worker. States: opening → open → closing → closed; a worker that dies leads from any of them to closed,
 * and every call that waits then or comes later rejects with store_unavailable and the reason.
 * Resolves once the worker has opened the database; takes over the worker, which `close` ends.
 * @throws HearthError store_unavailable when it could not be opened; the worker is gone then
 */
export async function createStoreClient(worker: Worker, file: string, log: StoreLog): Promise<Store> {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let closed: HearthError | undefined;
  let closing: Promise<void> | undefined;
  let death: unknown;

  const exited = new Promise<void>((resolve) => {
    worker.on('error', (error) => {
      death = error;
    });
    worker.once('exit', (code) => {
      if (closed === undefined) {
        const reason = death instanceof Error ? death.message : `exit code ${code}`;
        closed = new HearthError('store_unavailable', `The store's worker for ${file} has died (${reason}); restart the platform.`, { cause: death });
        if (opened) log.error({ err: closed, file }, 'the store is gone');
      }
      for (const call of pending.values()) call.reject(closed);
      pending.clear();
      resolve();
    });
  });

  let opened = false;
  await new Promise<void>((resolve, reject) => {
    worker.once('message', (message: StoreOpening) => {
      if (message.opened) resolve();
      else reject(fromWire(message.error));
    });
    void exited.then(() => reject(closed));
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  opened = true;

  worker.on('message', (response: StoreResponse) => {
    const call = pending.get(response.id);
    if (call === undefined) return;
    pending.delete(response.id);
    if ('error' in response) call.reject(fromWire(response.error));
    else call.resolve(response.value as never);
  });

  function call<M extends keyof Store>(method: M, ...args: Parameters<Store[M]>): ReturnType<Store[M]> {
    return new Promise((resolve, reject) => {
      if (closed !== undefined) {
        reject(closed);
        return;
      }
      lastId += 1;
      // Before it is kept as pending: what can't be cloned throws here and rejects this call alone.
      worker.postMessage({ id: lastId, method, args } satisfies StoreRequest);
      pending.set(lastId, { resolve, reject });
    }) as ReturnType<Store[M]>;
  }

  async function close(): Promise<void> {
    if (closed !== undefined) return exited;
    // Requests are answered in order: what was asked before is done before the worker closes the database.
    const done = call('close');
    closed = new HearthError('store_unavailable', `The store ${file} is closed; the platform is shutting down.`);
    try {
      await done;
    } finally {
      await worker.terminate();
    }
  }

  return {
    currentVersions: (page) => call('currentVersions', page),
    functionState: (functionName) => call('functionState', functionName),
    putVersion: (version) => call('putVersion', version),
    versions: (functionName) => call('versions', functionName),
    version: (functionName, number) => call('version', functionName, number),
    makeCurrent: (functionName, number) => call('makeCurrent', functionName, number),
    namedBundles: () => call('namedBundles'),
    deleteFunction: (functionName) => call('deleteFunction', functionName),
    trafficSplits: () => call('trafficSplits'),
    putTrafficSplit: (split) => call('putTrafficSplit', split),
    deleteTrafficSplit: (functionName) => call('deleteTrafficSplit', functionName),
    apiKeys: (functionName) => call('apiKeys', functionName),
    putApiKey: (key) => call('putApiKey', key),
    deleteApiKey: (functionName, id) => call('deleteApiKey', functionName, id),
    writeInvocations: (records) => call('writeInvocations', records),
    invocation: (id) => call('invocation', id),
    invocations: (filter) => call('invocations', filter),
    writeInstances: (records) => call('writeInstances', records),
    instance: (id) => call('instance', id),
    instances: (filter) => call('instances', filter),
    closeOpenRecords: (reason, now, nodes) => call('closeOpenRecords', reason, now, nodes),
    secrets: () => call('secrets'),
    secret: (name) => call('secret', name),
    putSecret: (secret) => call('putSecret', secret),
    deleteSecret: (name) => call('deleteSecret', name),
    replaceSecrets: (secrets) => call('replaceSecrets', secrets),
    schedules: (page) => call('schedules', page),
    schedule: (functionName) => call('schedule', functionName),
    changeSchedules: (changes) => call('changeSchedules', changes),
    deleteSchedule: (functionName) => call('deleteSchedule', functionName),
    firings: (filter) => call('firings', filter),
    openFirings: (page) => call('openFirings', page),
    pruneFirings: (before) => inChunks(() => call('pruneFirings', before)),
    scheduleNotices: () => call('scheduleNotices'),
    deleteScheduleNotices: (ids) => call('deleteScheduleNotices', ids),
    pruneRecords: (before) => inChunks(() => call('pruneRecords', before)),
    series: (page) => call('series', page),
    putSeries: (steps) => call('putSeries', steps),
    pruneSeries: (stepMs, before) => call('pruneSeries', stepMs, before),
    putLayer: (layer) => call('putLayer', layer),
    layers: () => call('layers'),
    deleteLayer: (id) => call('deleteLayer', id),
    layerRecipe: (id) => call('layerRecipe', id),
    tokens: () => call('tokens'),
    token: (id) => call('token', id),
    putToken: (token) => call('putToken', token),
    touchToken: (id, at) => call('touchToken', id, at),
    deleteToken: (id) => call('deleteToken', id),
    beginAudit: (entry) => call('beginAudit', entry),
    endAudit: (id, status, version) => call('endAudit', id, status, version),
    audit: (filter) => call('audit', filter),
    pruneAudit: (before) => inChunks(() => call('pruneAudit', before)),
    snapshot: (copy) => call('snapshot', copy),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The worker deletes a chunk at a time, so that others get their turn in between. */
async function inChunks(deleteChunk: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const deleted = await deleteChunk();
    total += deleted;
    if (deleted === 0) return total;
  }
}
