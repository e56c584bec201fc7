import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ApiKeyDefinition } from '../../schemas/api-key.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { CreatedKey, Key, keyOnTheWire } from '../wire/keys.ts';
import { functionName, ofFunction } from '../wire/parameters.ts';

export function keyRoutes(app: Api, { apiKeys }: Pick<ApiDependencies, 'apiKeys'>): void {
  app.get(
    '/functions/:function_name/keys',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listKeys',
        summary: 'The API keys of a function, without their secrets',
        tags: ['keys'],
        params: ofFunction,
        response: { 200: Type.Object({ keys: Type.Array(Key) }), ...problems('not_found') },
      },
    },
    (request) => ({ keys: apiKeys.list(request.params.function_name).map(keyOnTheWire) }),
  );

  app.post(
    '/functions/:function_name/keys',
    {
      config: { role: 'deploy', subject: subjectOf((request) => (request.body as { name: string }).name) },
      schema: {
        operationId: 'createKey',
        summary: 'Make an API key',
        description: 'It is good for calls of this function, whatever its version, until it expires, is revoked, or the function is deleted.',
        tags: ['keys'],
        params: ofFunction,
        body: ApiKeyDefinition,
        response: {
          200: CreatedKey,
          ...problems('malformed_request', 'unsupported_media_type', 'invalid_request', 'not_found', 'conflict', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { key, token, warnings } = await apiKeys.create(request.params.function_name, request.body);
      reply.header('cache-control', 'no-store');
      return { status: 'ok' as const, ...keyOnTheWire(key), key: token, warnings };
    },
  );

  app.delete(
    '/functions/:function_name/keys/:key',
    {
      config: { role: 'deploy', subject: subjectOf((request) => (request.params as { key: string }).key) },
      schema: {
        operationId: 'revokeKey',
        summary: 'Revoke an API key, by id or name',
        description: 'Calls that come from now on are refused; those under way go on.',
        tags: ['keys'],
        params: Type.Object({ function_name: functionName, key: Type.String({ description: 'Id or name of a key.' }) }),
        response: { 200: Type.Object({ status: Type.Literal('ok'), revoked: Key }), ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => ({ status: 'ok' as const, revoked: keyOnTheWire(await apiKeys.revoke(request.params.function_name, request.params.key)) }),
  );
}

/** For the audit log: the function, and which of its keys. */
function subjectOf(key: (request: FastifyRequest) => string): (request: FastifyRequest) => string {
  return (request) => `${(request.params as { function_name: string }).function_name} ${key(request)}`;
}
