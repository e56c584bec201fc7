import { type Static, Type } from 'typebox';
import { type AuditEntry, ROLES, type TokenRecord } from '../../schemas/access.ts';
import { Instant, Nullable, OneOf } from './common.ts';

export const TokenRole = OneOf(ROLES, { description: '`read` sees, `deploy` changes functions too, `admin` everything.' });

export const TokenName = Type.String({
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$',
  description: 'Letters, digits, `_`, `-`, `.` and `@`; at most 64 characters. Unique among the tokens that there are.',
  examples: ['laptop'],
});

export const Token = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    role: TokenRole,
    created_at: Instant,
    expires_at: Nullable(Instant),
    last_used_at: Nullable(Type.Number({ description: 'Milliseconds since 1970-01-01 UTC, to the minute.' })),
  },
  { title: 'Token' },
);

export const TokenMade = Type.Object({
  status: Type.Literal('ok'),
  token: Type.String({ description: 'The token. It is shown here and never again.' }),
  ...Token.properties,
});

export const Audited = Type.Object(
  {
    id: Type.Integer({ description: 'Counts up.' }),
    at: Instant,
    actor: Type.Object({
      token_id: Nullable(Type.String()),
      name: Type.String({ description: 'That of the token; `local` when none was needed and none given.' }),
    }),
    address: Type.String({ description: 'Of the client.' }),
    method: Type.String(),
    route: Type.String(),
    subject: Type.String({ description: 'What was changed: the name of a function, a layer, a token.' }),
    version: Nullable(Type.Integer({ description: 'Of the function, where one was made or made current.' })),
    status: Nullable(Type.Integer({ description: 'Of the answer; null while the change is under way, and when the platform ended amid it.' })),
  },
  { title: 'Audited' },
);

export function token({ id, name, role, createdAt, expiresAt, lastUsedAt }: TokenRecord): Static<typeof Token> {
  return { id, name, role, created_at: createdAt, expires_at: expiresAt, last_used_at: lastUsedAt };
}

export function audited({ tokenId, actor, ...entry }: AuditEntry): Static<typeof Audited> {
  return { ...entry, actor: { token_id: tokenId, name: actor } };
}
