import { Type } from 'typebox';
import { formatPosition } from '../../logs/log-position.ts';
import { LogLine } from '../../schemas/log-line.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { sendLines } from '../send-lines.ts';
import { Nullable, problems } from '../wire/common.ts';
import { logFilter, logFilterMembers, logPosition } from '../wire/logs.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** What functions print: looked for, and followed. */
export function logRoutes(app: Api, { output }: Pick<ApiDependencies, 'output'>): void {
  const ending = new AbortController();
  // Whoever follows would keep the server from closing.
  app.addHook('preClose', async () => ending.abort());

  app.get(
    '/logs',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'searchLogs',
        summary: 'What functions printed, the newest line first',
        description:
          'Lines are written some 50 ms after they were printed. An answer looks at a bounded part of the log: it may be short, or empty, and not the last. ' +
          '`next_cursor` tells whether there is more, and is `cursor` of the next.',
        tags: ['logs'],
        querystring: Type.Object(
          {
            ...logFilterMembers,
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, description: `Lines, at most. Default ${DEFAULT_LIMIT}.` })),
            cursor: Type.Optional(Type.String({ description: 'Only lines before that: `next_cursor` of the answer before, or the id of a line.' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ lines: Type.Array(LogLine), next_cursor: Nullable(Type.String()) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { limit = DEFAULT_LIMIT, cursor, ...filter } = request.query;
      const before = cursor === undefined ? undefined : logPosition('cursor', cursor);
      const { lines, next } = await output.search({ ...logFilter(filter), limit, before });
      return { lines, next_cursor: next && formatPosition(next) };
    },
  );

  app.get(
    '/logs/tail',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'tailLogs',
        summary: 'What functions print from now on, as it comes',
        description:
          'Server-sent events. Each line is an event with the line as its data and its id as its id; whoever comes back with `Last-Event-ID` goes on behind that ' +
          'line. An event `left_out`, data `{"bytes": 123}`, tells that so much of the log was passed over, since the reader was too far behind. `last=20` sends ' +
          'the last 20 lines first. Comments keep a quiet stream alive. It ends when the platform does.',
        tags: ['logs'],
        querystring: Type.Object(
          {
            ...logFilterMembers,
            last: Type.Optional(
              Type.Integer({ minimum: 0, maximum: MAX_LIMIT, description: 'Lines that are there already. Default 0; nothing to who comes back.' }),
            ),
            after: Type.Optional(Type.String({ description: 'Begins behind the line of that id, as `Last-Event-ID` does, which comes first.' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: {
            description: 'Events.',
            content: {
              'text/event-stream': {
                schema: Type.String(),
              },
            },
          },
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { last = 0, after, ...query } = request.query;
      const header = request.headers['last-event-id'];
      const seen = typeof header === 'string' && header !== '' ? header : after;
      const from = seen === undefined ? undefined : logPosition(header ? 'Last-Event-ID' : 'after', seen);
      const filter = logFilter(query);
      // What keeps it from being read is to be said before the stream begins.
      const { lines, position } = await begin(filter, from, last);
      reply.hijack();
      await sendLines(reply.raw, {
        headers: reply.getHeaders() as Record<string, string>,
        lines,
        from: position,
        seen,
        follow: (place, waitMs, signal) => output.follow({ ...filter, ...place }, waitMs, signal),
        ending: ending.signal,
        log: request.log,
      });
      return reply as never;
    },
  );

  async function begin(filter: ReturnType<typeof logFilter>, from: ReturnType<typeof logPosition> | undefined, last: number) {
    if (from) return { lines: [], position: from };
    // Both ends meet: what comes between the two is read by whoever goes on.
    const { position } = await output.follow({ ...filter, from: 'end' }, 0, ending.signal);
    if (last === 0) return { lines: [], position };
    const { lines } = await output.search({ ...filter, limit: last, before: position });
    return { lines: lines.reverse(), position };
  }
}
