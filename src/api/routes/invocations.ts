import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { InvocationFilter } from '../../store/store.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Instant, Nullable, problems } from '../wire/common.ts';
import { Invocation, InvocationState, invocation } from '../wire/records.ts';

const DEFAULT_LIMIT = 100;

export function invocationRoutes(app: Api, { store }: Pick<ApiDependencies, 'store'>): void {
  app.get(
    '/invocations',
    {
      schema: {
        summary: 'Invocations, newest first',
        description: 'Records are written behind: the last second or so may be missing.',
        tags: ['invocations'],
        querystring: Type.Object(
          {
            function_name: Type.Optional(Type.String()),
            state: Type.Optional(InvocationState),
            before: Type.Optional(Type.Number({ description: 'Only those accepted before that instant; `next_before` of the page before.' })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: `Default ${DEFAULT_LIMIT}.` })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ invocations: Type.Array(Invocation), next_before: Nullable(Instant) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { function_name: functionName, state, before, limit = DEFAULT_LIMIT } = request.query;
      const filter: InvocationFilter = { limit };
      if (functionName !== undefined) filter.functionName = functionName;
      if (state !== undefined) filter.state = state;
      if (before !== undefined) filter.before = before;
      const records = await store.invocations(filter);
      const last = records.length === limit ? records.at(-1) : undefined;
      return { invocations: records.map(invocation), next_before: last?.acceptedAt ?? null };
    },
  );

  app.get(
    '/invocations/:id',
    {
      schema: {
        summary: 'One invocation',
        tags: ['invocations'],
        params: Type.Object({ id: Type.String() }),
        response: { 200: Invocation, ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const record = await store.invocation(request.params.id);
      if (record === undefined) {
        throw new HearthError('not_found', `There is no record of an invocation "${request.params.id}", or it has been deleted for its age.`);
      }
      return invocation(record);
    },
  );
}
