import { type Static, type TSchema, Type } from 'typebox';
import { CATALOGUE, type ErrorCode } from '../../errors.ts';

/** A schema with one type, or null. Written as a list of types, which serialises without trying alternatives. */
export function Nullable<T extends TSchema>(schema: T) {
  const { type } = schema as unknown as { type: string };
  return Type.Unsafe<Static<T> | null>({ ...schema, type: [type, 'null'] });
}

/** Strings out of a fixed set. */
export function OneOf<const T extends readonly string[]>(values: T, options: Record<string, unknown> = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options });
}

export const Instant = Type.Number({ description: 'Milliseconds since 1970-01-01 UTC.', examples: [1_764_000_000_000] });
export const Duration = Type.Number({ description: 'Milliseconds.' });

export const Warnings = Type.Array(Type.String(), {
  description: 'What went otherwise than one might expect; none of it kept the change from being made.',
  examples: [[]],
});

const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:hearth:error:` and the code.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What happened, and what to do.' }),
    code: Type.String(),
    fault: OneOf(['caller', 'function', 'operator', 'platform'], { description: 'Who has to act.' }),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), message: Type.String() }), { description: 'Members that do not fit.' })),
  },
  { additionalProperties: true, description: 'Problem details, RFC 9457.' },
);

/** Responses by status, as a route declares them; `codes` is for the document (describe-operation.ts). */
export type Problems = Record<string, { description: string; codes: ErrorCode[]; content: { 'application/problem+json': { schema: TSchema } } }>;

/** Responses of a route for these errors, to be spread into its `response`. Several codes of one status share a response. */
export function problems(...codes: ErrorCode[]): Problems {
  const byStatus = Map.groupBy(codes, (code) => CATALOGUE[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, shared]) => [
      String(status),
      {
        description: shared.map((code) => `\`${code}\`: ${CATALOGUE[code].title}.`).join(' '),
        codes: shared,
        content: { 'application/problem+json': { schema: Problem } },
      },
    ]),
  );
}
