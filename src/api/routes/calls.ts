import { isUtf8 } from 'node:buffer';
import { Type } from 'typebox';
import type { Api } from '../api.ts';
import { callGateway, MAX_ANSWER_BYTES } from '../call-gateway.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Duration, Nullable, problems } from '../wire/common.ts';
import { HEADER_NAME, HeaderMap } from '../wire/invoke.ts';

/** Of Node.js' client: whoever names them speaks about the connection, which is ours. */
const OWN_HEADERS = new Set(['connection', 'content-length', 'expect', 'host', 'transfer-encoding', 'upgrade']);

export function callRoutes(app: Api, { gatewayUrl }: Pick<ApiDependencies, 'gatewayUrl'>): void {
  app.post(
    '/calls',
    {
      config: { role: 'deploy', subject: ({ body }) => [(body as { verb: string }).verb, (body as { path: string }).path].join(' ') },
      schema: {
        operationId: 'callGateway',
        summary: 'Call a function as its callers do',
        description:
          'For pages of the control plane, which may not call the gateway themselves: sends the request there, and tells what it answered. API keys, rate limits and splits hold as for ' +
          'every caller. `X-Correlation-Id` of the answer is the id of the invocation.',
        tags: ['invocations'],
        body: Type.Object(
          {
            verb: Type.String({ pattern: HEADER_NAME, examples: ['POST'] }),
            path: Type.String({ pattern: '^/[\\x21-\\x7e]*$', maxLength: 8192, description: 'With the query.', examples: ['/hello?x=1'] }),
            headers: Type.Optional(HeaderMap),
            body: Type.Optional(Type.String({ description: 'Text; sent as UTF-8.' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            status: Type.Integer(),
            headers: Type.Array(Type.Array(Type.String()), { description: 'Pairs of name and value.' }),
            body: Nullable(Type.String({ description: 'Null when it is no UTF-8 text.' })),
            body_base64: Nullable(Type.String({ description: 'When it is no UTF-8 text.' })),
            bytes: Type.Integer({ description: `Length of the body, of which ${MAX_ANSWER_BYTES} bytes are given at most.` }),
            duration_ms: Duration,
          }),
          ...problems('invalid_request', 'malformed_request', 'internal'),
        },
      },
    },
    async (request, reply) => {
      const { verb, path, headers = {}, body = '' } = request.body;
      const left = new AbortController();
      reply.raw.once('close', () => left.abort());
      const sent = Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase()));
      const call = { verb: verb.toUpperCase(), path, headers: Object.fromEntries(sent), body: Buffer.from(body) };
      const { durationMs, ...answer } = await callGateway(gatewayUrl, call, left.signal);
      const isText = isUtf8(answer.body);
      return {
        ...answer,
        body: isText ? answer.body.toString() : null,
        body_base64: isText ? null : answer.body.toString('base64'),
        duration_ms: durationMs,
      };
    },
  );
}
