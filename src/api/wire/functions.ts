import { type Static, Type } from 'typebox';
import { EventKey, type FunctionVersion } from '../../schemas/function.ts';
import { FunctionName } from '../../schemas/function-name.ts';
import type { RuntimeName } from '../../schemas/runtime-name.ts';
import { Instant, Nullable, OneOf, Warnings } from './common.ts';
import { destinationMembers, destinationsOnTheWire } from './destinations.ts';
import { policyMembers, policyOnTheWire } from './policy.ts';
import { SchedulePolicyOnTheWire, schedulePolicy } from './schedules.ts';
import { SloOnTheWire, sloPolicy } from './slo.ts';

const members = {
  event_type: EventKey,
  function_name: FunctionName,
  version: Type.Integer({ description: 'Counts up from 1.', examples: [1] }),
  hash: Type.String({ description: 'SHA-256 of everything that decides what the version does.' }),
  runtime: Type.Unsafe<RuntimeName>(Type.String({ examples: ['python', 'nodejs'] })),
  style: OneOf(['script', 'handler', 'web', 'server', 'lambda']),
  timeout_ms: Type.Integer({ examples: [60_000] }),
  network: OneOf(['none', 'egress', 'host']),
  layers: Type.Array(Type.String(), { description: 'Ids of layers, in search order.' }),
  secrets: Type.Array(Type.String(), { description: 'Names of the secrets that it is given.' }),
  concurrency: Type.Integer({ description: 'Invocations at a time in one instance.' }),
  max_instances: Type.Integer(),
  max_queue: Type.Integer(),
  async: OneOf(['allowed', 'always', 'never']),
  retry: Type.Object({
    attempts: Type.Integer({ description: 'Runs at most, the first among them.' }),
    min_backoff_ms: Type.Integer(),
    max_backoff_ms: Type.Integer(),
    max_age_s: Type.Number(),
  }),
  reserved: Type.Integer({ description: 'Instances that are always warm.' }),
  min_idle_ms: Type.Integer(),
  max_idle_ms: Nullable(Type.Integer()),
  memory_mb: Nullable(Type.Integer()),
  cpu: Nullable(Type.Number()),
  ...policyMembers,
  schedule: Nullable(SchedulePolicyOnTheWire),
  ...destinationMembers,
  invokes: Type.Array(Type.String(), { description: 'Names of the functions that it may invoke.' }),
  command: Nullable(Type.Array(Type.String(), { description: 'How its program is started; null: the code itself, or it is no program.' })),
  server: Nullable(
    Type.Object({
      port: Type.Integer(),
      ready_path: Nullable(Type.String()),
      health_path: Nullable(Type.String()),
      stop_grace_ms: Type.Integer(),
    }),
  ),
  stream_body: Type.Boolean({ description: 'It is given bodies as they come.' }),
  websocket: Type.Boolean({ description: 'It is given WebSocket handshakes.' }),
  error_logs: Type.Boolean({ description: 'Callers are told the last lines of a call that failed.' }),
  slo: Nullable(SloOnTheWire),
  created_at: Instant,
};

export const FunctionSummary = Type.Object(members, { title: 'FunctionSummary' });
export type FunctionSummary = Static<typeof FunctionSummary>;

export const FunctionDetail = Type.Object(
  {
    ...members,
    function_code: Type.String(),
    bundle: Nullable(
      Type.Object({ hash: Type.String({ description: 'SHA-256 of its manifest.' }), entry: Type.String() }, { description: 'Null: it is one text.' }),
    ),
    requirements: Nullable(Type.String()),
    environment: Type.Object({}, { additionalProperties: Type.String() }),
  },
  { title: 'FunctionDetail' },
);

export const Registered = Type.Object(
  {
    status: Type.Literal('ok'),
    ...members,
    created: Type.Boolean({ description: 'False when exactly this was registered already.' }),
    next_firings: Type.Optional(Type.Array(Instant, { description: 'Of one with an event key `cron|…`: the next five instants.' })),
    warnings: Warnings,
  },
  { title: 'Registered' },
);

export const RolledBack = Type.Object(
  {
    status: Type.Literal('ok'),
    ...members,
    rolled_back_from: Type.Integer({ description: 'What was current before.', examples: [4] }),
    warnings: Warnings,
  },
  { title: 'RolledBack' },
);

export function functionSummary(version: FunctionVersion): FunctionSummary {
  return {
    event_type: version.eventKey,
    function_name: version.functionName,
    version: version.number,
    hash: version.hash,
    runtime: version.runtime,
    style: version.module?.web ? 'web' : version.style,
    timeout_ms: version.timeoutMs,
    network: version.network,
    layers: [...version.layers],
    secrets: [...version.secrets],
    concurrency: version.concurrency,
    max_instances: version.maxInstances,
    max_queue: version.maxQueue,
    async: version.asyncMode,
    retry: {
      attempts: version.retry.attempts,
      min_backoff_ms: version.retry.minBackoffMs,
      max_backoff_ms: version.retry.maxBackoffMs,
      max_age_s: version.retry.maxAgeMs / 1000,
    },
    reserved: version.reserved,
    min_idle_ms: version.minIdleMs,
    max_idle_ms: version.maxIdleMs,
    memory_mb: version.memoryBytes === null ? null : version.memoryBytes / (1024 * 1024),
    cpu: version.cpu,
    ...policyOnTheWire(version),
    schedule: version.schedule && schedulePolicy(version.schedule),
    ...destinationsOnTheWire(version),
    invokes: [...version.invokes],
    command: version.program?.command ? [...version.program.command] : null,
    server: version.program && {
      port: version.program.port,
      ready_path: version.program.readyPath,
      health_path: version.program.healthPath,
      stop_grace_ms: version.program.stopGraceMs,
    },
    stream_body: version.streamBody,
    websocket: version.websocket,
    error_logs: version.errorLogs,
    slo: version.slo && sloPolicy(version.slo),
    created_at: version.createdAt,
  };
}

export function functionDetail(version: FunctionVersion) {
  return {
    ...functionSummary(version),
    function_code: version.code,
    bundle: version.bundle && { hash: version.bundle.hash, entry: version.bundle.entry },
    requirements: version.requirements,
    environment: { ...version.environment },
  };
}
