import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { DEFAULT_PRIORITY, MAX_DELAY_MS } from '../../queue/durable-invocations.ts';
import { parseEventKey } from '../../router/event-key.ts';
import { parseDuration } from '../../schemas/duration.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { Invocation, InvocationState, queuedInvocation } from '../wire/invocations.ts';

/** What the queue adds to the function's own time before who waits is answered all the same. Milliseconds. */
const WAIT_MARGIN_MS = 10_000;
const HEADER_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$";

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
    headers: Type.Optional(Type.Record(Type.String({ pattern: HEADER_NAME }), Type.String({ pattern: '^[^\\r\\n\\0]*$', maxLength: 8192 }))),
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

export function invokeRoutes(app: Api, { registry, store, durable }: Pick<ApiDependencies, 'registry' | 'store' | 'durable'>): void {
  async function versionOf(functionName: string, number: number | undefined): Promise<FunctionVersion> {
    const current = registry.get(functionName);
    if (!current) throw new HearthError('not_found', `There is no function "${functionName}".`);
    if (number === undefined || number === current.number) return current;
    const version = await store.version(functionName, number);
    if (!version) throw new HearthError('unknown_version', `The function "${functionName}" has no version ${number}.`);
    return version;
  }

  app.post(
    '/functions/:function_name/invocations',
    {
      config: { role: 'deploy' },
      schema: {
        summary: 'Run a function through the queue',
        description: 'At least once, and tried again by its `retry`. `GET /invocations/{id}` tells what comes of it.',
        tags: ['invocations'],
        params: Type.Object({ function_name: Type.String() }),
        body: Type.Object(Body.properties, { additionalProperties: false, examples: [{ mode: 'async', body: { name: 'Valera' } }] }),
        response: {
          200: Invocation,
          202: Type.Object({ id: Type.String(), state: InvocationState, status_url: Type.String() }),
          ...problems(
            'invalid_request',
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
      const { mode = 'async', headers = {}, body, body_base64: base64, delay, priority = DEFAULT_PRIORITY } = request.body;
      const version = await versionOf(request.params.function_name, request.body.version);
      if (mode === 'async' && version.asyncMode === 'never') {
        throw new HearthError('conflict', `The function "${version.functionName}" is registered with "async": "never"; call it with "mode": "sync".`);
      }
      const delayMs = delay === undefined ? 0 : parseDuration(delay);
      if (delayMs === undefined || delayMs > MAX_DELAY_MS) throw invalid('delay', 'is to be a number with a unit, such as 30s, of at most 30d');
      const event = parseEventKey(version.eventKey);
      const key = event.kind === 'http' ? event : { verb: 'POST', path: `/schedules/${version.functionName}` };
      const rawPath = request.body.path ?? key.path;
      const question = rawPath.indexOf('?');
      const content = bodyOf(body, base64);
      const list = Object.entries(headers).flat();
      if (content?.json && !Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) list.push('Content-Type', 'application/json');
      const accepted = await durable.accept({
        version,
        mode,
        payload: {
          trigger: 'api',
          verb: request.body.verb ?? (key.verb === '*' ? 'POST' : key.verb),
          path: question < 0 ? rawPath : rawPath.slice(0, question),
          rawPath,
          query: question < 0 ? '' : rawPath.slice(question + 1),
          params: {},
          headers: list.filter((_, index) => !/^x-(correlation-id|hearth-attempt)$/i.test(list[index - (index % 2)] as string)),
          body: content?.bytes ?? null,
          requestId: null,
        },
        delayMs,
        priority,
        callbackUrl: request.body.callback_url ?? one(request.headers['x-callback-url']) ?? null,
        idempotencyKey: request.body.idempotency_key ?? one(request.headers['idempotency-key'])?.replace(/^"(.*)"$/, '$1') ?? null,
      });
      if (mode === 'sync') {
        const detail = await durable.waitFor(accepted.id, version.timeoutMs + delayMs + WAIT_MARGIN_MS);
        if (detail) return reply.code(200).send(queuedInvocation(detail));
      }
      const url = `/invocations/${accepted.id}`;
      return reply.code(202).header('location', url).send({ id: accepted.id, state: accepted.state, status_url: url });
    },
  );
}

/** @throws HearthError invalid_request */
function bodyOf(body: unknown, base64: string | undefined): { bytes: Buffer; json: boolean } | null {
  if (base64 === undefined) return body === undefined ? null : { bytes: Buffer.from(JSON.stringify(body)), json: true };
  if (body !== undefined) throw invalid('body_base64', 'and body can not both be given');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw invalid('body_base64', 'is no base64 text');
  return { bytes: Buffer.from(base64, 'base64'), json: false };
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field} ${message}.`, { extra: { errors: [{ field, message }] } });
}
