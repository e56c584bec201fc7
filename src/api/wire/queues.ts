import { type Static, Type } from 'typebox';
import type { QueueStatus } from '../../queue-triggers/queue-consumer.ts';
import { Instant, Nullable, OneOf } from './common.ts';

export const Queue = Type.Object(
  {
    queue: Type.String({ description: 'Its name on the broker.' }),
    functions: Type.Array(Type.String(), { description: 'Each of them runs every message.' }),
    state: OneOf(['connecting', 'consuming', 'full', 'failed', 'stopping'], {
      description: '`full`: nothing is consumed, as this machine has no room for it. `failed`: the broker is away or refuses; it is tried again.',
    }),
    error: Nullable(Type.String({ description: 'Why it failed, or why what follows from messages can not be published.' })),
    since: { ...Instant, description: 'Since when it is in that state. Milliseconds since 1970-01-01 UTC.' },
    unacked: Type.Integer({ description: 'Messages in hand on this machine.' }),
    free: Type.Integer({ description: 'Messages that would be taken besides, at once.' }),
    received: Type.Integer({ description: 'Messages since the platform began to consume it; so are all counts.' }),
    redelivered: Type.Integer({ description: 'Of those received, the ones that somebody had before.' }),
    succeeded: Type.Integer({ description: 'By function: a message that two functions run counts twice.' }),
    retried: Type.Integer({ description: 'Attempts that failed, after which the message waits for another.' }),
    dead_lettered: Type.Integer(),
    requeued: Type.Integer({ description: 'Messages given back, without an attempt or after one that was cut off.' }),
  },
  { title: 'Queue' },
);

export function queueOnTheWire(status: QueueStatus): Static<typeof Queue> {
  return {
    queue: status.queue,
    functions: [...status.functionNames],
    state: status.state,
    error: status.error,
    since: status.since,
    unacked: status.unacked,
    free: status.free,
    received: status.received,
    redelivered: status.redelivered,
    succeeded: status.succeeded,
    retried: status.retried,
    dead_lettered: status.deadLettered,
    requeued: status.requeued,
  };
}
