import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { TokenRecord } from '../../schemas/access.ts';
import { LOCAL_NAME, SETTING_NAME } from '../access/authenticator.ts';
import { makeToken } from '../access/token.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Token, TokenMade, TokenName, TokenRole, token } from '../wire/access.ts';
import { Instant, problems } from '../wire/common.ts';

export function tokenRoutes(app: Api, { store }: Pick<ApiDependencies, 'store'>): void {
  app.post(
    '/tokens',
    {
      config: { role: 'admin', subject: (request) => (request.body as { name: string }).name },
      schema: {
        operationId: 'createToken',
        summary: 'Make a token',
        description: 'The answer has its text, which is kept nowhere.',
        tags: ['access'],
        body: Type.Object({ name: TokenName, role: TokenRole, expires_at: Type.Optional(Instant) }, { additionalProperties: false }),
        response: {
          200: TokenMade,
          ...problems('malformed_request', 'body_too_large', 'unsupported_media_type', 'invalid_request', 'conflict', 'store_unavailable'),
        },
      },
    },
    async ({ body }) => {
      const now = Date.now();
      if (body.expires_at !== undefined && body.expires_at <= now) {
        throw new HearthError('invalid_request', `expires_at is ${body.expires_at}, which has passed: it is ${now} now, in milliseconds since 1970.`);
      }
      if (body.name === LOCAL_NAME || body.name === SETTING_NAME) {
        throw new HearthError('conflict', `A token can't be named ${body.name}: the audit log has somebody else under that name.`);
      }
      const { id, text, hash } = makeToken();
      const record: TokenRecord = {
        id,
        name: body.name,
        role: body.role,
        hash,
        createdAt: now,
        expiresAt: body.expires_at ?? null,
        lastUsedAt: null,
      };
      await store.putToken(record);
      return { status: 'ok' as const, token: text, ...token(record) };
    },
  );

  app.get(
    '/tokens',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'listTokens',
        summary: 'All tokens, without their texts',
        description: "The operator's own token, `api.admin_token`, is not among them.",
        tags: ['access'],
        response: { 200: Type.Object({ tokens: Type.Array(Token) }), ...problems('store_unavailable') },
      },
    },
    async () => ({ tokens: (await store.tokens()).map(token) }),
  );

  app.delete(
    '/tokens/:id',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke a token',
        description: 'From the next request on it is refused.',
        tags: ['access'],
        params: Type.Object({ id: Type.String({ description: 'Of a token; `GET /tokens` has them.', examples: ['0a3fb2c14d5e6f70'] }) }),
        response: { 200: Type.Object({ status: Type.Literal('ok'), deleted: Type.Literal(true) }), ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const { id } = request.params;
      // Unlike that of a function, the deletion of a token that isn't there is an error: a misspelt id must not pass for a revocation.
      if (!(await store.deleteToken(id))) throw new HearthError('not_found', `There is no token with the id "${id}"; GET /tokens has the ids.`);
      return { status: 'ok' as const, deleted: true as const };
    },
  );
}
