import { describe, expect, it } from 'vitest';
import { InvocationTracer } from '../../../src/telemetry/traces/invocation-tracer.ts';
import { Sampler } from '../../../src/telemetry/traces/sampler.ts';
import type { Span } from '../../../src/telemetry/traces/span.ts';
import { SpanClock } from '../../../src/telemetry/traces/span-clock.ts';
import { TraceIds } from '../../../src/telemetry/traces/trace-ids.ts';
import type { InvocationTrace, TracedInput, TracedInvocation } from '../../../src/telemetry/traces/traced-invocation.ts';
import { Tracer } from '../../../src/telemetry/traces/tracer.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SENDER = '00f067aa0ba902b7';

const input = (over: Partial<TracedInput> = {}): TracedInput => ({ id: 'i1', trigger: 'gateway', verb: 'POST', path: '/a', headers: [], ...over });

function invocation(of: TracedInput, over: Partial<TracedInvocation> = {}): TracedInvocation {
  return {
    input: of,
    version: { functionName: 'f', number: 7, eventKey: 'http|POST|/a' },
    acceptedTick: 100,
    dispatchedTick: 150,
    answeredTick: 170,
    start: 'cold',
    instanceId: 'instance',
    error: null,
    timings: () => ({ queue: 10, start: 25, init: 15, run: 20 }),
    ...over,
  };
}

function spansOf(of: TracedInput, over?: Partial<TracedInvocation>): Map<string, Span> {
  const spans = new Map<string, Span>();
  const clock = new SpanClock();
  const sampler = new Sampler({ sampler: 'parentbased_always_on', ratio: 1, maxPerSecond: 0 }, () => 0);
  const tracer = new InvocationTracer(new Tracer({ clock, sampler, ids: new TraceIds(), sink: { add: (span) => spans.set(span.name, span) } }));
  tracer.begin(of);
  if (of.trace) tracer.end(invocation(of, over), of.trace);
  for (const span of spans.values()) {
    span.startedAt -= clock.at(0);
    span.endedAt -= clock.at(0);
  }
  return spans;
}

const times = (spans: Map<string, Span>) =>
  [...spans.values()]
    .filter(({ kind }) => kind === 'internal')
    .map(({ name, startedAt, endedAt }) => [name, Math.round(startedAt), Math.round(endedAt)]);

describe('the spans of an invocation', () => {
  it('follow one another: waiting, start, run; the function sees its run as its parent', () => {
    const of = input();
    const spans = spansOf(of);
    expect(times(spans)).toEqual([
      ['queue', 100, 110],
      ['start', 110, 150],
      ['run', 150, 170],
    ]);
    const { scope, runSpanId } = of.trace as InvocationTrace;
    expect(of.headers).toEqual(['traceparent', `00-${scope.traceId}-${runSpanId}-03`]);
    expect(spans.get('run')).toMatchObject({ spanId: runSpanId, parentSpanId: scope.spanId, error: null });
    expect(spans.get('run')?.attributes).toMatchObject({
      'faas.name': 'f',
      'faas.version': '7',
      'faas.coldstart': true,
      'faas.instance': 'instance',
    });
    expect(spans.get('start')?.attributes).toMatchObject({ 'hearth.start.boot_ms': 25, 'hearth.start.load_ms': 15 });
  });

  it('leave out the start of a warm call', () => {
    const spans = spansOf(input(), { start: 'warm', timings: () => ({ queue: 50, start: 0, init: 0, run: 20 }) });
    expect(times(spans)).toEqual([
      ['queue', 100, 150],
      ['run', 150, 170],
    ]);
  });

  it('end with the waiting of one that never ran, and say why', () => {
    const spans = spansOf(input(), {
      dispatchedTick: 0,
      instanceId: null,
      error: { code: 'queue_full' },
      timings: () => ({ queue: 30, start: 0, init: 0, run: 0 }),
    });
    expect(times(spans)).toEqual([['queue', 100, 130]]);
    expect(spans.get('queue')).toMatchObject({ error: 'queue_full', attributes: { 'error.type': 'queue_full' } });
  });

  it('are none of a trace that is not recorded, which is passed as it is', () => {
    const headers = ['traceparent', `00-${TRACE}-${SENDER}-00`, 'tracestate', 'a=1'];
    const of = input({ headers });
    expect(spansOf(of).size).toBe(0);
    expect([of.trace, of.headers]).toEqual([null, headers]);
  });
});

describe('the span that they hang from', () => {
  const headers = ['traceparent', `00-${TRACE}-${SENDER}-01`];
  const link = { traceId: TRACE, spanId: SENDER, flags: 1 };

  it.each([
    [
      'of what a queue of ours gave',
      { patient: true, headers: [...headers, 'X-Hearth-Attempt', '2'] },
      'process f',
      { kind: 'consumer', link, attributes: { 'messaging.system': 'hearth', 'faas.trigger': 'http', 'hearth.attempt': 2 } },
    ],
    [
      'of what the clock gave',
      { trigger: 'schedule', patient: true, headers: [...headers, 'X-Hearth-Scheduled-At', '2026-01-01T00:00:00.000Z'] },
      'process f',
      { kind: 'consumer', link, attributes: { 'faas.trigger': 'timer', 'faas.time': '2026-01-01T00:00:00.000Z' } },
    ],
    [
      'of a message of the broker',
      { trigger: 'queue', patient: true, headers, path: '/queues/or%2Fders' },
      'process or/ders',
      { kind: 'consumer', link, attributes: { 'messaging.system': 'rabbitmq', 'messaging.destination.name': 'or/ders', 'faas.trigger': 'pubsub' } },
    ],
    [
      'of what another function waits for',
      { trigger: 'function', headers },
      'invoke f',
      { kind: 'client', link: null, attributes: { 'faas.invoked_name': 'f', 'faas.trigger': 'other' } },
    ],
    [
      'of what the control plane was asked for',
      { trigger: 'api', headers },
      'f',
      { kind: 'server', link: null, attributes: { 'faas.trigger': 'http', 'http.request.method': 'POST' } },
    ],
  ] as [string, Partial<TracedInput>, string, object][])('is that %s', (_, over, name, expected) => {
    const span = spansOf(input(over)).get(name);
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: SENDER, ...expected });
  });
});
