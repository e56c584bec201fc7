import { compile } from 'json-schema-to-typescript';
import { readOpenApi } from './read-openapi.js';

const BANNER =
  '/** What each operation of the control plane takes and gives. Made from its OpenAPI document by scripts/lib/write-client.js; not to be edited. */';
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

/** @returns the text of src/client/operations.ts */
export async function describeOperations() {
  const { paths } = await readOpenApi();
  const shared = {};
  const properties = {};
  for (const [path, item] of Object.entries(paths)) {
    for (const method of METHODS) if (item[method]) properties[`${method.toUpperCase()} ${path}`] = operation(item[method], shared);
  }
  const schema = { title: 'Operations', ...objectOf(properties), definitions: shared };
  return compile(schema, 'Operations', { bannerComment: BANNER, additionalProperties: false, style: { singleQuote: true, printWidth: 150 } });
}

function operation({ parameters = [], requestBody, responses }, shared) {
  const taken = (place) => parameters.filter((one) => one.in === place);
  const members = { response: responseOf(responses, shared) };
  for (const [member, place] of [
    ['path', 'path'],
    ['query', 'query'],
  ]) {
    const found = taken(place);
    if (found.length === 0) continue;
    members[member] = {
      type: 'object',
      properties: Object.fromEntries(found.map(({ name, schema, description }) => [name, named({ description, ...schema }, shared)])),
      required: found.filter((one) => one.required).map((one) => one.name),
    };
  }
  const body = requestBody?.content['application/json']?.schema;
  if (body) members.body = named(body, shared);
  const optional = new Set();
  if (body && requestBody.required !== true) optional.add('body');
  if (members.query && members.query.required.length === 0) optional.add('query');
  return objectOf(members, optional);
}

/** Of answers that are no JSON the client gives the Response itself. */
function responseOf(responses, shared) {
  const found = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, { content }]) => content?.['application/json']?.schema)
    .filter((schema) => schema !== undefined)
    .map((schema) => named(schema, shared));
  if (found.length === 0) return { tsType: 'Response' };
  return found.length === 1 ? found[0] : { anyOf: found };
}

function objectOf(properties, optional = new Set()) {
  return { type: 'object', properties, required: Object.keys(properties).filter((name) => !optional.has(name)) };
}

/** What has a title is said once, under its name. */
function named(schema, shared) {
  if (Array.isArray(schema)) return schema.map((one) => named(one, shared));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { examples: _examples, example: _example, ...rest } = schema;
  const copy = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, name === 'enum' || name === 'const' ? value : named(value, shared)]),
  );
  if (typeof copy.title !== 'string') return copy;
  if (Array.isArray(copy.type) && copy.type.includes('null')) return { anyOf: [shareOf({ ...copy, type: 'object' }, shared), { type: 'null' }] };
  return shareOf(copy, shared);
}

/** A reference that says anything besides would be a shape of its own. */
function shareOf({ description: _description, ...schema }, shared) {
  shared[schema.title] ??= schema;
  if (JSON.stringify(shared[schema.title]) !== JSON.stringify(schema)) throw new Error(`two schemas have the title ${schema.title}`);
  return { $ref: `#/definitions/${schema.title}` };
}
