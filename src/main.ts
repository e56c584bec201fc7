import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { createBroker } from './amqp/create-broker.ts';
import { createReplyQueues } from './amqp/create-reply-queues.ts';
import { decideAccess } from './api/access/access-policy.ts';
import { createApi } from './api/create-api.ts';
import { queuedInvocation } from './api/wire/invocations.ts';
import { createBackups } from './backup/create-backups.ts';
import { createBundles } from './bundles/bundles.ts';
import { createChains } from './chains/create-chains.ts';
import { LimitShare } from './cluster/limit-share.ts';
import { SingleNode } from './cluster/nodes/single-node.ts';
import { answersByBroker, brokerCa, brokerHeartbeat } from './composition/broker.ts';
import {
  DASHBOARD_FOLDER,
  readAdminToken,
  readInspector,
  readNodeInspector,
  readRequirements,
  readVersion,
  secretsKeyFile,
} from './composition/files.ts';
import { gatewaySettings } from './composition/gateway-settings.ts';
import { layerMakers } from './composition/layer-makers.ts';
import { openLimits } from './composition/limits.ts';
import { buildNetwork, defaultNetwork } from './composition/machine.ts';
import { measureNode, shareLimits } from './composition/nodes.ts';
import { openDriver } from './composition/open-driver.ts';
import { openHandOver } from './composition/open-hand-over.ts';
import { openMetrics } from './composition/open-metrics.ts';
import { openState } from './composition/open-state.ts';
import { pruneHourly } from './composition/prune-hourly.ts';
import { readServices } from './composition/services.ts';
import { openTraces } from './composition/traces.ts';
import type { Config } from './config.ts';
import { HearthError } from './errors.ts';
import { Gateway } from './gateway/gateway.ts';
import { GatewayPolicies } from './gateway/policy/policies.ts';
import type { Keeper } from './gateway/respond-async.ts';
import { createLayers } from './layers/create-layers.ts';
import { NoOutputLog } from './logs/no-output-log.ts';
import { ThreadedOutputLog } from './logs/output-log.ts';
import { createDurableInvocations } from './queue/create-durable-invocations.ts';
import { QueueTriggers } from './queue-triggers/queue-triggers.ts';
import { createApiKeys } from './registry/api-keys.ts';
import { FUNCTION_DEFAULTS } from './registry/defaults.ts';
import { createCodeInspector } from './registry/inspect-code.ts';
import { createRegistry } from './registry/registry.ts';
import { TrafficMonitor } from './registry/traffic-monitor.ts';
import { createReplyEndpoint } from './reply/create-reply-endpoint.ts';
import { canonicalPath } from './router/canonical-path.ts';
import { chooseVersions, VERSION_HEADER } from './router/choose-versions.ts';
import { FunctionDirectory } from './router/function-directory.ts';
import { Router } from './router/router.ts';
import { groupPrefix } from './sandbox/cgroup/group-prefix.ts';
import type { NetworkMode } from './sandbox/driver.ts';
import { SandboxPool } from './sandbox/pool.ts';
import { CpuGauge } from './scheduler/cpu-gauge.ts';
import { createHostReader } from './scheduler/host-memory.ts';
import { InstanceRoom } from './scheduler/instance-room.ts';
import { MemoryGauge } from './scheduler/memory-gauge.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { headerOfLines, trigger } from './scheduler/trigger.ts';
import { ALWAYS } from './schedules/leadership.ts';
import { Schedules } from './schedules/schedules.ts';
import { setTimer } from './schedules/waits.ts';
import { openVault } from './secrets/vault.ts';
import { Services } from './services/services.ts';
import { lockFolder } from './store/lock-folder.ts';
import { readThrough } from './store/read-through.ts';
import { readVersions } from './store/read-versions.ts';
import { createRecordWriter } from './store/record-writer.ts';
import { createLog } from './telemetry/log.ts';
import { InvocationMetrics } from './telemetry/metrics/invocation-metrics.ts';
import { StopCounts } from './telemetry/metrics/platform-metrics.ts';
import { FiringCounts } from './telemetry/metrics/trigger-metrics.ts';
import { CallSeries } from './telemetry/series/call-series.ts';
import { MachineSampler } from './telemetry/series/machine-sampler.ts';
import { createSeries } from './telemetry/series/series.ts';
import { SeriesArchive } from './telemetry/series/series-archive.ts';

