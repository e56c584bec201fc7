import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { InvocationRecord } from '../../schemas/records.ts';
import type { InvocationFilter } from '../../store/store.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Instant, Nullable, problems } from '../wire/common.ts';
import { Invocation, InvocationState, InvocationSummary, invocation, invocationSummary } from '../wire/records.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/**
 * At most `limit` of the records, which are one more than that if there are more. A page never ends amid records of one instant, because the next one
 * begins before an instant: those that don't all fit wait for the next page, unless the whole page is of that instant.
 */
function cutPage(records: readonly InvocationRecord[], limit: number): { page: readonly InvocationRecord[]; nextBefore: number | null } {
  const next = records[limit];
  if (next === undefined) return { page: records, nextBefore: null };
  const full = records.slice(0, limit);
  const whole = full.filter((record) => record.acceptedAt > next.acceptedAt);
  const page = whole.length > 0 ? whole : full;
  return { page, nextBefore: page.at(-1)?.acceptedAt ?? null };
}

export function invocationRoutes(app: Api, { store }: Pick<ApiDependencies, 'store'>): void {
  app.get(
    '/invocations',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Invocations, newest first',
        description: 'Records are written behind: the last second or so may be missing. What they printed stands in each one only.',
        tags: ['invocations'],
        querystring: Type.Object(
          {
            function_name: Type.Optional(Type.String()),
            state: Type.Optional(InvocationState),
            before: Type.Optional(Type.Number({ description: 'Only those accepted before that instant; `next_before` of the page before.' })),
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: MAX_LIMIT,
                description: `Default ${DEFAULT_LIMIT}. A page may be shorter: \`next_before\` tells whether it was the last.`,
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ invocations: Type.Array(InvocationSummary), next_before: Nullable(Instant) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { function_name: functionName, state, before, limit = DEFAULT_LIMIT } = request.query;
      // One more tells whether there is a next page; the store gives no more than MAX_LIMIT.
      const size = Math.min(limit, MAX_LIMIT - 1);
      const filter: InvocationFilter = { limit: size + 1 };
      if (functionName !== undefined) filter.functionName = functionName;
      if (state !== undefined) filter.state = state;
      if (before !== undefined) filter.before = before;
      const records = await store.invocations(filter);
      const { page, nextBefore } = cutPage(records, size);
      return { invocations: page.map(invocationSummary), next_before: nextBefore };
    },
  );

  app.get(
    '/invocations/:id',
    {
      config: { role: 'read' },
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
