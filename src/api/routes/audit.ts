import { Type } from 'typebox';
import type { AuditFilter } from '../../store/store.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Audited, audited } from '../wire/access.ts';
import { Instant, Nullable, problems } from '../wire/common.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

export function auditRoutes(app: Api, { store }: Pick<ApiDependencies, 'store'>): void {
  app.get(
    '/audit',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'listAudit',
        summary: 'Who changed what, newest first',
        description:
          'An entry is on the disk before its change is made, and its status before the answer leaves. Entries are kept for `api.audit_keep_ms`.',
        tags: ['access'],
        querystring: Type.Object(
          {
            since: Type.Optional(Instant),
            before: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: Number.MAX_SAFE_INTEGER,
                description: 'Only entries with smaller ids; `next_before` of the page before.',
              }),
            ),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, description: `Default ${DEFAULT_LIMIT}.` })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ entries: Type.Array(Audited), next_before: Nullable(Type.Integer({ description: 'null on the last page.' })) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { limit = DEFAULT_LIMIT, ...bounds } = request.query;
      // One more tells whether there is a next page; the store gives no more than MAX_LIMIT.
      const size = Math.min(limit, MAX_LIMIT - 1);
      const found = await store.audit({ ...bounds, limit: size + 1 } satisfies AuditFilter);
      const entries = found.slice(0, size);
      return { entries: entries.map(audited), next_before: found.length > size ? (entries.at(-1)?.id ?? null) : null };
    },
  );
}
