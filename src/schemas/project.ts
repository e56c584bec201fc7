import { type Static, Type } from 'typebox';
import { EntryPath } from './bundle.ts';
import { EventKey, FunctionDefinition } from './function.ts';
import { FunctionName } from './function-name.ts';

const {
  event_type: _key,
  function_name: _name,
  function_code: _code,
  files: _files,
  bundle: _bundle,
  entry: _entry,
  ...settings
} = FunctionDefinition.properties;

const fileOf = (member: string, what: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      description: `${what} of the project; its libraries are built into a layer of the function's own. Not together with \`${member}\`.`,
    }),
  );

const shared = {
  ...settings,
  requirements_file: fileOf('requirements', 'A requirements.txt'),
  package_json_file: fileOf('package_json', 'A package.json'),
  package_lock_file: fileOf('package_lock', 'The package-lock.json that belongs to it'),
};

/** Members of a definition that a project may have in files of their own, which `NAME_file` names. */
export const IN_FILES = ['requirements', 'package_json', 'package_lock'] as const;

/** What `hearth.json` and `hearth.yaml` hold: the functions of a project, whose folder is their bundle. */
export const Project = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors.' })),
    defaults: Type.Optional(
      Type.Object(shared, {
        additionalProperties: false,
        description: 'For every function that does not say otherwise; `environment` is put together by name.',
      }),
    ),
    functions: Type.Record(FunctionName, Type.Object({ on: EventKey, entry: Type.Optional(EntryPath), ...shared }, { additionalProperties: false }), {
      minProperties: 1,
      description: 'Names of functions and what they are. All have the files of the project.',
    }),
  },
  { additionalProperties: false, title: 'A project of Hearth', description: 'docs/bundles.md says what it is for.' },
);
export type Project = Static<typeof Project>;

/** As JSON Schema, as text. */
export function projectSchema(): string {
  return `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...Project }, null, 2)}\n`;
}
