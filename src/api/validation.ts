import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySchemaCompiler } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Value } from 'typebox/value';
import { HearthError } from '../errors.ts';

/** One member of a request that doesn't fit. */
export interface FieldError {
  /** With dots between the levels; `body` for the body as a whole. */
  field: string;
  message: string;
}

/** What a client sends may have a million unknown members with long names; its answer tells of the first few. */
const MAX_ERRORS = 20;
const MAX_NAME_CHARS = 128;

/** What TypeBox says about a value, as far as we read it. */
interface SchemaError {
  keyword: string;
  instancePath: string;
  params: Record<string, unknown>;
  message: string;
}

/** A body is taken as it is; path and query are text, so numbers and booleans in them are converted first. Nothing is removed or filled in. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  // At the first request: a start would compile some hundred schemas of which few are ever asked.
  let compiled: Validator | undefined;
  return (value: unknown) => {
    compiled ??= Compile(schema);
    const validator = compiled;
    const converted = httpPart === 'body' ? value : Value.Convert(schema, value);
    if (validator.Check(converted)) return { value: converted };
    // Fastify's type wants an Error or its own kind of list; it hands on what it gets as `error.validation`.
    return { error: validator.Errors(converted) as never };
  };
};

const buildSerializer = SerializerSelector()({}, {});

/** JSON by the schema of the response; compiled when there is one to be written, as above. */
export const serializerCompiler: FastifySerializerCompiler<unknown> = (route) => {
  let serialize: ((data: unknown) => string) | undefined;
  return (data) => {
    serialize ??= buildSerializer(route as never) as (data: unknown) => string;
    return serialize(data);
  };
};

/** What Fastify hands on from the compiler above, as one error that names every field. */
export function validationError(found: readonly unknown[], context: string): HearthError {
  const errors = fieldErrors(found as readonly SchemaError[], context);
  const named = errors.slice(0, 3).map(({ field, message }) => `${field} ${message}`);
  if (errors.length > named.length) named.push(`and ${errors.length - named.length} more`);
  return new HearthError('invalid_request', `${named.join('; ')}.`, { extra: { errors: errors.slice(0, MAX_ERRORS) } });
}

function fieldErrors(found: readonly SchemaError[], context: string): FieldError[] {
  const errors: FieldError[] = [];
  /** The alternatives of a union of constants, which come as an error each. */
  const choices = new Map<string, unknown[]>();
  for (const { keyword, instancePath, params, message } of found) {
    const at = fieldName(instancePath);
    const inside = (name: string) => (at === '' ? name : `${at}.${name}`);
    if (keyword === 'required') {
      for (const name of params.requiredProperties as string[]) errors.push({ field: inside(name), message: 'is missing' });
    } else if (keyword === 'additionalProperties') {
      for (const name of params.additionalProperties as string[]) errors.push({ field: inside(name), message: 'is not known' });
    } else if (keyword === 'const') {
      const known = choices.get(at);
      if (known === undefined) {
        const allowed: unknown[] = [params.allowedValue];
        choices.set(at, allowed);
      } else known.push(params.allowedValue);
    } else if (keyword === 'enum') {
      choices.set(at, params.allowedValues as unknown[]);
    } else if (keyword !== 'anyOf' && keyword !== 'boolean') {
      errors.push({ field: at === '' ? context : at, message });
    }
  }
  for (const [field, allowed] of choices) {
    errors.push({ field: field === '' ? context : field, message: `must be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}` });
  }
  return errors.map(({ field, message }) => ({
    field: field.length > MAX_NAME_CHARS ? `${field.slice(0, MAX_NAME_CHARS)}…` : field,
    message,
  }));
}

/** From a JSON pointer. */
function fieldName(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}
