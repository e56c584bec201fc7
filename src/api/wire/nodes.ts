import { type Static, Type } from 'typebox';
import type { NodeRecord } from '../../cluster/nodes/node-book.ts';
import { Instant, OneOf } from './common.ts';

export const Node = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    state: OneOf(['starting', 'up', 'draining'], {
      description: '`up`: it takes calls. `draining`: not any more; what runs there may end. One that is gone is left out after some seconds.',
    }),
    self: Type.Boolean({ description: 'The one that answers.' }),
    version: Type.String({ description: 'Of the platform.' }),
    started_at: Instant,
    seen_at: Type.Number({ description: 'When it was last heard of. Milliseconds since 1970-01-01 UTC.' }),
    gateway_url: Type.String({ description: 'Empty while it starts.' }),
    api_url: Type.String(),
    cores: Type.Integer(),
    memory_bytes: Type.Number({ description: 'What instances may hold.' }),
    max_instances: Type.Integer(),
    held_bytes: Type.Number({ description: 'What instances hold.' }),
    instances: Type.Integer(),
    running: Type.Integer({ description: 'Invocations that run there.' }),
    waiting: Type.Integer({ description: 'Invocations that wait there for an instance.' }),
    functions: Type.Integer({ description: 'In service there.' }),
  },
  { title: 'Node' },
);

export function node(record: NodeRecord, selfId: string): Static<typeof Node> {
  const { measure } = record;
  return {
    id: record.id,
    name: record.name,
    state: record.state,
    self: record.id === selfId,
    version: record.version,
    started_at: record.startedAt,
    seen_at: record.seenAt,
    gateway_url: record.gatewayUrl,
    api_url: record.apiUrl,
    cores: measure.cores,
    memory_bytes: measure.memoryBytes,
    max_instances: measure.maxInstances,
    held_bytes: measure.heldBytes,
    instances: measure.instances,
    running: measure.running,
    waiting: measure.waiting,
    functions: measure.functions,
  };
}
