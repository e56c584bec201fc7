import type { InstanceState } from '../../schemas/records.ts';
import type { PulledMetric, Sample } from './metric.ts';

/** What the platform's parts count by themselves, read when somebody asks. */
export interface PlatformReadings {
  /** Of every instance that is there. */
  instanceStates(): Iterable<InstanceState>;
  /** Invocations that are not over, and those of them that wait for an instance. */
  invocations(): { open: number; waiting: number };
  pool(): { hits: number; misses: number; booting: number; kinds: Iterable<{ runtime: string; network: string; layers: number; stocked: number }> };
  /** Null without a nursery. */
  nursery(): { forks: number; fallbacks: number } | null;
  memory(): { heldBytes: number; budgetBytes: number };
  replyEndpoint(): { connections: number; refused: number };
  records(): { pending: number; dropped: number };
  /** Null without traces. */
  spans(): { exported: number; dropped: number; failed: number } | null;
  /** `answered`: requests by the first digit of the answer's status; 0: there was none. */
  gateway(): { connections: number; webSockets: number; answered: ArrayLike<number> };
  /** Of every layer. */
  layerStates(): Iterable<string>;
  /** What functions print. */
  output(): { lines: number; dropped: number; bytes: number };
}

/** Reasons for which the scheduler stops instances, and what they are called here; all others are `other`. */
const STOP_REASONS: ReadonlyMap<string, string> = new Map([
  ['its room was needed by another function', 'room'],
  ['memory was short', 'memory'],
  ['it was idle for too long', 'idle'],
  ['the version was replaced', 'replaced'],
  ['the function was deleted', 'deleted'],
  ['a secret was changed', 'secret'],
  ['an invocation passed its deadline', 'deadline'],
]);
/** By the first digit. */
const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const STATES: readonly InstanceState[] = ['starting', 'idle', 'busy', 'draining'];

/** Why instances stopped. */
export class StopCounts {
  readonly #counts = new Map<string, number>([...STOP_REASONS.values(), 'other'].map((reason) => [reason, 0]));

  /** @param reason in the scheduler's words */
  count(reason: string | null): void {
    const known = STOP_REASONS.get(reason ?? '') ?? 'other';
    this.#counts.set(known, (this.#counts.get(known) as number) + 1);
  }

