import { pino } from 'pino';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../src/api/create-api.ts';
import type { ApiDependencies } from '../../../src/api/dependencies.ts';
import { EXAMPLES } from '../../../src/api/examples/examples.ts';
import { CATALOGUE, type ErrorCode } from '../../../src/errors.ts';

interface MediaType {
  schema: Schema;
  example?: unknown;
  examples?: Record<string, { summary?: string; value: unknown }>;
}

interface Schema {
  [keyword: string]: unknown;
  type?: string | string[];
  format?: string;
  properties?: Record<string, Schema>;
}

interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags: string[];
  security?: object[];
  parameters?: { name: string; in: string; description?: string }[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { description: string; content?: Record<string, MediaType> }>;
}

interface Document {
  servers: { url: string }[];
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, object> };
}

const WHERE = 'Examples stand in src/api/examples, by method and path; add one there (its file says for whom), and see src/api/examples/README.md.';

let document: Document;
let operations: [name: string, operation: Operation][];

beforeAll(async () => {
  // Routes take what they depend on apart when they are called, which none is here.
  const app = createApi({
    log: pino({ enabled: false }),
    access: { host: '127.0.0.1', allowedHosts: ['localhost'], required: true, adminHash: null },
    dashboardFolder: '',
  } as unknown as ApiDependencies);
  await app.ready();
  document = (await app.inject({ method: 'GET', url: '/openapi.json' })).json();
  await app.close();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]),
  );
}, 60_000);

/** Of a success or a body, with the values that it shows. */
function* mediaOf({ requestBody, responses }: Operation): Generator<{ place: string; media: MediaType; values: unknown[] }> {
  const contents = [
    ['its body', requestBody?.content ?? {}] as const,
    ...Object.entries(responses).map(([status, { content = {} }]) => [status, content] as const),
  ];
  for (const [place, content] of contents) {
    for (const [type, media] of Object.entries(content)) {
      const values = media.example === undefined ? Object.values(media.examples ?? {}).map(({ value }) => value) : [media.example];
      yield { place: `${place}, ${type}`, media, values };
    }
  }
}

describe('the OpenAPI document', () => {
  it('shows of every operation what it is sent and what it answers', () => {
    const lacking = operations.flatMap(([name, operation]) =>
      [...mediaOf(operation)]
        .filter(({ media, values }) => values.length === 0 && media.schema.format !== 'binary')
        .map(({ place }) => `${name}: ${place}`),
    );
    expect(lacking, WHERE).toEqual([]);
  });

  it('shows nothing that does not fit its schema, or that the schema does not know', () => {
    const wrong = operations.flatMap(([name, operation]) =>
      [...mediaOf(operation)].flatMap(({ place, media, values }) => {
        const validator = Compile(closed(media.schema) as TSchema);
        return values.filter((value) => !validator.Check(value)).map((value) => `${name}: ${place}: ${said(validator.Errors(value))}`);
      }),
    );
    expect(wrong, WHERE).toEqual([]);
  });

  it('has no example of what there is not', () => {
    const stale = Object.entries(EXAMPLES).flatMap(([name, { body, bodies, answers }]) => {
      const operation = operations.find(([known]) => known === name)?.[1];
      if (!operation) return [name];
      const types = [...(body ? ['application/json'] : []), ...Object.keys(bodies ?? {})].filter((type) => !operation.requestBody?.content[type]);
      return [...types, ...Object.keys(answers).filter((status) => !operation.responses[status])].map((what) => `${name}: ${what}`);
    });
    expect(stale, WHERE).toEqual([]);
  });

  it('says of every problem which codes it may have, each with how it looks', () => {
    for (const [name, { responses }] of operations) {
      const codes = new Set<string>();
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (status < '400') continue;
        const shown = Object.entries(content?.['application/problem+json']?.examples ?? {});
        expect(shown, `${name} ${status}`).not.toEqual([]);
        for (const [code, { value }] of shown) {
          codes.add(code);
          expect(value, `${name} ${status}`).toMatchObject({ code, status: Number(status), title: CATALOGUE[code as ErrorCode].title });
          expect(description).toContain(`\`${code}\``);
        }
      }
      expect(codes, name).toContain('internal');
    }
  });

  it("has the seed's operations", () => {
    expect(operations.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'POST /functions',
        'GET /functions',
        'DELETE /functions/{function_name}',
        'POST /functions/trigger',
        'GET /functions/instances',
        'GET /functions/instances/{id}',
        'GET /functions/instances/{id}/logs',
      ]),
    );
  });

  it('has a success of every operation, and nothing but problems where it fails', () => {
    for (const [name, { tags, responses }] of operations) {
      expect(tags, name).toHaveLength(1);
      const statuses = Object.keys(responses);
      expect(
        statuses.some((status) => status < '400'),
        name,
      ).toBe(true);
      const failures = statuses.filter((status) => status >= '400').flatMap((status) => Object.keys(responses[status]?.content ?? { nothing: 0 }));
      expect(new Set(failures), name).toEqual(new Set(['application/problem+json']));
    }
  });

  it('gives every operation a name of its own, for clients that are made from it', () => {
    const ids = operations.map(([name, { operationId }]) => operationId ?? `none of ${name}: operationId in the schema of its route`);
    expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('tells of every operation what it is for, of every parameter what it means, and where to send a token', () => {
    const known = document.tags.map(({ name }) => name);
    const silent = operations.flatMap(([name, { summary, tags, parameters = [] }]) => [
      ...(summary ? [] : [`${name}: summary`]),
      ...tags.filter((tag) => !known.includes(tag)).map((tag) => `${name}: the tag ${tag} in describe-api.ts`),
      ...parameters.filter(({ description }) => !description).map((one) => `${name}: description of ${one.in} ${one.name}`),
    ]);
    expect(silent).toEqual([]);
    expect(document.servers).toEqual([expect.objectContaining({ url: '/' })]);
    expect(document.components.securitySchemes).toHaveProperty('bearer');
    const open = operations.filter(([, { security }]) => security === undefined).map(([name]) => name);
    expect(open.sort()).toEqual(['GET /', 'GET /health', 'GET /openapi.json', 'GET /ready']);
  });
});

/** Objects that say nothing about further members are open; an example with one that has been renamed would pass. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, name === 'enum' || name === 'const' ? value : closed(value)]));
  const isObject = [copy.type].flat().includes('object') && typeof copy.properties === 'object';
  return isObject && copy.additionalProperties === undefined && Object.keys(copy.properties as object).length > 0
    ? { ...copy, additionalProperties: false }
    : copy;
}

function said(errors: unknown): string {
  return (errors as { instancePath: string; message: string; params: object }[])
    .map(({ instancePath, message, params }) => `${instancePath || 'it'} ${message} ${JSON.stringify(params)}`)
    .join('; ');
}