/** For the outcomes of what ran to be written down, at the end. */
const SETTLE_MS = 5000;
/** For the last spans to be exported, at the end. */
const LAST_SPANS_MS = 3000;
/** A few sandboxes are measured each second, in turn (0.4 % of a core); 5 % of the machine's memory are to stay free. */
const MEMORY_SETTINGS = { headroomShare: 0.05, maxStallPercent: 20, stallShare: 0.1, intervalMs: 1000, perTick: 8, guessBytes: 16 * 1024 * 1024 };

/** Whoever follows what functions print, and is further behind, goes on at its end. */
const MAX_LOG_BEHIND_BYTES = 16 * 1024 * 1024;

/** A running platform. */
export interface Platform {
  gatewayUrl: string;
  apiUrl: string;
  driver: string;
  network: NetworkMode;
  /** Libraries that every function finds are there; rejects when their build failed. */
  layersReady: Promise<void>;
  /** Whether the control plane wants a token. */
  tokensNeeded: boolean;
  /**
   * Takes no new work, lets what runs end or meet its deadline, writes down what is left to be written, and ends every child.
   * Calling it again does nothing more.
   */
  drain(): Promise<void>;
}

/** The composition root: builds the parts, each with what it needs, wires them and starts them. @throws HearthError when one can't be had */
export async function startPlatform(config: Config, isTerminal: boolean): Promise<Platform> {
  const { log, flush } = createLog(config.log, isTerminal);
  // Others may pass through, not look: sandboxes run under user ids of their own and must reach the layers below.
  await mkdir(config.data_dir, { recursive: true, mode: 0o711 }).catch((cause: NodeJS.ErrnoException) => {
    throw new HearthError(
      'invalid_config',
      `The data folder ${config.data_dir} can't be made: ${cause.message}. Name another one by HEARTH_DATA_DIR.`,
      { cause },
    );
  });
  await using undo = new AsyncDisposableStack();
  undo.defer(flush);

  undo.defer(lockFolder(config.data_dir));
  const cgroupsOpening = openLimits(config, groupPrefix(config.data_dir), join(config.data_dir, 'cgroups.json'), log);
  undo.defer(async () => (await cgroupsOpening.catch(() => null))?.close());
  // What the machine can do is found out by other processes, which run while databases are opened; asked for below, as the queue is.
  const driverOpening = openDriver(config, cgroupsOpening, log);
  driverOpening.catch(() => undefined);
  undo.defer(async () => (await driverOpening.catch(() => null))?.driver.close());
  const state = await openState(config, log);
  const { store, cluster } = state;
  undo.defer(() => state.close());
  const closed = await store.closeOpenRecords('the platform ended without stopping it', Date.now());
  if (closed > 0) log.warn({ records: closed }, 'the platform had not been stopped cleanly; records that it had left open are closed');
  const access = decideAccess(config.api, await readAdminToken(config), await store.tokens(), Date.now());

  const tracesOpening = openTraces(config, log);
  tracesOpening.catch(() => undefined);
  const queueOpening = state.openQueue();
  // Whether it could be had is asked for below, when other parts are there; until then nobody listens.
  queueOpening.catch(() => undefined);
  undo.defer(async () => (await queueOpening.catch(() => null))?.close());

  const stored = readVersions(store);

  const secrets = await openVault({
    store,
    keys: {
      file: secretsKeyFile(config) ?? '',
      key: config.secrets.key,
      previousKey: config.secrets.previous_key,
    },
    sharing: cluster?.keys,
    onChanged: (name) => scheduler.secretChanged(name),
    clock: Date.now,
    log,
  });

  const { driver, nursery, pythonVersion, runtimes, bounds } = await driverOpening;
  for (const warning of driver.warnings) log.warn({ driver: driver.name }, warning);
  const network = defaultNetwork(config, driver, log);

  const recorder = createRecordWriter(store, { intervalMs: 100, maxBatch: 1000, maxPending: 100_000, log });
  undo.defer(() => recorder.close());

  const output =
    config.logs.max_bytes === 0
      ? new NoOutputLog()
      : new ThreadedOutputLog({
          settings: {
            folder: join(config.data_dir, 'logs'),
            maxBytes: config.logs.max_bytes,
            segmentBytes: config.logs.segment_bytes,
            keepMs: config.logs.keep_ms,
            maxBytesPerS: config.logs.max_bytes_per_s,
            maxLineChars: config.logs.max_line_chars,
            maxBehindBytes: MAX_LOG_BEHIND_BYTES,
          },
          log,
        });
  undo.defer(() => output.close());

  const layers = createLayers({
    store,
    builder: driver,
    folder: join(config.data_dir, 'layers'),
    defaultRequirements: await readRequirements(config),
    makers: layerMakers(config, buildNetwork(driver), pythonVersion, runtimes),
    timeoutMs: config.layers.build_timeout_ms,
    log,
    clock: Date.now,
  });
  undo.defer(() => layers.close());

  const bundles = await createBundles(
    join(config.data_dir, 'bundles'),
    {
      maxUploadBytes: config.bundles.max_upload_bytes,
      maxBytes: Math.min(config.bundles.max_bytes, config.sandbox.tmp_bytes),
      maxFiles: config.bundles.max_files,
    },
    cluster?.bundles,
  );
  await bundles.sweep(store.namedBundles, 0);

  const replyEndpoint = createReplyEndpoint({ maxMessageBytes: config.gateway.max_reply_bytes, maxConnectionsPerInbox: 64 }, log);
  undo.defer(() => replyEndpoint.close());
  const ca = brokerCa(config);
  const replyQueues = answersByBroker(config)
    ? createReplyQueues(config.amqp.url, {
        ca,
        ...brokerHeartbeat(config),
        file: join(config.data_dir, 'reply-queues.json'),
        keepMs: config.amqp.triggered_queue_ms,
        maxMessageBytes: config.gateway.max_reply_bytes,
        random: Math.random,
        clock: Date.now,
        log,
      })
    : null;
  undo.defer(() => replyQueues?.close());
  // A broker that is away keeps nobody from starting.
  void replyQueues?.start();

  const pool = new SandboxPool(
    driver,
    { minimum: config.pool.minimum, maximum: config.pool.maximum, refills: Math.max(1, availableParallelism()), forgetMs: config.pool.forget_ms },
    log,
  );
  undo.defer(() => pool.close());

  const monitor = new TrafficMonitor(() => performance.now());
  const cpu = new CpuGauge();
  undo.defer(() => cpu.close());

  const memory = new MemoryGauge({
    readHost: createHostReader((path) => readFile(path, 'utf8')),
    settings: { ...MEMORY_SETTINGS, budgetBytes: config.limits.memory_bytes },
    onMeasured: (id, bytes) => room.measured(id, bytes),
    log,
  });
  const room = new InstanceRoom({ maxInstances: config.limits.max_instances, idleMs: config.limits.idle_ms }, memory);
  memory.start();
  undo.defer(() => memory.close());

  const traces = await tracesOpening;
  undo.defer(() => traces?.queue.close(LAST_SPANS_MS));
  const invocationMetrics = new InvocationMetrics(config.metrics.max_functions);
  const callSeries = new CallSeries(config.metrics.max_functions);
  const stopCounts = new StopCounts();
  const firingCounts = new FiringCounts();

  // A platform that is alone has it all.
  const share = new LimitShare();
  const scheduler = new Scheduler({
    driver,
    room,
    cpu,
    pool,
    replyEndpoint,
    replyQueues,
    services: new Services(
      readServices(config, () => replyQueues?.at ?? 0),
      log,
    ),
    layers,
    bundles,
    secrets,
    // Made below: it needs the queue.
    chains: { invoke: (request, sink) => chains.invoke(request, sink) },
    log,
    output,
    recorder: {
      invocation(record, keep, ended) {
        monitor.observe(record);
        const timings = ended.timings();
        const refusal = refusalOf(ended.error);
        invocationMetrics.observe(record, timings, refusal);
        callSeries.observe(record, timings, refusal !== null);
        if (keep) recorder.invocation(record);
      },
      instance(record) {
        if (record.state === 'stopped') stopCounts.count(record.stopReason);
        recorder.instance(record);
      },
    },
    settings: {
      startTimeoutMs: config.limits.start_timeout_ms,
      cancelGraceMs: config.limits.cancel_grace_ms,
      streamIdleMs: config.gateway.stream_idle_ms,
      maxReplyBytes: config.gateway.max_reply_bytes,
      maxCallBytes: config.gateway.max_body_bytes,
      tmpBytes: config.sandbox.tmp_bytes,
      cores: availableParallelism(),
      queueTargetMs: config.limits.queue_target_ms,
      limits: {
        memoryBytes: config.limits.memory_per_instance_bytes,
        boundsMemory: bounds.memory,
        rlimits: { openFiles: config.limits.open_files, fileBytes: config.limits.file_bytes, processes: config.limits.processes },
      },
    },
    schedule: { maxQueue: config.limits.max_queue },
    share,
    tracer: traces?.invocations ?? null,
  });

  const queue = await queueOpening;
  const broker = config.amqp.url === '' ? null : createBroker(config.amqp.url, { ca, ...brokerHeartbeat(config), random: Math.random, log });
  undo.defer(() => broker?.close());
  const durable = createDurableInvocations({
    queue,
    runner: scheduler,
    loadVersion: (name, number) => store.version(name, number),
    describe: queuedInvocation,
    choose: (name) => directory.choose(name),
    revealSecret: (name) => secrets.reveal(name),
    ...(broker ? { publish: (message, ending) => broker.publish(message, ending) } : {}),
    settings: {
      maxRunning: config.queue.max_running,
      leaseMarginMs: config.queue.lease_margin_ms,
      maxResultBytes: config.queue.max_result_bytes,
      keepKeysMs: config.queue.idempotency_ms,
      callbackHosts: config.queue.callback_hosts,
    },
    random: Math.random,
    tracer: traces?.enqueuing ?? null,
    log,
  });
  undo.defer(() => durable.close());
  const chains = createChains({
    choose: (name) => directory.choose(name),
    submit: (input, version, sink) => scheduler.submit(input, version, sink),
    cancel: (invocation) => scheduler.cancel(invocation),
    accept: (request) => durable.invocations.accept(request),
    maxReplyBytes: config.gateway.max_reply_bytes,
    maxGatheredBytes: config.gateway.body_memory_bytes,
    share,
  });

  const schedules = new Schedules({
    store,
    invocations: durable.invocations,
    current: (functionName) => registry.get(functionName),
    leadership: cluster?.leadership ?? ALWAYS,
    clock: Date.now,
    setTimer,
    onFiring: ({ kind, state, firedAt, scheduledAt }) => firingCounts.count(state !== 'skipped', kind === 'manual' ? null : firedAt - scheduledAt),
    log,
  });
  undo.defer(() => schedules.close());

  const queueTriggers = new QueueTriggers({
    broker,
    room: (version) => scheduler.room(version),
    submit: (input, version, sink) => scheduler.submit(input, version, sink),
    choose: (name) => directory.choose(name),
    share,
    record: (record) => recorder.invocation(record),
    maxBodyBytes: config.gateway.max_body_bytes,
    maxReplyBytes: config.gateway.max_reply_bytes,
    clock: Date.now,
    random: Math.random,
    log,
  });
  undo.defer(() => queueTriggers.stop());

  const router = new Router();
  const directory = new FunctionDirectory();
  const policies = new GatewayPolicies({ monotonic: () => performance.now(), clock: Date.now, share });
  const workFolder = join(config.data_dir, 'work');
  await mkdir(workFolder, { recursive: true, mode: 0o711 });
  const registry = createRegistry({
    store,
    stored,
    shared: cluster !== null,
    layers,
    bundles,
    inspectCode: createCodeInspector({
      driver,
      inspectorSource: await readInspector(),
      nodeInspector: await readNodeInspector(),
      workFolder,
    }),
    defaults: { ...FUNCTION_DEFAULTS, network },
    networks: driver.networks(),
    runtimes: ['python', ...runtimes.flatMap(({ names }) => names)],
    hasBroker: broker !== null,
    bounds: { memoryBytes: config.limits.max_memory_per_instance_bytes, cpu: bounds.cpu ? config.limits.max_cpu : null },
    monitor,
    warmer: scheduler,
    secrets,
    clock: Date.now,
    random: Math.random,
    log,
    onInService: ({ current, versions, chooser }) => {
      policies.put(current);
      callSeries.promise(current.functionName, current.slo);
      router.put(current, chooser);
      directory.put(current, chooser);
      for (const version of versions) scheduler.prepare(version);
      scheduler.onInService(current.functionName, versions);
      durable.versions.put(current.functionName, versions);
      schedules.put(current);
      queueTriggers.put(current, versions);
    },
    onRemoved: (functionName) => {
      router.remove(functionName);
      directory.remove(functionName);
      apiKeys.forget(functionName);
      policies.remove(functionName);
      scheduler.remove(functionName);
      durable.versions.remove(functionName);
      schedules.remove(functionName);
      queueTriggers.remove(functionName);
      invocationMetrics.forget(functionName);
      callSeries.forget(functionName);
    },
  });

  undo.defer(() => registry.close());

  const apiKeys = createApiKeys({
    store,
    get: registry.get,
    clock: Date.now,
    onChanged: (functionName, keys) => policies.setKeys(functionName, keys),
  });

  await layers.start();
  const layersReady = layers.default().then(async (layer) => {
    await nursery?.warm([layer.path]);
  });
  // Whoever starts the platform may not care; the layers' own log line tells then.
  layersReady.catch(() => undefined);
  await registry.start();
  await apiKeys.start();
  await schedules.load();
  cluster?.follow({
    function: (name) => registry.refresh(name),
    api_keys: (name) => apiKeys.refresh(name),
    secret: (name) => secrets.refresh(name),
    schedule: (name) => schedules.changed(name),
  });

  const { invocations } = durable;
  let controlPlaneUrl = config.api.public_url.replace(/\/+$/, '');
  const keeper: Keeper = {
    accept: (request) => invocations.accept(request),
    waitFor: (id, waitMs, signal) => invocations.waitFor(id, waitMs, signal),
    statusUrl: (id) => `${controlPlaneUrl}/invocations/${id}`,
  };
  const handOvers =
    cluster && config.amqp.url !== ''
      ? openHandOver({
          node: cluster.node,
          cluster: cluster.clusterId,
          url: config.amqp.url,
          ca,
          scheduler,
          room,
          version: (functionName, versionNumber) => durable.versions.current({ functionName, versionNumber }),
          record: (record) => recorder.invocation(record),
          maxReplyBytes: config.gateway.max_reply_bytes,
          random: Math.random,
          log,
        })
      : null;
  undo.defer(() => handOvers?.close());
  const settings = gatewaySettings(config, cluster?.node.name ?? null);
  const gateway = new Gateway(settings, router, handOvers?.invoker ?? scheduler, keeper, policies, log, traces?.requests ?? null);
  const gatewayAddress = await gateway.listen();
  undo.defer(() => gateway.close());
  const gatewayUrl = urlOf(config.gateway.host, gatewayAddress.port);

  const version = await readVersion();
  const label = { id: 'alone', name: config.node.name || hostname(), version };
  const { memory_bytes: memoryBytes, max_instances: maxInstances } = config.limits;
  const measure = () => measureNode({ scheduler, memory, functions: () => registry.list().length, memoryBytes, maxInstances });
  const nodes = cluster?.nodes ?? new SingleNode(label, measure);
  cluster?.measureBy(measure);
  shareLimits(nodes, share, scheduler);

  const series = createSeries(callSeries, config.limits.memory_bytes, Date.now);
  const metrics = openMetrics({
    ...{ invocationMetrics, stopCounts, firingCounts, callSeries, series },
    ...{ queue, durable, broker, replyQueues, queueTriggers, registry, layers, recorder, output, traces },
    ...{ scheduler, pool, nursery, memory, replyEndpoint, gateway },
    memoryBudgetBytes: config.limits.memory_bytes,
    handOvers,
    nodes,
  });

  const sampler = new MachineSampler(
    callSeries.machine,
    {
      instanceStates: () => scheduler.instances().map(({ state }) => state),
      memoryBytes: () => memory.totalBytes,
      invocations: () => scheduler,
      queued: async () => (await queue.backlog()).queued,
    },
    Date.now,
  );
  sampler.start();
  const archive = new SeriesArchive({ calls: callSeries, store, isKnown: (name) => registry.get(name) !== undefined, clock: Date.now, log });
  undo.defer(() => sampler.close());
  undo.defer(() => archive.close());

  const backups = await createBackups({
    store,
    queue,
    keyFile: secretsKeyFile(config),
    bundleFolder: join(config.data_dir, 'bundles'),
    folder: join(config.data_dir, 'backup.partial'),
    version,
    clock: Date.now,
    log,
  });

  const api = await createApi({
    backups,
    registry,
    apiKeys,
    store: { ...store, ...readThrough(store, recorder) },
    access,
    bundles,
    layers,
    secrets,
    nodes,
    metrics,
    series,
    trigger: (request) => {
      const question = request.path.indexOf('?');
      const path = canonicalPath(question < 0 ? request.path : request.path.slice(0, question));
      const match = path === undefined ? undefined : router.match(request.verb.toUpperCase(), path);
      const header = (name: string) => headerOfLines(request.headerLines, name);
      const targets = match?.kind === 'found' ? chooseVersions(match.targets, header(VERSION_HEADER), header) : [];
      return trigger(scheduler, targets, request);
    },
    durable: invocations,
    schedules,
    queues: queueTriggers,
    liveInvocation: (id) => scheduler.openRecord(id),
    cancelLive: (id) => scheduler.cancelById(id),
    liveInstances: () => scheduler.instances(),
    instanceLogs: (id) => scheduler.instanceLogs(id),
    output,
    gatewayUrl,
    about: { version, driver: driver.name, network },
    dashboardFolder: DASHBOARD_FOLDER,
    log,
  });
  undo.defer(() => api.close());
  const apiUrl = await api.listen({ host: config.api.host, port: config.api.port }).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === 'EADDRINUSE' ? 'something else listens there already; stop it, or set HEARTH_API_PORT to a free port' : cause.message;
    throw new HearthError('invalid_config', `The control plane can't listen on ${config.api.host}:${config.api.port}: ${what}.`, { cause });
  });

  if (controlPlaneUrl === '') controlPlaneUrl = apiUrl;
  nodes.announce({ gatewayUrl, apiUrl });
  await durable.start();
  // Before anything old is deleted: it asks the queue what became of firings that the last process had begun.
  await schedules.start();
  queueTriggers.start();
  handOvers?.start();

  archive.start();

  const stopPruning = pruneHourly({ config, store, queue, bundles, output, cluster, log });

  const parts = undo.move();
  let drained: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    log.info('draining: what runs may end, nothing new is taken');
    void nodes.drain();
    stopPruning();
    gateway.drain();
    schedules.stop();
    durable.stop();
    await Promise.all([queueTriggers.stop(), scheduler.drain(config.limits.drain_ms), handOvers?.drain(config.limits.drain_ms)]);
    await Promise.all([durable.settled(SETTLE_MS), queueTriggers.settled(SETTLE_MS)]);
    log.info('stopped');
    await parts.disposeAsync();
  };
  return {
    gatewayUrl,
    apiUrl,
    driver: driver.name,
    network,
    layersReady,
    tokensNeeded: access.required,
    drain: () => {
      drained ??= drain();
      return drained;
    },
  };
}

/** Why an invocation was turned away for want of room. */
function refusalOf(error: HearthError | null): string | null {
  return error?.code === 'queue_full' ? String(error.extra.reason) : null;
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
