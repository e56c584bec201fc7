import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { DeadLetterFilter } from '../../queue/durable-queue.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Instant, Nullable, problems } from '../wire/common.ts';
import { Input, Invocation, InvocationSummary, input, queuedInvocation, queuedSummary } from '../wire/invocations.ts';
import { functionName, invocationId } from '../wire/parameters.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 999;

export function deadLetterRoutes(app: Api, { durable }: Pick<ApiDependencies, 'durable'>): void {
  const id = Type.Object({ id: invocationId });

  app.get(
    '/dead-letters',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Asynchronous invocations that failed for good, the last first',
        tags: ['dead letters'],
        querystring: Type.Object(
          {
            function: Type.Optional({ ...functionName, description: 'Only of this function.' }),
            before: Type.Optional(Type.Number({ description: 'Only those that ended before that instant; `next_before` of the page before.' })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, description: `Default ${DEFAULT_LIMIT}.` })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ dead_letters: Type.Array(InvocationSummary), next_before: Nullable(Instant) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { function: functionName, before, limit = DEFAULT_LIMIT } = request.query;
      const filter: DeadLetterFilter = { limit: limit + 1 };
      if (functionName !== undefined) filter.functionName = functionName;
      if (before !== undefined) filter.before = before;
      const found = await durable.deadLetters(filter);
      const page = found.slice(0, limit).map((one) => queuedSummary(one));
      return { dead_letters: page, next_before: found.length > limit ? (page.at(-1)?.ended_at ?? null) : null };
    },
  );

  app.get(
    '/dead-letters/:id',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getDeadLetter',
        summary: 'One dead letter, with its input',
        tags: ['dead letters'],
        params: id,
        response: { 200: Type.Object({ ...Invocation.properties, input: Input }), ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const [detail, payload] = await Promise.all([durable.get(request.params.id), durable.input(request.params.id)]);
      if (!detail?.deadReason || !payload) throw missing(request.params.id);
      return { ...queuedInvocation(detail), input: input(payload) };
    },
  );

  app.post(
    '/dead-letters/redrive',
    {
      config: { role: 'deploy', subject: (request) => (request.query as { function?: string }).function ?? 'all dead letters' },
      schema: {
        operationId: 'redriveDeadLetters',
        summary: 'Run all dead letters again',
        description: 'Those there are now, of one function or of all. Each has its whole number of attempts and its whole time again.',
        tags: ['dead letters'],
        querystring: Type.Object(
          { function: Type.Optional({ ...functionName, description: 'Only of this function.' }) },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ status: Type.Literal('ok'), redriven: Type.Integer() }),
          ...problems('invalid_request', 'storage_full', 'store_unavailable'),
        },
      },
    },
    async (request) => ({ status: 'ok' as const, redriven: await durable.redriveAll(request.query.function) }),
  );

  app.post(
    '/dead-letters/:id/redrive',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'redriveDeadLetter',
        summary: 'Run a dead letter again',
        tags: ['dead letters'],
        params: id,
        response: {
          200: Type.Object({ status: Type.Literal('ok'), id: Type.String() }),
          ...problems('not_found', 'storage_full', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      if (!(await durable.redrive(request.params.id))) throw missing(request.params.id);
      return { status: 'ok' as const, id: request.params.id };
    },
  );

  app.delete(
    '/dead-letters/:id',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'deleteDeadLetter',
        summary: 'Delete a dead letter',
        description: 'Its record, input and attempts go with it.',
        tags: ['dead letters'],
        params: id,
        response: {
          200: Type.Object({ status: Type.Literal('ok'), deleted: Type.Literal(true) }),
          ...problems('not_found', 'storage_full', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      if (!(await durable.discard(request.params.id))) throw missing(request.params.id);
      return { status: 'ok' as const, deleted: true as const };
    },
  );
}

function missing(id: string): HearthError {
  return new HearthError('not_found', `There is no dead letter "${id}".`);
}
