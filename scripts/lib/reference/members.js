/** What a schema says, in words: `integer, 1 to 9`. @param shapeOf a link for what has a section of its own, or undefined */
export function typeOf(schema, shapeOf = () => undefined) {
  const link = shapeOf(schema);
  const types = [schema.type].flat().filter((type) => type !== undefined);
  const orNull = types.includes('null') ? ' or null' : '';
  if (link !== undefined) return link + orNull;
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ') + orNull;
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, shapeOf)).join(schema.anyOf.every((one) => 'const' in one) ? ', ' : ' or ');
  const [type = 'anything'] = types.filter((one) => one !== 'null');
  return wordOf(type, schema, shapeOf) + orNull;
}

function wordOf(type, schema, shapeOf) {
  if (type === 'array') return listOf(typeOf(schema.items ?? {}, shapeOf), range(schema, 'minItems', 'maxItems', ' items'));
  const values = schema.patternProperties ? Object.values(schema.patternProperties)[0] : schema.additionalProperties;
  if (type === 'object' && !isRecord(schema) && typeof values === 'object') return `map of ${typeOf(values, shapeOf)}`;
  if (type === 'integer' || type === 'number') return type + range(schema, 'minimum', 'maximum', '');
  if (type === 'string') return type + range(schema, 'minLength', 'maxLength', ' characters');
  return type;
}

function range(schema, from, to, unit) {
  const least = schema[from];
  // The largest of the language is no bound that anybody chose.
  const most = schema[to] === Number.MAX_SAFE_INTEGER ? undefined : schema[to];
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}${unit}`;
  if (most !== undefined) return `, at most ${most}${unit}`;
  // One character at least is what everybody expects.
  return least !== undefined && !(from === 'minLength' && least === 1) ? `, ${least} at least` : '';
}

function isRecord({ properties }) {
  return properties !== undefined && Object.keys(properties).length > 0;
}

function listOf(items, bounds) {
  return `list${bounds === '' ? '' : ` (${bounds.slice(2)})`} of ${items}`;
}

/**
 * Rows of name, type and description, members of members with a dot: `retry.attempts`.
 * @param isTaken whether the schema is of a request, where it matters what may be left out
 */
export function membersOf(schema, { shapeOf = () => undefined, isTaken = false } = {}, before = '') {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const path = before + name;
    const must = isTaken && required.has(name) ? ', required' : '';
    const own = [`\`${path}\``, `${typeOf(member, shapeOf)}${must}`, withDefault(member)];
    const isList = [member.type].flat().includes('array');
    const inner = (isList ? member.items : member) ?? {};
    if (!isRecord(inner) || shapeOf(inner) !== undefined) return [own];
    return [own, ...membersOf(inner, { shapeOf, isTaken }, isList ? `${path}[].` : `${path}.`)];
  });
}

function withDefault({ description = '', default: fallback }) {
  return fallback === undefined || description.includes('Default') ? description : `${description} Default \`${JSON.stringify(fallback)}\`.`;
}
