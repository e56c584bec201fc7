import { describe, expect, it } from 'vitest';
import { Sampler, type SamplerSettings } from '../../../src/telemetry/traces/sampler.ts';
import type { Span } from '../../../src/telemetry/traces/span.ts';
import { SpanClock } from '../../../src/telemetry/traces/span-clock.ts';
import { formatTraceparent, parseTraceparent, readTrace, withTraceparent } from '../../../src/telemetry/traces/trace-context.ts';
import { TraceIds } from '../../../src/telemetry/traces/trace-ids.ts';
import { Tracer } from '../../../src/telemetry/traces/tracer.ts';

const TRACE = '12345678901234567890123456789012';
const SPAN = '1234567890123456';
const PARENT = `00-${TRACE}-${SPAN}-01`;

describe('a traceparent', () => {
  it.each([
    ['as it is sent', PARENT],
    ['of a version to come', `cc-${TRACE}-${SPAN}-01`],
    ['of a version to come, with more behind', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`],
    ['with flags that nobody knows', `00-${TRACE}-${SPAN}-ff`],
  ])('is read %s', (_, text) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, flags: Number.parseInt(text.slice(53, 55), 16) });
  });

  // As in the test suite of the W3C's working group.
  it.each([
    ['of the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['of version 00 with more behind', `${PARENT}-what`],
    ['of version 00 with a dash behind', `${PARENT}-`],
    ['of a version to come with more behind, but no dash', `cc-${TRACE}-${SPAN}-01.what`],
    ['without flags', `00-${TRACE}-${SPAN}`],
    ['with a long version', `000-${TRACE}-${SPAN}-01`],
    ['with a short version', `0-${TRACE}-${SPAN}-01`],
    ['with a version that is no number', `.0-${TRACE}-${SPAN}-01`],
    ['with a long trace id', `00-${TRACE}0-${SPAN}-01`],
    ['with a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['with a trace id that is no number', `00-.${TRACE.slice(1)}-${SPAN}-01`],
    ['with capitals in the trace id', `00-A${TRACE.slice(1)}-${SPAN}-01`],
    ['with a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['with a long parent id', `00-${TRACE}-${SPAN}0-01`],
    ['with a short parent id', `00-${TRACE}-${SPAN.slice(1)}-01`],
    ['with a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['with long flags', `00-${TRACE}-${SPAN}-001`],
    ['with short flags', `00-${TRACE}-${SPAN}-1`],
    ['with flags that are no number', `00-${TRACE}-${SPAN}-.0`],
    ['with blanks in it', `00 -${TRACE}-${SPAN}-01`],
    ['that is empty', ''],
  ])('is not read %s', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  it('is written as it was read', () => {
    for (const flags of [0, 1, 3, 255]) {
      const parent = { traceId: TRACE, spanId: SPAN, flags };
      expect(parseTraceparent(formatTraceparent(parent))).toEqual(parent);
    }
  });
});

describe('headers', () => {
  it('name a trace in capitals too, with all that came of its state', () => {
    expect(readTrace(['Accept', '*/*', 'TraceParent', PARENT, 'tracestate', 'a=1', 'TRACESTATE', 'b=2'])).toMatchObject({
      traceId: TRACE,
      tracestate: 'a=1,b=2',
    });
  });

  it('name none when two are named', () => {
    expect(readTrace(['traceparent', PARENT, 'Traceparent', PARENT])).toBeUndefined();
    expect(readTrace(['tracestate', 'a=1'])).toBeUndefined();
  });

  it('are passed with one traceparent, and with the state of that trace alone', () => {
    const headers = ['A', '1', 'Traceparent', 'x', 'tracestate', 'a=1', 'Tracestate', 'b=2', 'traceparent', 'y'];
    expect(withTraceparent(headers, PARENT, true)).toEqual(['A', '1', 'tracestate', 'a=1', 'Tracestate', 'b=2', 'traceparent', PARENT]);
    expect(withTraceparent(headers, PARENT, false)).toEqual(['A', '1', 'traceparent', PARENT]);
  });
});

describe('the sampler', () => {
  const sampler = (settings: Partial<SamplerSettings>, monotonic = () => 0) =>
    new Sampler({ sampler: 'parentbased_always_on', ratio: 1, maxPerSecond: 0, ...settings }, monotonic);
  const sampled = { traceId: TRACE, spanId: SPAN, flags: 1 };
  const unsampled = { ...sampled, flags: 2 };

  it.each([
    ['parentbased_always_on', [true, true, false]],
    ['parentbased_always_off', [false, true, false]],
    ['always_on', [true, true, true]],
    ['always_off', [false, false, false]],
  ] as const)('%s decides for traces that begin here, that are recorded by others, that are not', (name, decisions) => {
    const decide = (parent?: typeof sampled) => sampler({ sampler: name }).decide(TRACE, parent);
    expect([decide(), decide(sampled), decide(unsampled)]).toEqual(decisions);
  });

  it('by ratio decides by the random part of the id, alike everywhere, and keeps with a larger share what a smaller one keeps', () => {
    const ids = new TraceIds();
    const all = Array.from({ length: 4000 }, () => ids.traceId());
    const kept = [0, 0.05, 0.25, 1].map((ratio) => {
      const one = sampler({ sampler: 'traceidratio', ratio });
      return all.filter((id) => one.decide(id, undefined));
    });
    expect(kept[0]).toEqual([]);
    expect(kept[3]).toEqual(all);
    // Six standard deviations.
    expect(Math.abs((kept[2] as string[]).length - 1000)).toBeLessThan(165);
    expect((kept[1] as string[]).every((id) => kept[2]?.includes(id))).toBe(true);
    const half = sampler({ sampler: 'traceidratio', ratio: 0.5 });
    expect(half.decide(`${'f'.repeat(18)}7ffffffffffff0`, undefined)).toBe(false);
    expect(half.decide(`${'0'.repeat(18)}80000000000000`, undefined)).toBe(true);
  });

  it('begins no more traces in a second than it may, and leaves those of others alone', () => {
    let now = 0;
    const bounded = sampler({ maxPerSecond: 2 }, () => now);
    const begun = (tries: number) => Array.from({ length: tries }, () => bounded.decide(TRACE, undefined)).filter(Boolean).length;
    expect(begun(5)).toBe(2);
    expect(bounded.decide(TRACE, sampled)).toBe(true);
    now = 500;
    expect(begun(5)).toBe(1);
    now = 60_000;
    expect(begun(5)).toBe(2);
  });
});

describe('the tracer', () => {
  function makeTracer(settings: Partial<SamplerSettings> = {}) {
    const spans: Span[] = [];
    const sampler = new Sampler({ sampler: 'parentbased_always_on', ratio: 1, maxPerSecond: 0, ...settings }, () => 0);
    return { spans, tracer: new Tracer({ clock: new SpanClock(), sampler, ids: new TraceIds(), sink: { add: (span) => spans.push(span) } }) };
  }

  it('continues a trace below whoever sent it, with its state and the flag of a random id as they came', () => {
    const { tracer } = makeTracer();
    const scope = tracer.start(['traceparent', `00-${TRACE}-${SPAN}-03`, 'tracestate', 'a=1']);
    expect(scope).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, flags: 3, tracestate: 'a=1', sampled: true });
    expect(scope?.spanId).toMatch(/^[\da-f]{16}$/);
    expect(tracer.start(['traceparent', `00-${TRACE}-${SPAN}-fd`])).toMatchObject({ flags: 1 });
  });

  it('begins one where none came, or a malformed one, whose state goes with it', () => {
    const { tracer } = makeTracer();
    for (const headers of [[], ['traceparent', 'malformed', 'tracestate', 'a=1']]) {
      const scope = tracer.start(headers);
      expect(scope).toMatchObject({ parentSpanId: null, flags: 3, tracestate: null, sampled: true });
      if (scope) expect(tracer.headersFor(scope, SPAN, headers)).toEqual(['traceparent', `00-${scope.traceId}-${SPAN}-03`]);
    }
  });

  it('passes what others have decided not to record as it is, and tells of its own decision', () => {
    const { tracer } = makeTracer({ sampler: 'always_off' });
    expect(tracer.start(['traceparent', `00-${TRACE}-${SPAN}-00`])).toBeUndefined();
    const cut = tracer.start(['traceparent', PARENT]);
    expect(cut).toMatchObject({ traceId: TRACE, flags: 0, sampled: false });
    const none = tracer.start([]);
    expect(none).toMatchObject({ parentSpanId: null, flags: 2, sampled: false });
  });
});