  metric(): PulledMetric {
    return {
      name: 'hearth_instances_stopped_total',
      help: 'Instances that stopped, by reason; room, memory and idle are evictions.',
      type: 'counter',
      read: () => [...this.#counts].map(([reason, value]) => ({ labels: { reason }, value })),
    };
  }
}

export function platformMetrics(read: PlatformReadings): PulledMetric[] {
  const one = (value: number, labels: Sample['labels'] = {}): Sample => ({ labels, value });
  return [
    {
      name: 'hearth_instances',
      help: 'Instances that are there, by state.',
      type: 'gauge',
      read() {
        const counts = new Map<InstanceState, number>(STATES.map((state) => [state, 0]));
        for (const state of read.instanceStates()) counts.set(state, (counts.get(state) ?? 0) + 1);
        return [...counts].map(([state, value]) => one(value, { state }));
      },
    },
    { name: 'hearth_invocations_open', help: 'Invocations that are not over.', type: 'gauge', read: () => [one(read.invocations().open)] },
    {
      name: 'hearth_invocations_waiting',
      help: 'Invocations that wait for an instance.',
      type: 'gauge',
      read: () => [one(read.invocations().waiting)],
    },
    {
      name: 'hearth_pool_stocked',
      help: 'Booted sandboxes without a function, by kind.',
      type: 'gauge',
      read: () =>
        [...mergeKinds(read.pool().kinds)].map(([, { runtime, network, layers, stocked }]) =>
          one(stocked, { runtime, network, layers: String(layers) }),
        ),
    },
    { name: 'hearth_pool_booting', help: 'Sandboxes that boot for the pool.', type: 'gauge', read: () => [one(read.pool().booting)] },
    {
      name: 'hearth_pool_takes_total',
      help: 'Starts that asked the pool for a sandbox, and whether it had one.',
      type: 'counter',
      read: () => [one(read.pool().hits, { result: 'hit' }), one(read.pool().misses, { result: 'miss' })],
    },
    {
      name: 'hearth_sandboxes_made_total',
      help: 'Sandboxes that the nursery was asked for: forked from a zygote, or made by bubblewrap instead.',
      type: 'counter',
      read() {
        const nursery = read.nursery();
        return nursery ? [one(nursery.forks, { how: 'fork' }), one(nursery.fallbacks, { how: 'bubblewrap' })] : [];
      },
    },
    {
      name: 'hearth_instances_memory_bytes',
      help: 'What all instances hold, measured or reckoned.',
      type: 'gauge',
      read: () => [one(read.memory().heldBytes)],
    },
    {
      name: 'hearth_memory_budget_bytes',
      help: 'What they may hold before idle ones go.',
      type: 'gauge',
      read: () => [one(read.memory().budgetBytes)],
    },
    { name: 'hearth_gateway_connections', help: 'Connections of callers.', type: 'gauge', read: () => [one(read.gateway().connections)] },
    {
      name: 'hearth_gateway_websockets',
      help: 'WebSockets of callers, and handshakes for them.',
      type: 'gauge',
      read: () => [one(read.gateway().webSockets)],
    },
    {
      name: 'hearth_gateway_requests_total',
      help: 'Requests that are over, by the class of the status of the answer.',
      type: 'counter',
      read() {
        const { answered } = read.gateway();
        return STATUS_CLASSES.map((status, digit) => one(answered[digit] as number, { status }));
      },
    },
    {
      name: 'hearth_layers',
      help: 'Layers of libraries, by state.',
      type: 'gauge',
      read() {
        const counts = new Map<string, number>(['building', 'ready', 'failed'].map((state) => [state, 0]));
        for (const state of read.layerStates()) counts.set(state, (counts.get(state) ?? 0) + 1);
        return [...counts].map(([state, value]) => one(value, { state }));
      },
    },
    {
      name: 'hearth_reply_connections',
      help: 'Connections to the reply endpoint.',
      type: 'gauge',
      read: () => [one(read.replyEndpoint().connections)],
    },
    {
      name: 'hearth_reply_refusals_total',
      help: 'Times that a function named an invocation that was not running in its sandbox: over, cancelled or made up.',
      type: 'counter',
      read: () => [one(read.replyEndpoint().refused)],
    },
    { name: 'hearth_records_pending', help: 'Records that wait to be written.', type: 'gauge', read: () => [one(read.records().pending)] },
    { name: 'hearth_records_dropped_total', help: 'Records that were given up.', type: 'counter', read: () => [one(read.records().dropped)] },
    {
      name: 'hearth_spans_total',
      help: 'Spans of traces: exported, dropped since too many waited, or failed to reach the collector.',
      type: 'counter',
      read: () => Object.entries(read.spans() ?? {}).map(([result, value]) => one(value, { result })),
    },
    {
      name: 'hearth_log_lines_total',
      help: 'Lines that functions printed and that were kept.',
      type: 'counter',
      read: () => [one(read.output().lines)],
    },
    {
      name: 'hearth_log_lines_dropped_total',
      help: 'Lines that functions printed and that were given up: the disk was full or slow.',
      type: 'counter',
      read: () => [one(read.output().dropped)],
    },
    {
      name: 'hearth_log_bytes',
      help: 'Files of what functions printed, since the first line of this run.',
      type: 'gauge',
      read: () => [one(read.output().bytes)],
    },
  ];
}

/** Kinds that differ in which layers they have, not in how many, share a line. */
function mergeKinds(kinds: ReturnType<PlatformReadings['pool']>['kinds']) {
  const merged = new Map<string, { runtime: string; network: string; layers: number; stocked: number }>();
  for (const kind of kinds) {
    const key = `${kind.runtime} ${kind.network} ${kind.layers}`;
    merged.set(key, { ...kind, stocked: kind.stocked + (merged.get(key)?.stocked ?? 0) });
  }
  return merged;
}
