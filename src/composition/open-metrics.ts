import type { createBroker } from '../amqp/create-broker.ts';
import type { ReplyQueues } from '../amqp/reply-queues.ts';
import type { HandOvers } from '../cluster/hand-over/create-hand-over.ts';
import type { NodeBook } from '../cluster/nodes/node-book.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Layers } from '../layers/layers.ts';
import type { OutputLog } from '../logs/output-log.ts';
import type { Durable } from '../queue/create-durable-invocations.ts';
import type { DurableQueue } from '../queue/durable-queue.ts';
import type { QueueTriggers } from '../queue-triggers/queue-triggers.ts';
import type { Registry } from '../registry/registry.ts';

import type { SandboxPool } from '../sandbox/pool.ts';
import type { MemoryGauge } from '../scheduler/memory-gauge.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { RecordWriter } from '../store/record-writer.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics/create-metrics.ts';
import { handOverMetrics } from '../telemetry/metrics/hand-over-metrics.ts';
import type { InvocationMetrics } from '../telemetry/metrics/invocation-metrics.ts';
import { nodeMetrics } from '../telemetry/metrics/node-metrics.ts';
import { type PlatformReadings, platformMetrics, type StopCounts } from '../telemetry/metrics/platform-metrics.ts';
import { queueMetrics } from '../telemetry/metrics/queue-metrics.ts';
import { sloMetrics } from '../telemetry/metrics/slo-metrics.ts';
import { type FiringCounts, triggerMetrics } from '../telemetry/metrics/trigger-metrics.ts';
import type { CallSeries } from '../telemetry/series/call-series.ts';
import type { Series } from '../telemetry/series/series.ts';
import type { Traces } from '../telemetry/traces/create-traces.ts';

/** Whose counts and states the metrics read, when somebody asks for them. */
export interface Measured {
  invocationMetrics: Pick<InvocationMetrics, 'metrics'>;
  stopCounts: Pick<StopCounts, 'metric'>;
  firingCounts: Pick<FiringCounts, 'metrics'>;
  callSeries: Pick<CallSeries, 'of'>;
  series: Pick<Series, 'slo'>;
  queue: Pick<DurableQueue, 'backlog' | 'now'>;
  durable: Pick<Durable, 'attempts'>;
  broker: Pick<ReturnType<typeof createBroker>, 'counts'> | null;
  replyQueues: Pick<ReplyQueues, 'counts'> | null;
  queueTriggers: Pick<QueueTriggers, 'list' | 'messages'>;
  registry: Pick<Registry, 'list'>;
  layers: Pick<Layers, 'list'>;
  recorder: RecordWriter;
  output: Pick<OutputLog, 'counts'>;
  traces: Pick<Traces, 'queue'> | null;
  scheduler: Pick<Scheduler, 'instances' | 'open' | 'waiting'>;
  pool: Pick<SandboxPool, 'counts' | 'stockedByKind'>;
  nursery: { readonly counts: NonNullable<ReturnType<PlatformReadings['nursery']>> } | null | undefined;
  memory: Pick<MemoryGauge, 'totalBytes'>;
  replyEndpoint: { readonly counts: ReturnType<PlatformReadings['replyEndpoint']> };
  gateway: Pick<Gateway, 'counts'>;
  memoryBudgetBytes: number;
  nodes: Pick<NodeBook, 'list'>;
  /** Null: there are no other nodes. */
  handOvers: Pick<HandOvers, 'readings'> | null;
}

/** What is told at /metrics: nothing is computed until somebody asks. */
export function openMetrics(measured: Measured): Metrics {
  const { queue, durable, broker, replyQueues, queueTriggers, registry, layers, recorder, output, traces } = measured;
  const { scheduler, pool, nursery, memory, replyEndpoint, gateway, callSeries, series, handOvers } = measured;
  return createMetrics([
    ...measured.invocationMetrics.metrics(),
    measured.stopCounts.metric(),
    ...measured.firingCounts.metrics(),
    ...queueMetrics({ backlog: () => queue.backlog(), attempts: () => durable.attempts, now: () => queue.now() }),
    ...triggerMetrics({
      *brokerConnections() {
        const { publishing = null, consuming = null } = broker?.counts ?? {};
        const known = Object.entries({ publishing, consuming, replies: replyQueues?.counts ?? null });
        for (const [purpose, counts] of known) if (counts) yield { purpose, ...counts };
      },
      published: () => Object.entries(broker?.counts.published ?? {}),
      queueStates: () => queueTriggers.list().map(({ state }) => state),
      unacked: () => queueTriggers.list().reduce((sum, { unacked }) => sum + unacked, 0),
      *queueMessages() {
        const { deadLettered, ...others } = queueTriggers.messages;
        yield* Object.entries({ ...others, dead_lettered: deadLettered });
      },
    }),
    ...handOverMetrics(() => handOvers?.readings ?? null),
    ...sloMetrics(
      function* () {
        for (const { functionName, slo } of registry.list())
          if (slo && callSeries.of(functionName)) yield { functionName, status: series.slo(functionName, slo) };
      },
      () => performance.now(),
    ),
    ...nodeMetrics(() => measured.nodes.list().map(({ state }) => state)),
    ...platformMetrics({
      instanceStates: () => scheduler.instances().map(({ state }) => state),
      invocations: () => scheduler,
      pool: () => ({
        ...pool.counts,
        kinds: pool.stockedByKind.map(({ kind, stocked }) => ({ runtime: kind.runtime, network: kind.network, layers: kind.layers.length, stocked })),
      }),
      nursery: () => nursery?.counts ?? null,
      memory: () => ({ heldBytes: memory.totalBytes, budgetBytes: measured.memoryBudgetBytes }),
      replyEndpoint: () => replyEndpoint.counts,
      gateway: () => gateway.counts,
      layerStates: () => layers.list().map(({ state }) => state),
      records: () => recorder,
      spans: () => traces?.queue.counts ?? null,
      output: () => output.counts,
    }),
  ]);
}
