import { code, page, table } from './markdown.js';
import { membersOf } from './members.js';

const ABOUT = `What a function may be told to be: under \`functions\` in \`hearth.yaml\` or \`hearth.json\`, for \`hearth deploy\` ([bundles](../bundles.md)), and, with the differences
named below, in the body of \`POST /functions\` ([API](api.md)). Members that are not named here are refused. Editors know them from [the JSON Schema](../hearth.schema.json).`;

const EXAMPLE = `# yaml-language-server: $schema=node_modules/hearth/docs/hearth.schema.json
defaults:
  memory_mb: 128
functions:
  greet:
    on: http|POST|/greet
    timeout_ms: 5000
  report:
    on: cron|0 6 * * *
    entry: report.py
    retry:
      attempts: 5
`;

const DIFFERENCES = table(
  ['in a project file', 'in `POST /functions`', ''],
  [
    ['the name that it stands under', '`function_name`', 'letters, digits, `_` and `-`'],
    ['`on`', '`event_type`', 'the event key'],
    ['the files of the folder', '`function_code`, `files` or `bundle`', 'one of the three'],
    ['`requirements_file`, `package_json_file`, `package_lock_file`', '`requirements`, `package_json`, `package_lock`', 'the text itself'],
    ['`defaults`', '', 'members that hold for every function that does not say otherwise; `environment` is put together by name'],
  ],
);

export function describeDefinition(project) {
  const [definition] = Object.values(project.properties.functions.patternProperties ?? { only: project.properties.functions.additionalProperties });
  return page(
    'Function definition',
    ABOUT,
    code(EXAMPLE, 'yaml'),
    '## Members\n',
    table(['member', 'type', 'what it is'], membersOf(definition, { isTaken: true })),
    '## In the API\n',
    DIFFERENCES,
  );
}
