import { EnqueueTracer } from './enqueue-tracer.ts';
import { InvocationTracer } from './invocation-tracer.ts';
import { createOtlpExporter, type OtlpSettings } from './otlp-exporter.ts';
import { RequestTracer } from './request-tracer.ts';
import { Sampler, type SamplerSettings } from './sampler.ts';
import { SpanClock } from './span-clock.ts';
import { SpanQueue, type SpanQueueLog } from './span-queue.ts';
import { TraceIds } from './trace-ids.ts';
import { Tracer } from './tracer.ts';

/** Traces, for each part that begins or continues some. */
export interface Traces {
  readonly requests: RequestTracer;
  readonly invocations: InvocationTracer;
  readonly enqueuing: EnqueueTracer;
  readonly queue: SpanQueue;
}

export async function createTraces(settings: OtlpSettings & SamplerSettings, log: SpanQueueLog): Promise<Traces> {
  const clock = new SpanClock();
  const queue = new SpanQueue(await createOtlpExporter(settings), clock, log);
  const tracer = new Tracer({ clock, sampler: new Sampler(settings, () => performance.now()), ids: new TraceIds(), sink: queue });
  const invocations = new InvocationTracer(tracer);
  return { requests: new RequestTracer(tracer, invocations), invocations, enqueuing: new EnqueueTracer(tracer), queue };
}
