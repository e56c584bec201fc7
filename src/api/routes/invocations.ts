import { type Static, Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { isOver } from '../../queue/durable-invocations.ts';
import type { InvocationFilter } from '../../store/store.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { sendEvents } from '../send-events.ts';
import { Instant, Nullable, problems } from '../wire/common.ts';
import {
  Invocation,
  InvocationState,
  InvocationSummary,
  invocation,
  invocationSummary,
  queuedInvocation,
  queuedSummary,
} from '../wire/invocations.ts';
import { functionName, invocationId } from '../wire/parameters.ts';
import { waitMs } from './wait.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/**
 * At most `limit` of the records, which are one more than that if there are more. A page never ends amid records of one instant, because the next one
 * begins before an instant: those that don't all fit wait for the next page, unless the whole page is of that instant.
 */
function cutPage<T extends { accepted_at: number }>(records: readonly T[], limit: number): { page: readonly T[]; nextBefore: number | null } {
  const next = records[limit];
  if (next === undefined) return { page: records, nextBefore: null };
  const full = records.slice(0, limit);
  const whole = full.filter((record) => record.accepted_at > next.accepted_at);
  const page = whole.length > 0 ? whole : full;
  return { page, nextBefore: page.at(-1)?.accepted_at ?? null };
}

type Dependencies = Pick<ApiDependencies, 'store' | 'durable' | 'liveInvocation' | 'cancelLive'>;

export function invocationRoutes(app: Api, deps: Dependencies): void {
  const { store, durable } = deps;

  /** Wherever it is kept. @throws HearthError not_found */
  async function find(id: string, wait: number): Promise<Static<typeof Invocation>> {
    const queued = wait > 0 ? await durable.waitFor(id, wait) : await durable.get(id);
    if (queued) return queuedInvocation(queued);
    const live = deps.liveInvocation(id);
    if (live) return invocation(live, !isOver(live.state));
    const record = await store.invocation(id);
    if (record) return invocation(record);
    throw new HearthError('not_found', `There is no record of an invocation "${id}", or it has been deleted for its age.`);
  }

  app.get(
    '/invocations',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listInvocations',
        summary: 'Invocations, newest first',
        description:
          'Records of those that somebody waited for are written behind and once they are over: the last second or so may be missing. What they printed stands in each one only.',
        tags: ['invocations'],
        querystring: Type.Object(
          {
            function_name: Type.Optional({ ...functionName, description: 'Only of this function.' }),
            function: Type.Optional(Type.String({ description: 'The same.' })),
            state: Type.Optional({ ...InvocationState, description: 'Only in this state.' }),
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
      const { function_name, function: name = function_name, state, before, limit = DEFAULT_LIMIT } = request.query;
      // One more tells whether there is a next page; neither source gives more than MAX_LIMIT.
      const size = Math.min(limit, MAX_LIMIT - 1);
      const filter: InvocationFilter = { limit: size + 1 };
      if (name !== undefined) filter.functionName = name;
      if (state !== undefined) filter.state = state;
      if (before !== undefined) filter.before = before;
      const [waited, queued] = await Promise.all([store.invocations(filter), durable.list(filter)]);
      const all = [...waited.map((record) => invocationSummary(record)), ...queued.map((one) => queuedSummary(one))];
      all.sort((a, b) => b.accepted_at - a.accepted_at || (a.id < b.id ? 1 : -1));
      const { page, nextBefore } = cutPage(all.slice(0, size + 1), size);
      return { invocations: [...page], next_before: nextBefore };
    },
  );

  app.get(
    '/invocations/:id',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getInvocation',
        summary: 'One invocation',
        description:
          'Its state, attempts and, if it went through the queue, result. `wait=30s` answers once it is over, or after that time with what it is then. With ' +
          '`Accept: text/event-stream` every change comes as an event `state` with the record as its data, until it is over.',
        tags: ['invocations'],
        params: Type.Object({ id: invocationId }),
        querystring: Type.Object(
          { wait: Type.Optional(Type.String({ description: 'Such as `500ms`, `30s` or `2m`; at most 5m.', examples: ['30s'] })) },
          { additionalProperties: false },
        ),
        response: { 200: Invocation, ...problems('not_found', 'invalid_request', 'store_unavailable') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const wait = waitMs(request.query.wait);
      if (!(request.headers.accept ?? '').includes('text/event-stream')) return find(id, wait);
      // What there isn't is to be said before the stream begins.
      await find(id, 0);
      reply.hijack();
      await sendEvents(reply.raw, {
        headers: reply.getHeaders() as Record<string, string>,
        read: () => find(id, 0),
        isLast: (record) => isOver(record.state),
        watch: (listener) => durable.watch(id, listener),
        ending: durable.ending,
        log: request.log,
      });
      return reply as never;
    },
  );

  app.delete(
    '/invocations/:id',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'cancelInvocation',
        summary: 'Cancel an invocation',
        description: 'Queued or running; what runs is ended. Who waits for its answer gets 409 `cancelled`.',
        tags: ['invocations'],
        params: Type.Object({ id: invocationId }),
        response: { 200: Invocation, ...problems('not_found', 'conflict', 'storage_full', 'store_unavailable') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const cancelled = await durable.cancel(id);
      if (cancelled) return queuedInvocation(cancelled);
      if (deps.cancelLive(id)) return find(id, 0);
      const { state } = await find(id, 0);
      throw new HearthError('conflict', `The invocation ${id} is over already: ${state}.`);
    },
  );

  app.post(
    '/invocations/:id/replay',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'replayInvocation',
        summary: 'Run an invocation again with the same input',
        description: 'A new invocation, asynchronous, of the same function version. Inputs are kept of what went through the queue only.',
        tags: ['invocations'],
        params: Type.Object({ id: invocationId }),
        response: {
          202: Type.Object({ id: Type.String(), state: InvocationState, status_url: Type.String() }),
          ...problems('not_found', 'conflict', 'storage_full', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const replayed = await durable.replay(id);
      if (!replayed) {
        await find(id, 0);
        throw new HearthError('conflict', `The input of the invocation ${id} was not kept, as it did not go through the queue.`);
      }
      const url = `/invocations/${replayed.id}`;
      return reply.code(202).header('location', url).send({ id: replayed.id, state: replayed.state, status_url: url });
    },
  );
}
