import { page, table } from './markdown.js';
import { typeOf } from './members.js';

const ABOUT =
  'Every setting, where it stands in the file that `HEARTH_CONFIG` names, and the variable of the environment that sets it. [Configuration](../configuration.md) says how the two go together.\n\n' +
  'Lists stand in the environment with commas between their items, maps as `name=value` with commas.';

export function describeConfiguration(schema) {
  return page('Settings', ABOUT, table(['setting', 'environment', 'default', 'what it is', 'values'], rowsOf(schema, [])));
}

function rowsOf(schema, path) {
  return Object.entries(schema.properties).flatMap(([name, child]) => {
    const here = [...path, name];
    if (child.properties) return rowsOf(child, here);
    const variable = `HEARTH_${here.join('_').toUpperCase()}`;
    return [
      [`\`${here.join('.')}\``, `\`${variable}\``, child['x-default'] ?? `\`${JSON.stringify(child.default)}\``, child.description, typeOf(child)],
    ];
  });
}
