import { type Static, Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { type AcceptRequest, DEFAULT_PRIORITY, MAX_DELAY_MS } from '../../queue/durable-invocations.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { Invocation, InvocationState, queuedInvocation } from '../wire/invocations.ts';
import { HEADER_NAME, HeaderMap } from '../wire/invoke.ts';
import { ofFunction } from '../wire/parameters.ts';
import { InvocationLine, MAX_LINES, parseInvocationLines, wrong } from './invocation-lines.ts';
import { invalid, payloadOf } from './invocation-payload.ts';

/** What the queue adds to the function's own time before who waits is answered all the same. Milliseconds. */
const WAIT_MARGIN_MS = 10_000;

const Body = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal('async'), Type.Literal('sync')], {
        description: 'async (default): 202 once it is on the disk. sync: 200 once it is over.',
      }),
    ),
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'Default: the current one.' })),
    verb: Type.Optional(Type.String({ pattern: HEADER_NAME, description: "Default: the event key's, or POST." })),
    path: Type.Optional(Type.String({ pattern: '^/', maxLength: 8192, description: "With the query. Default: the event key's." })),
    headers: Type.Optional(HeaderMap),
    body: Type.Optional(Type.Unknown({ description: 'Any JSON value; the function gets its text.' })),
    body_base64: Type.Optional(Type.String({ description: 'Instead of `body`: any bytes.' })),
    delay: Type.Optional(Type.String({ description: 'Not run before so long: `500ms`, `30s`, `5m`, `2h`; at most 30d.', examples: ['30s'] })),
    priority: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 9, description: 'Higher comes first among those of one function version. Default 5.' }),
    ),
    callback_url: Type.Optional(
      Type.String({ maxLength: 2048, description: 'Is sent the record by POST once it is over; or as the header X-Callback-Url.' }),
    ),
    idempotency_key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'The same key and input run once; or as the header Idempotency-Key.' }),
    ),
  },
  { additionalProperties: false },
);

const Many = Type.Object({
  invocations: Type.Array(Type.Object({ id: Type.String(), state: InvocationState }), { description: 'In the order of the lines.' }),
});

const NDJSON = 'application/x-ndjson';

/** A body of the type NDJSON, unread. */
class Batch {
  readonly text: Buffer;

  constructor(text: Buffer) {
    this.text = text;
  }
}

export function invokeRoutes(app: Api, { registry, store, durable }: Pick<ApiDependencies, 'registry' | 'store' | 'durable'>): void {
  async function versionOf(functionName: string, number: number | undefined): Promise<FunctionVersion> {
    const current = registry.get(functionName);
    if (!current) throw new HearthError('not_found', `There is no function "${functionName}".`);
    if (number === undefined || number === current.number) return current;
    const version = await store.version(functionName, number);
    if (!version) throw new HearthError('unknown_version', `The function "${functionName}" has no version ${number}.`);
    return version;
  }

  async function acceptMany(functionName: string, { text }: Batch): Promise<Static<typeof Many>> {
    const version = await versionOf(functionName, undefined);
    checkAsync(version);
    const requests = parseInvocationLines(text).map(({ line, invocation }) => requestOf(version, line, invocation));
    const accepted = await durable.acceptAll(requests);
    return { invocations: accepted.map(({ id, state }) => ({ id, state })) };
  }

  const invokeRoute = (scope: Api) =>
    scope.post(
      '/functions/:function_name/invocations',
      {
        config: { role: 'deploy' },
        schema: {
          operationId: 'invokeFunction',
          summary: 'Run a function through the queue',
          description:
            'At least once, and tried again by its `retry`. `GET /invocations/{id}` tells what comes of it. As `application/x-ndjson`: a batch, one asynchronous invocation ' +
            `a line, at most ${MAX_LINES}; all of them are accepted in one commit, or none, and the answer has their ids in the order of the lines.`,
          tags: ['invocations'],
          params: ofFunction,
          body: {
            content: {
              'application/json': { schema: Body },
              [NDJSON]: { schema: Type.Unsafe<Batch>({ description: `Each line: ${Object.keys(InvocationLine.properties).join(', ')}` }) },
            },
          },
          response: {
            200: Invocation,
            202: Type.Union([Type.Object({ id: Type.String(), state: InvocationState, status_url: Type.String() }), Many]),
            ...problems(
              'invalid_request',
              'malformed_request',
              'not_found',
              'unknown_version',
              'conflict',
              'idempotency_key_reused',
              'queue_full',
              'storage_full',
              'store_unavailable',
              'draining',
            ),
          },
        },
      },
      async (request, reply) => {
        const { function_name: functionName } = request.params;
        // Which of the two it is its media type has decided.
        const asked = request.body as unknown as Batch | Static<typeof Body>;
        if (asked instanceof Batch) return reply.code(202).send(await acceptMany(functionName, asked));
        const { mode = 'async', delay, priority = DEFAULT_PRIORITY } = asked;
        const version = await versionOf(functionName, asked.version);
        if (mode === 'async') checkAsync(version);
        const delayMs = delay === undefined ? 0 : parseDuration(delay);
        if (delayMs === undefined || delayMs > MAX_DELAY_MS) throw invalid('delay', 'is to be a number with a unit, such as 30s, of at most 30d');
        const accepted = await durable.accept({
          version,
          mode,
          payload: payloadOf(version, asked),
          delayMs,
          priority,
          callbackUrl: asked.callback_url ?? one(request.headers['x-callback-url']) ?? null,
          idempotencyKey: asked.idempotency_key ?? one(request.headers['idempotency-key'])?.replace(/^"(.*)"$/, '$1') ?? null,
        });
        if (mode === 'sync') {
          const detail = await durable.waitFor(accepted.id, version.timeoutMs + delayMs + WAIT_MARGIN_MS);
          if (detail) return reply.code(200).send(queuedInvocation(detail));
        }
        const url = `/invocations/${accepted.id}`;
        return reply.code(202).header('location', url).send({ id: accepted.id, state: accepted.state, status_url: url });
      },
    );

  // In a scope of its own: no other route takes that media type.
  app.register(async (scope: Api) => {
    scope.addContentTypeParser(NDJSON, { parseAs: 'buffer' }, (_request, body, done) => done(null, new Batch(body as Buffer)));
    invokeRoute(scope);
  });
}

/** @throws HearthError conflict */
function checkAsync(version: FunctionVersion): void {
  if (version.asyncMode !== 'never') return;
  throw new HearthError('conflict', `The function "${version.functionName}" is registered with "async": "never"; call it with "mode": "sync".`);
}

/** @throws HearthError malformed_request that names the line */
function requestOf(version: FunctionVersion, line: number, invocation: InvocationLine): AcceptRequest {
  try {
    return {
      version,
      payload: payloadOf(version, invocation),
      mode: 'async',
      delayMs: invocation.delay_ms ?? 0,
      priority: invocation.priority ?? DEFAULT_PRIORITY,
      callbackUrl: null,
      idempotencyKey: invocation.idempotency_key ?? null,
    };
  } catch (error) {
    throw wrong(line, (error as Error).message.replace(/\.$/, ''));
  }
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
