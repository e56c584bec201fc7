import type { FastifySchema, RouteOptions } from 'fastify';
import { CATALOGUE, type ErrorCode } from '../errors.ts';
import type { RouteRole } from './access/roles.ts';
import { type Problems, problems } from './wire/common.ts';

/** Of every operation, whatever it does. */
const EVERYWHERE: readonly ErrorCode[] = ['host_not_allowed', 'internal'];
/** Of those that somebody has to be let in to. */
const GUARDED: readonly ErrorCode[] = ['unauthenticated', 'forbidden', 'cross_origin', 'too_many_failures'];
/** Of those that may be sent a body. */
const WITH_BODY: readonly ErrorCode[] = ['malformed_request', 'body_too_large', 'unsupported_media_type'];

type Details = Partial<Record<ErrorCode, string>>;

const BINARY = { type: 'string', format: 'binary' };

/** Adds to what a route says of itself what holds on its behalf: the guard's refusals, and problems as they look. For the document; nothing is served by it. @param details what problems may say, by code */
export function describeOperation(schema: FastifySchema | undefined, route: RouteOptions, tokens: boolean, details: Details): FastifySchema {
  const role = route.config?.role;
  if (schema === undefined || role === undefined || schema.hide === true) return schema ?? {};
  const own = schema.response as Record<string, unknown>;
  const answers = Object.fromEntries(Object.entries(own).filter(([, answer]) => !isProblems(answer)));
  const declared = Object.values(own)
    .filter(isProblems)
    .flatMap(({ codes }) => codes);
  const body = schema.body ?? archiveOf(schema);
  const codes = new Set([...(role === 'open' ? [] : GUARDED), ...(body === undefined ? [] : WITH_BODY), ...declared, ...EVERYWHERE]);
  const described: FastifySchema & { 'x-hearth-role': RouteRole } = {
    ...schema,
    ...(body === undefined ? {} : { body }),
    'x-hearth-role': role,
    response: { ...answers, ...withExamples(problems(...codes), details) },
  };
  // Roles stand in the place of scopes (OpenAPI 3.1 §4.8.30).
  if (tokens && role !== 'open') described.security = [{ bearer: [role] }];
  return described;
}

function isProblems(answer: unknown): answer is Problems[string] {
  return (answer as Partial<Problems[string]>).codes !== undefined;
}

/** What is taken as it comes has no schema to be checked by. */
function archiveOf({ consumes }: FastifySchema): object | undefined {
  return consumes && { content: Object.fromEntries(consumes.map((type) => [type, { schema: BINARY }])) };
}

function withExamples(found: Problems, details: Details): object {
  return Object.fromEntries(
    Object.entries(found).map(([status, { description, codes, content }]) => {
      const { schema } = content['application/problem+json'];
      const examples = Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code, details[code]) }]));
      return [status, { description, content: { 'application/problem+json': { schema, examples } } }];
    }),
  );
}

function exampleOf(code: ErrorCode, detail: string | undefined): object {
  const { status, title, fault } = CATALOGUE[code];
  return { type: `urn:hearth:error:${code}`, title, status, detail: detail ?? `${title}.`, code, fault };
}
