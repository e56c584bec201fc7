import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOtlpExporter } from '../../../src/telemetry/traces/otlp-exporter.ts';
import type { Span } from '../../../src/telemetry/traces/span.ts';
import { SpanClock } from '../../../src/telemetry/traces/span-clock.ts';
import { SpanQueue } from '../../../src/telemetry/traces/span-queue.ts';
import { KINDS, OtlpReceiver } from '../../support/otlp-receiver.ts';

const span: Span = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  parentIsRemote: true,
  flags: 3,
  tracestate: 'a=1,b=2',
  name: 'run',
  kind: 'server',
  startedAt: 1_700_000_000_000.25,
  endedAt: 1_700_000_000_999.5,
  attributes: { text: 'ü', whole: -3, part: 1.5, yes: true, no: false },
  error: 'function_failed',
  link: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', flags: 1 },
};

describe('spans on their way out', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function makeQueue(take: (spans: readonly Span[]) => Promise<void>) {
    const told: string[] = [];
    const log = { warn: (_: object, message: string) => told.push(message), info: (_: object, message: string) => told.push(message) };
    const exports: number[] = [];
    const queue = new SpanQueue(
      {
        export: (spans) => {
          exports.push(spans.length);
          return take(spans);
        },
        close: () => undefined,
      },
      new SpanClock(),
      log,
    );
    const counts = () => [queue.counts.exported, queue.counts.dropped, queue.counts.failed];
    const add = (count: number) => {
      for (let index = 0; index < count; index++) queue.add(span);
    };
    return { queue, told, exports, counts, add };
  }

  it('wait a second for others, or until a batch is full', async () => {
    const { exports, add } = makeQueue(async () => undefined);
    add(3);
    await vi.advanceTimersByTimeAsync(999);
    expect(exports).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exports).toEqual([3]);
    add(600);
    await vi.advanceTimersByTimeAsync(100);
    expect(exports).toEqual([3, 512]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(exports).toEqual([3, 512, 88]);
  });

  it('go one batch at a time, ten a second at most; what there is no room for is counted', async () => {
    let taken = () => {};
    const { exports, counts, add } = makeQueue(() => new Promise((resolve) => (taken = resolve)));
    add(3000);
    await vi.advanceTimersByTimeAsync(5000);
    expect(exports).toEqual([512]);
    expect(counts()).toEqual([0, 952, 0]);
    taken();
    await vi.advanceTimersByTimeAsync(0);
    expect(exports).toEqual([512, 512]);
    taken();
    await vi.advanceTimersByTimeAsync(99);
    expect(exports).toEqual([512, 512]);
    await vi.advanceTimersByTimeAsync(1);
    expect(exports).toEqual([512, 512, 512]);
    expect(counts()).toEqual([1024, 952, 0]);
  });

  it('that can not be exported are counted, and told of once until it works again', async () => {
    let works = false;
    const { told, counts, add } = makeQueue(() => (works ? Promise.resolve() : Promise.reject(new Error('nobody listens'))));
    for (let round = 0; round < 4; round++) {
      works = round === 3;
      add(2);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(told).toEqual(['traces can not be exported: they are lost until the collector is back', 'traces are exported again']);
    expect(counts()).toEqual([2, 0, 6]);
  });

  it('are exported at the end, for as long as there is time', async () => {
    const quick = makeQueue(async () => undefined);
    quick.add(1000);
    await quick.queue.close(3000);
    expect(quick.counts()).toEqual([1000, 0, 0]);
    const stuck = makeQueue(() => new Promise(() => undefined));
    stuck.add(1000);
    const closed = stuck.queue.close(3000);
    await vi.advanceTimersByTimeAsync(3000);
    await closed;
    stuck.add(1);
    expect(stuck.counts()).toEqual([0, 489, 0]);
  });
});

describe('the exporter', () => {
  const settings = { headers: { 'X-Key': 'k' }, resource: { 'service.name': 'platform' }, version: '1.2.3' };

  it('sends what a receiver of OTLP reads as the span that it was', async () => {
    await using receiver = await OtlpReceiver.start();
    const exporter = await createOtlpExporter({ ...settings, url: `${receiver.url}/v1/traces` });
    await exporter.export([span, { ...span, parentSpanId: null, tracestate: null, error: null, link: null, kind: 'internal' }]);
    exporter.close();
    const [request] = receiver.requests;
    expect([request?.url, request?.headers['content-type'], request?.headers['x-key']]).toEqual(['/v1/traces', 'application/x-protobuf', 'k']);
    expect(receiver.spans[0]).toEqual({
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId,
      tracestate: span.tracestate,
      name: 'run',
      kind: KINDS.server,
      start: 1_700_000_000_000_250_000n,
      end: 1_700_000_000_999_500_000n,
      // The parent is known to be remote, which has two bits of its own.
      flags: 0x303,
      attributes: span.attributes,
      links: [{ traceId: span.link?.traceId, spanId: span.link?.spanId }],
      status: { code: 2, message: 'function_failed' },
      resource: { 'service.name': 'platform' },
    });
    expect(receiver.spans[1]).toMatchObject({ parentSpanId: '', tracestate: '', kind: KINDS.internal, links: [], status: { code: 0, message: '' } });
  });

  it('tries again what a collector puts off, and not what it refuses', async () => {
    await using receiver = await OtlpReceiver.start();
    const exporter = await createOtlpExporter({ ...settings, url: receiver.url });
    const answers = [429, 503, 400];
    receiver.refuse = (response) => {
      const status = answers.shift();
      if (status !== undefined) response.writeHead(status, { 'Retry-After': new Date(0).toUTCString() }).end();
      return status !== undefined;
    };
    await expect(exporter.export([span])).rejects.toThrow();
    expect([receiver.requests.length, receiver.spans.length]).toEqual([3, 0]);
    answers.push(502);
    await exporter.export([span]);
    expect([receiver.requests.length, receiver.spans.length]).toEqual([5, 1]);
    exporter.close();
  });
});
