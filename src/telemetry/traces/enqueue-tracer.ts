import type { FunctionVersion } from '../../schemas/function.ts';
import type { Tracer } from './tracer.ts';

/** What is to be written to the queue, as far as traces are concerned. */
interface Enqueued {
  version: Pick<FunctionVersion, 'functionName'>;
  payload: { headers: readonly string[] };
}

/** Spans of writing invocations to the queue, which their later runs hang from: the context goes into the queue with the headers. */
export class EnqueueTracer {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** @param accept writes it down; what it rejects with is passed on */
  async around<R extends Enqueued, A extends { id: string }>(request: R, accept: (request: R) => Promise<A>): Promise<A> {
    const scope = this.#tracer.start(request.payload.headers);
    if (!scope) return accept(request);
    const headers = this.#tracer.headersFor(scope, scope.spanId, request.payload.headers);
    const traced = { ...request, payload: { ...request.payload, headers } };
    if (!scope.sampled) return accept(traced);
    const startedAt = this.#tracer.clock.now();
    const { functionName } = request.version;
    const end = (id: string | null, error: string | null): void => {
      this.#tracer.record(scope, {
        name: `send ${functionName}`,
        kind: 'producer',
        spanId: scope.spanId,
        parentSpanId: scope.parentSpanId,
        startedAt,
        endedAt: this.#tracer.clock.now(),
        attributes: {
          'messaging.system': 'hearth',
          'messaging.destination.name': functionName,
          'messaging.operation.name': 'send',
          'messaging.operation.type': 'send',
          ...(id === null ? {} : { 'messaging.message.id': id }),
          ...(error === null ? {} : { 'error.type': error }),
        },
        error,
      });
    };
    try {
      const accepted = await accept(traced);
      end(accepted.id, null);
      return accepted;
    } catch (error) {
      end(null, (error as { code?: string }).code ?? 'internal');
      throw error;
    }
  }
}
