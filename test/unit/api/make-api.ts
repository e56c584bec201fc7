import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { type ApiOptions, createApi } from '../../../src/api/create-api.ts';
import type { ApiDependencies } from '../../../src/api/dependencies.ts';
import { SingleNode } from '../../../src/cluster/nodes/single-node.ts';
import { NoOutputLog } from '../../../src/logs/no-output-log.ts';
import { createDurableInvocations } from '../../../src/queue/create-durable-invocations.ts';
import { openSqliteQueue } from '../../../src/queue/sqlite/open-sqlite-queue.ts';
import { createApiKeys } from '../../../src/registry/api-keys.ts';
import type { Registry, RegistryOptions } from '../../../src/registry/registry.ts';
import { ALWAYS } from '../../../src/schedules/leadership.ts';
import { Schedules } from '../../../src/schedules/schedules.ts';
import { setTimer } from '../../../src/schedules/waits.ts';
import { openVault } from '../../../src/secrets/vault.ts';
import type { Store } from '../../../src/store/store.ts';
import { createMetrics } from '../../../src/telemetry/metrics/create-metrics.ts';
import { CallSeries } from '../../../src/telemetry/series/call-series.ts';
import { createSeries } from '../../../src/telemetry/series/series.ts';
import { makeRegistry } from '../registry/make-registry.ts';
import { MemoryLayers } from '../registry/memory-layers.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';

export interface TestApi {
  app: FastifyInstance;
  store: Store;
  nodes: SingleNode;
  registry: Registry;
  layers: MemoryLayers;
  /** Lines that were logged, parsed. */
  logged: Record<string, unknown>[];
  /** With a JSON body, if any. */
  request(method: string, url: string, body?: unknown): Promise<LightMyRequestResponse>;
  close(): Promise<void>;
}

const MEASURE = { cores: 2, memoryBytes: 1024, maxInstances: 8, heldBytes: 512, instances: 3, running: 1, waiting: 0, functions: 4 };

type Parts = Partial<Pick<ApiDependencies, 'access' | 'bundles' | 'trigger' | 'liveInstances' | 'instanceLogs'>>;

/** The control plane over a real store and registry; what runs functions is given by the test. */
export async function makeApi(parts: Parts = {}, options: ApiOptions = {}, registryOptions: Partial<RegistryOptions> = {}): Promise<TestApi> {
  const opened = await openTemporaryStore();
  const { store } = opened;
  const layers = new MemoryLayers();
  const secrets = await openVault({
    store,
    keys: { file: join(dirname(opened.file), 'secrets.key'), key: '', previousKey: '' },
    onChanged() {},
    clock: Date.now,
    log: { info() {}, error() {} },
  });
  const registry = makeRegistry(store, layers, {
    secrets,
    onInService: ({ current }) => schedules.put(current),
    onRemoved: (functionName) => schedules.remove(functionName),
    ...registryOptions,
  });
  await registry.start();
  const queue = await openSqliteQueue({ file: join(dirname(opened.file), 'queue.db'), log: { warn() {}, error() {} } });
  const durable = createDurableInvocations({
    queue,
    // Nothing is started, so nothing is run.
    runner: { submit: () => undefined, room: () => 0, cancelById: () => false },
    loadVersion: async () => undefined,
    describe: () => null,
    choose: () => undefined,
    revealSecret: () => undefined,
    settings: { maxRunning: 1, leaseMarginMs: 1000, maxResultBytes: 1024, keepKeysMs: 60_000, callbackHosts: [] },
    random: Math.random,
    log: { warn() {}, error() {} },
  });
  // Nor taken, so that what is queued stays so.
  durable.stop();
  const schedules = new Schedules({
    store,
    invocations: durable.invocations,
    current: registry.get,
    leadership: ALWAYS,
    clock: Date.now,
    setTimer,
    log: { info() {}, warn() {}, error() {} },
  });
  await schedules.load();
  await schedules.start();
  const nodes = new SingleNode({ id: 'n', name: 'alone', version: '0.0.0' }, () => MEASURE);
  nodes.announce({ gatewayUrl: 'http://127.0.0.1:9', apiUrl: 'http://127.0.0.1:8' });
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const app = createApi(
    {
      registry,
      apiKeys: createApiKeys({ store, get: registry.get, clock: Date.now, onChanged() {} }),
      store,
      access: { host: '127.0.0.1', allowedHosts: ['localhost'], required: false, adminHash: null },
      bundles: undefined as never,
      layers,
      secrets,
      durable: durable.invocations,
      schedules,
      queues: { list: () => [], get: () => undefined },
      liveInvocation: () => undefined,
      cancelLive: () => false,
      nodes,
      metrics: createMetrics([]),
      series: createSeries(new CallSeries(10), 0, Date.now),
      backups: { make: async () => Readable.from([]) },
      trigger: async () => ({ correlationId: 'c', instanceIds: [] }),
      liveInstances: () => [],
      instanceLogs: () => undefined,
      output: new NoOutputLog(),
      gatewayUrl: 'http://127.0.0.1:9',
      about: { version: '0.0.0', driver: 'process', network: 'egress' },
      dashboardFolder: '/nowhere',
      log,
      ...parts,
    },
    options,
  );
  await app.ready();
  return {
    app,
    store,
    nodes,
    registry,
    layers,
    logged,
    request: (method, url, body) => {
      const options: InjectOptions = { method: method as 'GET', url };
      if (body !== undefined) options.payload = body as object;
      return app.inject(options);
    },
    async close() {
      await app.close();
      await schedules.close();
      await durable.close();
      await opened.destroy();
    },
  };
}
