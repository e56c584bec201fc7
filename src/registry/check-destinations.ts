import { HearthError } from '../errors.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { Destination, Destinations } from '../schemas/destination.ts';
import type { FunctionDefinition, FunctionVersion } from '../schemas/function.ts';

type Definition = NonNullable<NonNullable<FunctionDefinition['destinations']>['on_success']>;

/**
 * Destinations as they are kept; null when there are none.
 * @throws HearthError invalid_request that names the member, when one is none of those there are
 */
export function destinationsOf({ destinations }: FunctionDefinition): Destinations | null {
  const { on_success: success, on_failure: failure, callback_secret: callbackSecret = null } = destinations ?? {};
  const onSuccess = success === undefined ? null : destinationOf(success, 'destinations.on_success');
  const onFailure = failure === undefined ? null : destinationOf(failure, 'destinations.on_failure');
  return onSuccess || onFailure || callbackSecret ? { onSuccess, onFailure, callbackSecret } : null;
}

/**
 * What a function with an event key `queue|…` needs, and what it can't have: its messages stay on the broker, and so do those that it can't work off.
 * @throws HearthError invalid_request that names the member
 */
export function checkQueueTrigger({ event_type: eventKey, destinations }: FunctionDefinition, hasBroker: boolean): void {
  if (parseEventKey(eventKey).kind !== 'queue') return;
  if (!hasBroker) {
    throw invalid(
      'event_type',
      'this platform has no RabbitMQ broker whose queues it could consume. Start it with HEARTH_AMQP_URL=amqp://user:password@host:5672/vhost (the setting amqp.url).',
    );
  }
  const { on_success: success, on_failure: failure, callback_secret: secret } = destinations ?? {};
  if (success !== undefined)
    throw invalid('destinations.on_success', 'goes with other event keys; of a message from a queue, the answer goes to its reply_to.');
  if (secret !== undefined) throw invalid('destinations.callback_secret', 'goes with other event keys; a message from a queue has no callback URL.');
  if (failure !== undefined && failure.exchange === undefined) {
    throw invalid('destinations.on_failure', 'of a function with an event key `queue|…` is to be an exchange: the message itself goes there.');
  }
}

/** @throws HearthError invalid_request when an exchange is among them and there is no broker to publish to */
export function requireBroker(destinations: Destinations | null, hasBroker: boolean): void {
  if (hasBroker || !destinations) return;
  const field = destinations.onSuccess?.kind === 'exchange' ? 'on_success' : destinations.onFailure?.kind === 'exchange' ? 'on_failure' : null;
  if (field === null) return;
  throw invalid(
    `destinations.${field}.exchange`,
    'this platform has no RabbitMQ broker. Start it with HEARTH_AMQP_URL=amqp://user:password@host:5672/vhost (the setting amqp.url), or name a function or a url.',
  );
}

/** Names of the secrets that sign what is sent; the function itself is not given them. */
export function signingSecrets(destinations: Destinations | null): string[] {
  if (!destinations) return [];
  const { onSuccess, onFailure, callbackSecret } = destinations;
  const names = [callbackSecret, ...[onSuccess, onFailure].map((one) => (one?.kind === 'url' ? one.secret : null))];
  return [...new Set(names.filter((name) => name !== null))];
}

/** What is registered may name functions that come later; one that is mistyped never does. */
export function sayIfUnknown({ functionName, destinations, invokes }: FunctionVersion, exists: (functionName: string) => boolean): string[] {
  const targets = [destinations?.onSuccess, destinations?.onFailure].flatMap((one) => (one?.kind === 'function' ? [one.name] : []));
  const unknown = (names: readonly string[]) => [...new Set(names)].filter((name) => name !== functionName && !exists(name));
  return [
    ...unknown(targets).map(
      (name) => `destinations: there is no function "${name}" yet; what it is to be told is tried for some twenty minutes, then given up.`,
    ),
    ...unknown(invokes).map((name) => `invokes: there is no function "${name}" yet; until there is, invoking it fails with not_found.`),
  ];
}

function destinationOf(definition: Definition, field: string): Destination {
  const { function: name, url, secret, exchange, routing_key: routingKey } = definition;
  if ([name, url, exchange].filter((one) => one !== undefined).length !== 1) {
    throw invalid(field, 'is to have one of the members function, url and exchange.');
  }
  if (secret !== undefined && url === undefined) throw invalid(`${field}.secret`, 'signs what is sent to a url; there is none.');
  if (routingKey !== undefined && exchange === undefined) throw invalid(`${field}.routing_key`, 'belongs to an exchange; there is none.');
  if (exchange !== undefined) {
    return { kind: 'exchange', exchange: short(exchange, `${field}.exchange`), routingKey: short(routingKey ?? '', `${field}.routing_key`) };
  }
  if (name !== undefined) return { kind: 'function', name };
  return { kind: 'url', url: urlOf(url as string, `${field}.url`), secret: secret ?? null };
}

/** AMQP 0-9-1 §4.2.5.3: short strings have up to 255 bytes. */
function short(text: string, field: string): string {
  if (Buffer.byteLength(text) > 255) throw invalid(field, 'is to have 255 bytes in UTF-8 at most.');
  return text;
}

/** Where it leads is looked at when something is sent: by then its name may lead elsewhere. */
function urlOf(text: string, field: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) throw invalid(field, 'is to be an http or https URL.');
  if (url.username !== '' || url.password !== '') throw invalid(field, 'must not have a user or password in it; use a secret.');
  return text;
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
