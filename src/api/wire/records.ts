import { type Static, Type } from 'typebox';
import type { InstanceRecord, LayerRecord } from '../../schemas/records.ts';
import type { RuntimeName } from '../../schemas/runtime-name.ts';
import { Instant, Nullable, OneOf } from './common.ts';

export const Instance = Type.Object(
  {
    id: Type.String(),
    function_name: Type.String(),
    version: Type.Integer(),
    driver: Type.String(),
    state: OneOf(['starting', 'idle', 'busy', 'draining', 'stopped']),
    started_at: Instant,
    ready_at: Nullable(Instant),
    stopped_at: Nullable(Instant),
    stop_reason: Nullable(Type.String()),
    invocations: Type.Integer(),
  },
  { title: 'Instance' },
);

export const Layer = Type.Object(
  {
    id: Type.String(),
    name: Nullable(Type.String({ description: "Null for a layer of one function's own requirements." })),
    requirements: Type.String(),
    runtime: Type.Unsafe<RuntimeName>(Type.String({ examples: ['python', 'nodejs26'] })),
    state: OneOf(['building', 'ready', 'failed']),
    output: Type.String({ description: "The last of the installer's output." }),
    created_at: Instant,
    ready_at: Nullable(Instant),
    size_bytes: Nullable(Type.Number()),
  },
  { title: 'Layer' },
);

export function instance(record: InstanceRecord): Static<typeof Instance> {
  return {
    id: record.id,
    function_name: record.functionName,
    version: record.versionNumber,
    driver: record.driver,
    state: record.state,
    started_at: record.startedAt,
    ready_at: record.readyAt,
    stopped_at: record.stoppedAt,
    stop_reason: record.stopReason,
    invocations: record.invocations,
  };
}

export function layer(record: LayerRecord): Static<typeof Layer> {
  return {
    id: record.id,
    name: record.name,
    requirements: record.requirements,
    runtime: record.runtime,
    state: record.state,
    output: record.output,
    created_at: record.createdAt,
    ready_at: record.readyAt,
    size_bytes: record.sizeBytes,
  };
}
