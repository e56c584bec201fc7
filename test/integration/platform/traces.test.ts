import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';
import { KINDS, OtlpReceiver, type ReceivedSpan } from '../../support/otlp-receiver.ts';
import { parseExposition } from '../../support/prometheus.ts';

const SENDER = '00f067aa0ba902b7';
const HANDLER = 'def handler(m, c):\n    return c.trace_headers()\n';

describe('traces', () => {
  let receiver: OtlpReceiver;
  let hearth: Hearth;
  let made = 0;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    hearth = await Hearth.start({
      settings: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'under-test', OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b' },
    });
    await hearth.register({ event_type: 'http|GET|/seen/:id', function_name: 'seen', function_code: HANDLER });
  });
  afterAll(async () => {
    await hearth?.[Symbol.asyncDispose]();
    await receiver?.[Symbol.asyncDispose]();
  });

  const newTrace = (): string => (++made).toString(16).padStart(32, 'a');
  const sent = (traceId: string, flags = '01') => ({ traceparent: `00-${traceId}-${SENDER}-${flags}`, tracestate: 'vendor=1,other=2' });

  function named(spans: ReceivedSpan[], name: string): ReceivedSpan {
    const found = spans.filter((span) => span.name === name);
    expect(found, name).toHaveLength(1);
    return found[0] as ReceivedSpan;
  }

  function expectInside(outer: ReceivedSpan, spans: ReceivedSpan[]): void {
    let at = outer.start;
    for (const { name, start, end } of spans) {
      expect([name, start >= at, end >= start], `${name} begins where the one before has ended`).toEqual([name, true, true]);
      at = end;
    }
    expect(at <= outer.end, `${outer.name} ends last`).toBe(true);
  }

  // Each waits for an export, which comes once a second.
  it.concurrent("hang from the caller's span: a cold call is routed, waits, starts an instance, runs and is answered, in that order", async () => {
    await hearth.register({ event_type: 'http|GET|/cold/:id', function_name: 'cold', function_code: HANDLER });
    const traceId = newTrace();
    const response = await hearth.call('/cold/1?secret=x', { headers: sent(traceId) });
    const told = await json(response);
    const names = ['GET /cold/:id', 'route', 'queue', 'start', 'run', 'reply'];
    const spans = await receiver.trace(traceId, names);
    expect(spans.map(({ name }) => name).sort()).toEqual([...names].sort());
    const server = named(spans, 'GET /cold/:id');
    const children = names.slice(1).map((name) => named(spans, name));
    expectInside(server, children);
    expect(server).toMatchObject({ kind: KINDS.server, parentSpanId: SENDER, tracestate: 'vendor=1,other=2', status: { code: 0 } });
    for (const child of children) expect(child).toMatchObject({ kind: KINDS.internal, parentSpanId: server.spanId });
    expect(told).toEqual({ traceparent: `00-${traceId}-${named(spans, 'run').spanId}-01`, tracestate: 'vendor=1,other=2' });
    expect(server.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': '/cold/:id',
      'url.path': '/cold/1',
      'http.response.status_code': 200,
      'faas.trigger': 'http',
      'faas.name': 'cold',
      'faas.coldstart': true,
      'faas.instance': response.headers.get('x-serverless-instance-id'),
      'faas.invocation_id': response.headers.get('x-correlation-id'),
    });
    expect(JSON.stringify(server.attributes)).not.toContain('secret');
    expect(server.resource).toMatchObject({ 'service.name': 'under-test', 'service.version': expect.stringMatching(/^\d/) });
    expect(receiver.requests[0]?.headers['x-key']).toBe('a b');
    await until(() => hearth.output.includes(`"trace_id":"${traceId}"`));
  });

  it.concurrent('begin where none is sent, or a malformed one; a warm call has no start', async () => {
    await hearth.define('warm', HANDLER);
    await hearth.call('/warm');
    for (const headers of [{}, { traceparent: '00-zz', tracestate: 'vendor=1' }] as Record<string, string>[]) {
      const { traceparent, ...rest } = await json(await hearth.call('/warm', { headers }));
      expect(rest).toEqual({});
      const [, traceId, runId, flags] = String(traceparent).split('-');
      expect(flags).toBe('03');
      const spans = await receiver.trace(traceId as string, ['GET /warm', 'route', 'queue', 'run', 'reply']);
      expect(spans).toHaveLength(5);
      expect(named(spans, 'GET /warm')).toMatchObject({ parentSpanId: '', attributes: { 'faas.coldstart': false } });
      expect(named(spans, 'run').spanId).toBe(runId);
    }
  });

  it.concurrent('are none when the caller has decided so, and the function is told what the caller was', async () => {
    const traceId = newTrace();
    expect(await json(await hearth.call('/seen/3', { headers: sent(traceId, '00') }))).toEqual(sent(traceId, '00'));
    const later = newTrace();
    await hearth.call('/seen/4', { headers: sent(later) });
    await receiver.trace(later, ['run', 'reply']);
    expect(receiver.spans.filter((span) => span.traceId === traceId)).toEqual([]);
  });

  it.concurrent('tell what failed, and what no function was there for', async () => {
    await hearth.define('broken', 'def handler(m, c):\n    raise ValueError("no")\n');
    const [failed, missed] = [newTrace(), newTrace()];
    await hearth.call('/broken', { headers: sent(failed) });
    await hearth.call('/nowhere', { headers: sent(missed) });
    const spans = await receiver.trace(failed, ['GET /broken', 'run', 'reply']);
    const error = { status: { code: 2, message: 'function_failed' }, attributes: { 'error.type': 'function_failed' } };
    expect(named(spans, 'run')).toMatchObject(error);
    expect(named(spans, 'GET /broken')).toMatchObject({ ...error, attributes: { 'http.response.status_code': 502 } });
    const [server, ...rest] = await receiver.trace(missed, ['GET']);
    expect(rest).toEqual([]);
    expect(server).toMatchObject({ status: { code: 0 }, attributes: { 'http.response.status_code': 404 } });
  });

  it.concurrent('go on in the queue: the run is the child of, and linked to, what wrote it down', async () => {
    const traceId = newTrace();
    const response = await hearth.call('/seen/5', { headers: { ...sent(traceId), prefer: 'respond-async' } });
    expect(response.status).toBe(202);
    const { id } = await json(response);
    const spans = await receiver.trace(traceId, ['GET /seen/:id', 'route', 'send seen', 'process seen', 'queue', 'run']);
    const [server, send, process, run] = ['GET /seen/:id', 'send seen', 'process seen', 'run'].map((name) => named(spans, name)) as [
      ReceivedSpan,
      ReceivedSpan,
      ReceivedSpan,
      ReceivedSpan,
    ];
    expect(send).toMatchObject({ kind: KINDS.producer, parentSpanId: server.spanId, attributes: { 'messaging.message.id': id } });
    expect(process).toMatchObject({ kind: KINDS.consumer, parentSpanId: send.spanId, links: [{ traceId, spanId: send.spanId }] });
    expect(process.attributes).toMatchObject({ 'messaging.message.id': id, 'messaging.operation.type': 'process', 'hearth.attempt': 1 });
    expect(run.parentSpanId).toBe(process.spanId);
    expectInside(process, [named(spans, 'queue'), run]);
  });

  it.concurrent('show a chain of functions as one', async () => {
    const code = 'import hearth\ndef handler(m, c):\n    return [hearth.invoke("seen"), hearth.invoke("seen", mode="async")]\n';
    await hearth.define('chain', code, { invokes: ['seen'] });
    const traceId = newTrace();
    const [told, id] = (await (await hearth.call('/chain', { headers: sent(traceId) })).json()) as [{ traceparent: string }, string];
    const spans = await receiver.trace(traceId, ['GET /chain', 'invoke seen', 'send seen', 'process seen', 'run', 'run', 'run']);
    const runOf = (parent: ReceivedSpan) => spans.find(({ name, parentSpanId }) => name === 'run' && parentSpanId === parent.spanId) as ReceivedSpan;
    const caller = runOf(named(spans, 'GET /chain'));
    const [invoke, send, process] = ['invoke seen', 'send seen', 'process seen'].map((name) => named(spans, name)) as [
      ReceivedSpan,
      ReceivedSpan,
      ReceivedSpan,
    ];
    expect(invoke).toMatchObject({ kind: KINDS.client, parentSpanId: caller.spanId, attributes: { 'faas.invoked_name': 'seen' } });
    expect(told.traceparent).toBe(`00-${traceId}-${runOf(invoke).spanId}-01`);
    expectInside(caller, [invoke, send]);
    expect(send.parentSpanId).toBe(caller.spanId);
    expect(process).toMatchObject({ parentSpanId: send.spanId, attributes: { 'faas.invocation_id': id } });
    expect(runOf(process).attributes).toMatchObject({ 'faas.name': 'seen', 'hearth.trigger': 'function' });
  });

  it.concurrent('are handed to scripts in the environment, beside the headers that they had before', async () => {
    await hearth.define('script', 'import os\nprint(os.environ["TRACEPARENT"], os.environ["TRACESTATE"])\nprint(os.environ["HTTP_HEADER"])\n');
    const traceId = newTrace();
    const response = await hearth.call('/script', { headers: sent(traceId) });
    const { logs } = await hearth.record(response);
    const run = named(await receiver.trace(traceId, ['run']), 'run');
    const context = `00-${traceId}-${run.spanId}-01`;
    expect(logs).toMatch(new RegExp(`^${context} vendor=1,other=2\n`));
    expect(logs?.match(/^traceparent: .*/gim)).toEqual([`traceparent: ${context}`]);
  });

  it.concurrent('of the clock begin with what it wrote down', async () => {
    await hearth.define('clocked', HANDLER, { event_type: 'cron|0 0 1 1 *' });
    const response = await hearth.post('/schedules/clocked/run', {});
    expect(response.ok, await response.text()).toBe(true);
    const process = await until(() => receiver.spans.find(({ name }) => name === 'process clocked'));
    const spans = await receiver.trace(process.traceId, ['send clocked', 'process clocked', 'run']);
    expect(named(spans, 'send clocked').parentSpanId).toBe('');
    expect(process.attributes).toMatchObject({ 'faas.trigger': 'timer', 'faas.time': expect.stringMatching(/^\d{4}-/) });
  });

  it.concurrent('of streamed answers last until the last byte', async () => {
    await hearth.define('streamed', 'import time\ndef handler(m, c):\n    yield "a"\n    time.sleep(0.2)\n    yield str(time.time_ns())\n');
    const traceId = newTrace();
    const lastByteAt = BigInt((await (await hearth.call('/streamed', { headers: sent(traceId) })).text()).slice(1));
    const spans = await receiver.trace(traceId, ['GET /streamed', 'start', 'run', 'reply']);
    const [server, reply] = [named(spans, 'GET /streamed'), named(spans, 'reply')];
    expectInside(server, [named(spans, 'run'), reply]);
    // So far the clock of spans may be from the wall clock.
    expect(reply.end + 25_000_000n).toBeGreaterThan(lastByteAt);
  });

  it('slow nobody while the collector is away, and arrive when it is back soon', async () => {
    const { port } = receiver;
    await receiver[Symbol.asyncDispose]();
    const traceId = newTrace();
    for (let call = 0; call < 10; call++) expect((await hearth.call('/seen/6', { headers: sent(traceId) })).status).toBe(200);
    receiver = await OtlpReceiver.start(port);
    await receiver.trace(traceId, Array(10).fill('reply'));
    const samples = parseExposition(await (await fetch(`${hearth.api}/metrics`)).text());
    const spans = (result: string) => samples.find(({ name, labels }) => name === 'hearth_spans_total' && labels.result === result)?.value;
    expect([spans('dropped'), spans('failed')]).toEqual([0, 0]);
    expect(spans('exported')).toBeGreaterThan(50);
  });

  it('are exported before the platform ends', async () => {
    const traceId = newTrace();
    await hearth.call('/seen/7', { headers: sent(traceId) });
    expect(await hearth.stop()).toBe(0);
    expect(receiver.spans.filter((span) => span.traceId === traceId).map(({ name }) => name)).toContain('reply');
  });
});
