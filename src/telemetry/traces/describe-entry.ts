import type { TriggerKind } from '../../schemas/records.ts';
import type { Span } from './span.ts';
import { faasAttributes, type TracedInvocation } from './traced-invocation.ts';
import type { Scope } from './tracer.ts';

/** Values of `faas.trigger`. */
const TRIGGERS: Readonly<Record<TriggerKind, string>> = { gateway: 'http', api: 'http', schedule: 'timer', queue: 'pubsub', function: 'other' };

/** The span of an invocation that no request of the gateway waits for: what it is called, and what stands in it. */
export function describeEntry(invocation: TracedInvocation, scope: Scope): Pick<Span, 'name' | 'kind' | 'attributes' | 'link' | 'parentIsRemote'> {
  const { input, version, error } = invocation;
  const common = {
    ...faasAttributes(invocation),
    'faas.trigger': TRIGGERS[input.trigger],
    'hearth.trigger': input.trigger,
    ...(error ? { 'error.type': error.code } : {}),
  };
  if (input.patient) {
    const ofBroker = input.trigger === 'queue';
    const destination = ofBroker ? decodeURIComponent(input.path.slice('/queues/'.length)) : version.functionName;
    const scheduledAt = headerOf(input.headers, 'x-hearth-scheduled-at');
    const attempt = headerOf(input.headers, 'x-hearth-attempt');
    return {
      name: `process ${destination}`,
      kind: 'consumer',
      // Whoever has sent the message is its parent, and is linked: the conventions ask for the link, and one trace is to show the chain.
      link: scope.parentSpanId === null ? null : { traceId: scope.traceId, spanId: scope.parentSpanId, flags: scope.flags },
      parentIsRemote: true,
      attributes: {
        ...common,
        'messaging.system': ofBroker ? 'rabbitmq' : 'hearth',
        'messaging.destination.name': destination,
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        ...(ofBroker ? {} : { 'messaging.message.id': input.id }),
        ...(attempt === undefined ? {} : { 'hearth.attempt': Number(attempt) }),
        ...(input.trigger === 'schedule' && scheduledAt !== undefined ? { 'faas.time': scheduledAt } : {}),
      },
    };
  }
  if (input.trigger === 'function') {
    return {
      name: `invoke ${version.functionName}`,
      kind: 'client',
      link: null,
      parentIsRemote: false,
      attributes: { ...common, 'faas.invoked_name': version.functionName, 'faas.invoked_provider': 'hearth' },
    };
  }
  return {
    name: version.functionName,
    kind: 'server',
    link: null,
    parentIsRemote: true,
    attributes: { ...common, 'http.request.method': input.verb, 'url.path': input.path },
  };
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let index = headers.length - 2; index >= 0; index -= 2) {
    if ((headers[index] as string).toLowerCase() === name) return headers[index + 1];
  }
  return undefined;
}
