import { type Static, Type } from 'typebox';
import type { DeliveryStatus, InvocationDetail } from '../../queue/durable-queue.ts';
import type { Destination } from '../../schemas/destination.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import { Instant, Nullable, OneOf } from './common.ts';

const DestinationOnTheWire = Type.Object({
  function: Type.Optional(Type.String()),
  url: Type.Optional(Type.String()),
  secret: Type.Optional(Type.String({ description: 'Name of the secret that signs what is sent.' })),
  exchange: Type.Optional(Type.String()),
  routing_key: Type.Optional(Type.String()),
});
type DestinationOnTheWire = Static<typeof DestinationOnTheWire>;

interface DestinationsOnTheWire {
  on_success: DestinationOnTheWire | null;
  on_failure: DestinationOnTheWire | null;
  callback_secret: string | null;
}

export const destinationMembers = {
  destinations: Type.Unsafe<DestinationsOnTheWire | null>({
    type: ['object', 'null'],
    description: 'Where the outcomes of its asynchronous invocations are sent.',
    properties: {
      on_success: { ...DestinationOnTheWire, type: ['object', 'null'] },
      on_failure: { ...DestinationOnTheWire, type: ['object', 'null'] },
      callback_secret: Nullable(Type.String()),
    },
  }),
};

export function destinationsOnTheWire({ destinations }: FunctionVersion): { destinations: DestinationsOnTheWire | null } {
  return {
    destinations: destinations && {
      on_success: destinations.onSuccess && destinationOnTheWire(destinations.onSuccess),
      on_failure: destinations.onFailure && destinationOnTheWire(destinations.onFailure),
      callback_secret: destinations.callbackSecret,
    },
  };
}

export const Delivery = Type.Object(
  {
    kind: OneOf(['callback', 'on_success', 'on_failure']),
    to: DestinationOnTheWire,
    state: OneOf(['pending', 'delivered', 'failed'], { description: '`failed`: given up.' }),
    attempts: Type.Integer({ description: 'Tries that have ended.' }),
    error: Nullable(Type.String({ description: 'Why the last try failed.' })),
    due_at: Nullable({ ...Instant, description: 'When it is tried next.' }),
  },
  { title: 'Delivery' },
);

export function deliveryOnTheWire({ kind, target, state, attempts, error, dueAt }: DeliveryStatus): Static<typeof Delivery> {
  return { kind, to: destinationOnTheWire(target), state, attempts, error, due_at: dueAt };
}

/** The delivery to the callback URL, in the shape that it had before there were others. */
export function callbackOf({ callbackUrl, deliveries }: InvocationDetail): { url: string; state: string; attempts: number } | null {
  if (callbackUrl === null) return null;
  const delivery = deliveries.find(({ kind }) => kind === 'callback');
  return { url: callbackUrl, state: delivery?.state ?? 'waiting', attempts: delivery?.attempts ?? 0 };
}

function destinationOnTheWire(target: Destination): DestinationOnTheWire {
  if (target.kind === 'function') return { function: target.name };
  if (target.kind === 'exchange') return { exchange: target.exchange, routing_key: target.routingKey };
  return { url: target.url, ...(target.secret === null ? {} : { secret: target.secret }) };
}
