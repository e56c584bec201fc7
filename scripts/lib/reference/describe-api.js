import { anchor, code, page, table } from './markdown.js';
import { membersOf, typeOf } from './members.js';

const ABOUT = `The control plane's operations, by default at \`http://127.0.0.1:8000\`. A running platform describes them at \`/openapi.json\` (OpenAPI 3.1), and at \`/docs\` they can be tried.
Functions themselves are called at the gateway ([gateway](../gateway.md)).

Where tokens are asked for they are sent as \`Authorization: Bearer hearth_…\` ([access](../api-access.md)); the role that an operation needs stands beside it, and a greater one will do.
Instants are milliseconds since 1970-01-01 UTC, and durations are milliseconds. Answers may have further members in later versions; requests with members that are not named here are refused.

What goes wrong is answered as \`application/problem+json\` ([errors](../errors.md)):`;

export function describeApi({ paths, tags }) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })),
  );
  const shapes = shapesOf(operations);
  const shapeOf = ({ title }) => (title !== undefined && shapes.has(title) ? `[${title}](#${anchor(title)})` : undefined);
  const used = tags.filter(({ name }) => operations.some((one) => one.tags[0] === name));
  return page(
    'API',
    ABOUT,
    code(JSON.stringify(problemOf(operations), null, 2), 'json'),
    `${used.map(({ name, description }) => `- [${upper(name)}](#${anchor(name)}): ${description}`).join('\n')}\n- [Shapes](#shapes): what several of them answer\n`,
    ...used.map(({ name, description }) =>
      [`## ${upper(name)}\n`, `${description}\n`, ...operations.filter((one) => one.tags[0] === name).map((one) => describe(one, shapeOf))].join(
        '\n',
      ),
    ),
    '## Shapes\n',
    ...[...shapes.values()].map((schema) => shape(schema, shapeOf)),
  );
}

function problemOf(operations) {
  const [one] = operations.filter(({ responses }) => responses['404']);
  return one.responses['404'].content['application/problem+json'].examples.not_found.value;
}

function describe({ name, summary, description, parameters = [], requestBody, responses, 'x-hearth-role': role }, shapeOf) {
  const answers = Object.entries(responses).filter(([status]) => status < '400');
  const codes = Object.entries(responses)
    .filter(([status]) => status >= '400')
    .flatMap(([, { content }]) => Object.keys(content['application/problem+json'].examples));
  return [
    `### ${name}\n`,
    `${summary}.${role === 'open' ? ' Nobody is asked for a token.' : ` Role: \`${role}\`.`}${description ? ` ${description}` : ''}\n`,
    table(
      ['parameter', 'in', 'type', ''],
      parameters.map((one) => [`\`${one.name}\``, one.in, typeOf(one.schema, shapeOf), one.description]),
    ),
    ...Object.entries(requestBody?.content ?? {}).map(([type, media]) => body(`Body, \`${type}\``, media, { shapeOf, isTaken: true })),
    ...answers.map(([status, answer]) => answerOf(status, answer, shapeOf)),
    `Errors: ${codes.map((one) => `\`${one}\``).join(', ')}.\n`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function answerOf(status, { description, content = {} }, shapeOf) {
  const [entry] = Object.entries(content);
  if (!entry) return `Answer ${status}: ${description}\n`;
  return body(`Answer ${status}, \`${entry[0]}\``, entry[1], { shapeOf });
}

/** What it is made of, and the first example. */
function body(what, { schema, examples = {} }, options) {
  const linked = options.shapeOf(schema);
  const whole = linked ?? (schema.format === 'binary' ? 'bytes' : undefined);
  const variants = schema.anyOf ?? [schema];
  const rows = whole === undefined ? variants.flatMap((one) => membersOf(one, options)) : [];
  const said = whole ?? (rows.length === 0 ? typeOf(schema, options.shapeOf) : '');
  const [first] = Object.values(examples);
  return [
    `${what}${said === '' ? '' : `: ${said}`}${said !== '' && schema.description ? `. ${schema.description}` : ''}\n`,
    table(['member', 'type', ''], rows),
    first === undefined ? '' : typeof first.value === 'string' ? code(first.value) : code(JSON.stringify(first.value, null, 2), 'json'),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** Objects with a title, by it. Those that are only a request's body stand where they are. */
function shapesOf(operations) {
  const found = new Map();
  const walk = (schema) => {
    if (typeof schema !== 'object' || schema === null) return;
    if (Array.isArray(schema)) return schema.forEach(walk);
    if (typeof schema.title === 'string' && schema.properties && !found.has(schema.title)) found.set(schema.title, schema);
    for (const [keyword, value] of Object.entries(schema)) if (keyword !== 'examples' && keyword !== 'example') walk(value);
  };
  for (const { responses } of operations)
    for (const { content = {} } of Object.values(responses)) for (const { schema } of Object.values(content)) walk(schema);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function shape(schema, shapeOf) {
  const own = (member) => (member === schema ? undefined : shapeOf(member));
  return [`### ${schema.title}\n`, table(['member', 'type', ''], membersOf(schema, { shapeOf: own }))].join('\n');
}

function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
