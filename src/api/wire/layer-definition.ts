import { type Static, Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { packagesText } from '../../layers/npm-packages.ts';
import { LayerName } from '../../schemas/function.ts';
import { AllowScripts, PackageJson, PackageLock } from '../../schemas/packages.ts';
import { RUNTIME_NAME, type RuntimeName } from '../../schemas/runtime-name.ts';

export const LayerDefinition = Type.Object(
  {
    name: LayerName,
    requirements: Type.Optional(Type.String({ minLength: 1, maxLength: 64 * 1024, description: 'Text of a requirements.txt, of Python.' })),
    package_json: Type.Optional(PackageJson('the layer')),
    package_lock: Type.Optional(PackageLock),
    allow_scripts: Type.Optional(AllowScripts),
    runtime: Type.Optional(
      Type.Unsafe<RuntimeName>(
        Type.String({
          pattern: RUNTIME_NAME,
          description: 'Whose functions find it. Default: `python` for requirements, `nodejs` for a package_json.',
        }),
      ),
    ),
  },
  {
    additionalProperties: false,
    description: 'Either `requirements` or `package_json`.',
  },
);

/** What is to be installed, and for which runtime. @throws HearthError invalid_request that names the member */
export function librariesOf(definition: Static<typeof LayerDefinition>): { text: string; runtime: RuntimeName } {
  const { requirements, package_json: description, package_lock: lock, allow_scripts: scripts, runtime } = definition;
  if (description === undefined) {
    for (const member of ['package_lock', 'allow_scripts'] as const) {
      if (definition[member] !== undefined) throw invalid(member, 'belongs to a `package_json`, and there is none.');
    }
    if (requirements === undefined) throw invalid('requirements', 'is missing: a layer has `requirements` (Python) or a `package_json` (Node.js).');
    if (runtime !== undefined && runtime !== 'python') throw invalid('requirements', `is for Python, and \`runtime\` is ${runtime}.`);
    return { text: requirements, runtime: 'python' };
  }
  if (requirements !== undefined) throw invalid('requirements', 'is for Python, and `package_json` for Node.js; a layer has one of them.');
  if (runtime === 'python') throw invalid('package_json', 'is for Node.js, and `runtime` is python.');
  return { text: packagesText({ package: description, lock, scripts: scripts ?? false }), runtime: runtime ?? 'nodejs' };
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
